package api

import (
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Query is the request as the query of GET /v1/logs. Names repeat.
func (r LogsRequest) Query() url.Values {
	q := url.Values{"lines": {strconv.Itoa(r.Lines)}, "follow": {strconv.FormatBool(r.Follow)}}
	for _, name := range r.Names {
		q.Add("names", name)
	}
	if r.Stream != "" {
		q.Set("stream", r.Stream)
	}
	if !r.Since.IsZero() {
		q.Set("since", r.Since.Format(time.RFC3339Nano))
	}
	return q
}

// ParseLogsRequest is the reverse of Query. Absent keys have their zero value.
func ParseLogsRequest(q url.Values) (LogsRequest, error) {
	r := LogsRequest{Names: q["names"], Stream: q.Get("stream")}
	var err error
	if v := q.Get("lines"); v != "" {
		if r.Lines, err = strconv.Atoi(v); err != nil {
			return r, fmt.Errorf("lines: %w", err)
		}
	}
	if v := q.Get("follow"); v != "" {
		if r.Follow, err = strconv.ParseBool(v); err != nil {
			return r, fmt.Errorf("follow: %w", err)
		}
	}
	if v := q.Get("since"); v != "" {
		if r.Since, err = time.Parse(time.RFC3339Nano, v); err != nil {
			return r, fmt.Errorf("since: %w", err)
		}
	}
	if r.Stream != "" && r.Stream != "out" && r.Stream != "err" {
		return r, fmt.Errorf("stream is %q, not out or err", r.Stream)
	}
	return r, nil
}
