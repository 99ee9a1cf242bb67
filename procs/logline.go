package procs

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// parseLine takes apart what the keeper wrote for one line. What does not look like it is the message as it is: an
// older format, or a part of an overlong line.
func parseLine(r *LogRecord, line []byte, format, layout string) {
	switch format {
	case "json":
		if parseJSONLine(r, line) {
			return
		}
	case "text":
		if parseTextLine(r, line, layout) {
			return
		}
	}
	r.Message = strings.ToValidUTF8(string(line), "\uFFFD")
}

func parseJSONLine(r *LogRecord, line []byte) bool {
	var rec struct {
		Timestamp time.Time `json:"timestamp"`
		Type      string    `json:"type"`
		Message   *string   `json:"message"`
	}
	if !bytes.HasPrefix(line, []byte(`{"timestamp":`)) || json.Unmarshal(line, &rec) != nil || rec.Message == nil {
		return false
	}
	r.Time, r.Stream, r.Message = rec.Timestamp, rec.Type, *rec.Message
	return true
}

// parseTextLine looks for "TIMESTAMP: message". A timestamp without a date says nothing about when.
func parseTextLine(r *LogRecord, line []byte, layout string) bool {
	for from := 0; from < min(len(line), 80); {
		i := bytes.Index(line[from:], []byte(": "))
		if i < 0 {
			return false
		}
		end := from + i
		if at, err := time.ParseInLocation(layout, string(line[:end]), time.Local); err == nil {
			if at.Year() > 1 {
				r.Time = at
			}
			r.Message = strings.ToValidUTF8(string(line[end+2:]), "\uFFFD")
			return true
		}
		from = end + 2
	}
	return false
}
