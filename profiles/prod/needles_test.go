package prod_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"devstack/profiles/prod"
)

func TestNeedlesFindASecretInEveryForm(t *testing.T) {
	const secret = `p<ss/w rd"+?~>&x` + "\xff\xfb" + "=ü"
	quoted, err := json.Marshal("a" + secret)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted))
	forms := map[string]string{
		"as it is": secret, "a query": url.QueryEscape(secret), "a path": url.PathEscape(secret),
		"a component": strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"), "a login": url.UserPassword("me", secret).String(),
		"a query in lower case": strings.NewReplacer("%2F", "%2f", "%3C", "%3c", "%2B", "%2b", "%3F", "%3f", "%3E", "%3e", "%FF", "%ff",
			"%FB", "%fb", "%3D", "%3d", "%C3", "%c3", "%BC", "%bc").Replace(url.QueryEscape(secret)),
		"JSON": string(quoted), "JSON without HTML's escapes": plain,
		"hex": hex.EncodeToString([]byte("a" + secret + "b")), "upper hex": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for before := range 4 {
		for after := range 4 {
			text := []byte("abcd"[:before] + secret + "efgh"[:after])
			forms["base64 of "+string(text)] = base64.StdEncoding.EncodeToString(text)
			forms["URL's base64 of "+string(text)] = base64.URLEncoding.EncodeToString(text)
		}
	}
	found := func(needles [][]byte, text string) (n int) {
		for _, needle := range needles {
			n += bytes.Count([]byte(text), needle)
		}
		return n
	}
	needles := prod.Needles(secret)
	for name, text := range forms {
		if found(needles, "before "+text+" after") == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
		if found(needles, text[:len(text)/2]+" "+text[len(text)/2:]) > 0 {
			t.Errorf("%s: found in %q, which is broken in the middle", name, text)
		}
	}
	// A secret of letters is written in one way in most forms, and is counted once.
	if n := found(prod.Needles("correcthorse"), "a correcthorse b"); n != 1 {
		t.Errorf("found %d times, want 1", n)
	}
	for _, short := range []string{"", "a", "ab"} {
		for _, needle := range prod.Needles(short) {
			if len(needle) == 0 {
				t.Errorf("%q has an empty needle, which every text contains", short)
			}
		}
	}
}
