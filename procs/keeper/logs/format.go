package logs

import (
	"strconv"
	"time"
	"unicode/utf8"

	"devstack/procs/keeper/protocol"
)

// DefaultLayout is PM2's `YYYY-MM-DD HH:mm:ss.SSS Z`.
const DefaultLayout = "2006-01-02 15:04:05.000 -07:00"

// format is how one stream's lines are written: raw, with a timestamp before each, or as JSON records.
type format struct {
	kind   string // "", "text", "json"
	layout string
	head   []byte // of a JSON record, after the timestamp
}

func newFormat(cfg protocol.Logs, key protocol.Key, kind string) format {
	f := format{kind: cfg.Format, layout: cfg.Layout}
	if f.layout == "" {
		f.layout = DefaultLayout
	}
	if f.kind == "json" {
		h := append([]byte(`","type":"`), kind...)
		h = append(h, `","app_name":`...)
		h = appendJSON(h, []byte(key.App))
		h = strconv.AppendInt(append(h, `,"process_id":`...), int64(cfg.ID), 10)
		h = strconv.AppendInt(append(h, `,"instance":`...), int64(key.Instance), 10)
		f.head = append(h, `,"message":`...)
	}
	return f
}

func (f format) raw() bool { return f.kind != "text" && f.kind != "json" }

// stamp is what precedes every line that was read at the given time.
func (f format) stamp(at time.Time) []byte {
	if f.kind == "json" {
		b := at.AppendFormat([]byte(`{"timestamp":"`), "2006-01-02T15:04:05.000Z07:00")
		return append(b, f.head...)
	}
	return append(at.AppendFormat(nil, f.layout), ": "...)
}

// append adds one line, given without its newline, to out.
func (f format) append(out, stamp, line []byte) []byte {
	out = append(out, stamp...)
	if f.kind == "json" {
		return append(appendJSON(out, line), '}', '\n')
	}
	return append(append(out, line...), '\n')
}

// note is a line of the keeper's own in this format.
func (f format) note(text string, at time.Time) []byte {
	if f.raw() {
		return append([]byte(text), '\n')
	}
	return f.append(nil, f.stamp(at), []byte(text))
}

// appendJSON adds b as a JSON string without allocating; bytes that are not UTF-8 become U+FFFD.
func appendJSON(out, b []byte) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	done := 0
	for i := 0; i < len(b); {
		c := b[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(b[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		out = append(out, b[done:i]...)
		switch {
		case c >= utf8.RuneSelf:
			out = append(out, "\ufffd"...)
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\r':
			out = append(out, `\r`...)
		default:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		done = i
	}
	return append(append(out, b[done:]...), '"')
}
