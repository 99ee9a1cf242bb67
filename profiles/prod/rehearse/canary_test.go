package rehearse

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// A canary is found however it is written and wherever reading stops in between; anything else is not.
func TestACanaryIsFound(t *testing.T) {
	c := newCanaries()
	secret := c.next()
	for name, text := range map[string]string{
		"plain":    "url=postgres://user:" + secret + "@host",
		"planted":  "X=" + planted,
		"hex":      hex.EncodeToString([]byte("ab" + secret + "yz")),
		"base64 0": base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 1": base64.StdEncoding.EncodeToString([]byte("a" + secret + "z")),
		"base64 2": base64.URLEncoding.EncodeToString([]byte("ab" + secret + "yz")),
	} {
		if c.in(text) != 1 {
			t.Errorf("%s: %d found in %s", name, c.in(text), text)
		}
		far := strings.Repeat("-", 1<<20-10) + text + strings.Repeat("-", 1<<20)
		if n, size, err := c.find(strings.NewReader(far)); n != 1 || size != int64(len(far)) || err != nil {
			t.Errorf("%s, over the edge of the buffer: %d found in %d bytes, %v", name, n, size, err)
		}
		if n, _, err := c.find(iotest.OneByteReader(strings.NewReader(text))); n != 1 || err != nil {
			t.Errorf("%s, byte by byte: %d found, %v", name, n, err)
		}
	}
	if n := c.in(newCanaries().next() + secret[1:20]); n != 0 {
		t.Errorf("%d found where none is", n)
	}
}

func TestACanaryIsFoundInLayers(t *testing.T) {
	c := newCanaries()
	layer := func(content string) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: "app/.env", Size: int64(len(content)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(layer("B=" + c.next())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	w := tar.NewWriter(&saved)
	for name, data := range map[string][]byte{"plain/layer.tar": layer("A=" + planted), "zipped/layer.tar": zipped.Bytes(), "clean/layer.tar": layer("C=1")} {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	seen, err := c.archive(&saved)
	if err != nil || seen.files != 3 || len(seen.hits) != 2 || strings.Contains(strings.Join(seen.hits, " "), "clean") {
		t.Errorf("%+v, %v", seen, err)
	}
}
