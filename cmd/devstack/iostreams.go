package main

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/term"
)

// IOStreams is where a command reads and writes. What the terminal can do is decided once, here.
type IOStreams struct {
	In  io.Reader
	Out io.Writer // data
	Err io.Writer // everything else

	OutTTY, ErrTTY bool
	InTTY          bool // somebody can be asked
	Color          bool

	size func() (width, height int) // of the terminal; nil: none
}

func systemStreams(getenv func(string) string) *IOStreams {
	s := &IOStreams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())), ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	s.Color = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	s.size = func() (int, int) {
		for _, f := range []*os.File{os.Stdout, os.Stderr} {
			if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
				return w, h
			}
		}
		return 80, 24
	}
	return s
}

// testStreams writes into buffers.
func testStreams() (s *IOStreams, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	return &IOStreams{In: &bytes.Buffer{}, Out: out, Err: err}, out, err
}

// Size is the terminal's width and height in characters.
func (s *IOStreams) Size() (width, height int) {
	if s.size == nil {
		return 80, 24
	}
	return s.size()
}

// TableWidth is how wide a table on Out may be; 0: as wide as it gets.
func (s *IOStreams) TableWidth() int {
	if !s.OutTTY {
		return 0
	}
	width, _ := s.Size()
	return width
}

// OutStyle and ErrStyle colour text for the stream of their name, or leave it alone.
func (s *IOStreams) OutStyle() style { return style(s.Color && s.OutTTY) }

// ErrStyle is OutStyle for Err.
func (s *IOStreams) ErrStyle() style { return style(s.Color && s.ErrTTY) }

// style paints text, if it is true.
type style bool

func (c style) paint(code, text string) string {
	if !c || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (c style) green(s string) string  { return c.paint("32", s) }
func (c style) yellow(s string) string { return c.paint("33", s) }
func (c style) red(s string) string    { return c.paint("31", s) }
func (c style) cyan(s string) string   { return c.paint("36", s) }
func (c style) dim(s string) string    { return c.paint("2", s) }
func (c style) bold(s string) string   { return c.paint("1", s) }
