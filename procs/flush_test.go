package procs

import (
	"os"
	"slices"
	"testing"
)

func TestFollowersSurviveAFlush(t *testing.T) {
	dir := t.TempDir()
	app := testApp("web")
	app.OutFile, app.ErrorFile, app.Instances = dir+"/web-out.log", "/dev/null", 2
	second := app.Instance(1).OutFile
	write := func(text string) {
		f, err := os.OpenFile(second, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("one\ntwo\n")
	tail := openTail(second, nil)
	defer tail.close()
	next := func() string {
		line, err := tail.next()
		if err != nil {
			return err.Error()
		}
		return string(line.text)
	}
	if got := []string{next(), next(), next()}; !slices.Equal(got, []string{"one", "two", "EOF"}) {
		t.Errorf("read %q", got)
	}
	if err := Flush(app, 0, dir); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(second); err != nil || fi.Size() == 0 {
		t.Errorf("another instance's log was emptied: %v", err)
	}
	if err := Flush(app, 1, dir); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	if got := []string{next(), next()}; !slices.Equal(got, []string{"three", "EOF"}) {
		t.Errorf("after the flush read %q", got)
	}
}
