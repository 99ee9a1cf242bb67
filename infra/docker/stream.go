package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"devstack/infra"
)

// Events are the container events of a project, without those of `compose run` and of commands run in containers.
func (d *Driver) Events(ctx context.Context, project string, since, until time.Time) (<-chan infra.EngineEvent, error) {
	filters := make(client.Filters).Add("type", "container").
		Add("label", infra.LabelProject+"="+project, infra.LabelOneoff+"=False").
		Add("event", "start", "restart", "kill", "die", "stop", "oom", "destroy", "pause", "unpause", "health_status")
	options := client.EventsListOptions{Filters: filters, Since: stamp(since)}
	if !until.IsZero() {
		options.Until = stamp(until)
	}
	listening, stop := context.WithCancel(ctx)
	// Events returns when the engine has answered, so that an error is known at once.
	result := d.api.Events(listening, options)
	select {
	case err := <-result.Err:
		if err != nil && !errors.Is(err, io.EOF) {
			stop()
			return nil, err
		}
	default:
	}
	return infra.Stream(ctx, d.work, func(ctx context.Context, out chan<- infra.EngineEvent) {
		defer stop()
		for {
			select {
			case m := <-result.Messages:
				if !infra.Send(ctx, out, translateEvent(m)) {
					return
				}
			case <-result.Err: //nolint:errcheck // the stream has ended, whatever it says
				return
			case <-ctx.Done():
				return
			}
		}
	}), nil
}

func translateEvent(m events.Message) infra.EngineEvent {
	code, _ := strconv.Atoi(m.Actor.Attributes["exitCode"])
	return infra.EngineEvent{
		At: time.Unix(0, m.TimeNano), Container: m.Actor.ID, Service: m.Actor.Attributes[infra.LabelService],
		Action: string(m.Action), Signal: m.Actor.Attributes["signal"], ExitCode: code,
	}
}

// stamp is a time in the engine's way; the zero time is the beginning.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// Logs are the lines of one container, both streams in the order in which the engine has them.
func (d *Driver) Logs(ctx context.Context, id string, o infra.LogOptions) (<-chan infra.LogLine, error) {
	options := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: o.Follow, Since: stamp(o.Since), Tail: "all"}
	if o.Tail >= 0 {
		options.Tail = strconv.Itoa(o.Tail)
	}
	seen, err := d.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil, infra.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	body, err := d.api.ContainerLogs(ctx, id, options)
	if err != nil {
		return nil, err
	}
	tty := seen.Container.Config != nil && seen.Container.Config.Tty
	return infra.Stream(ctx, d.work, func(ctx context.Context, out chan<- infra.LogLine) {
		defer body.Close()
		defer context.AfterFunc(ctx, func() { body.Close() })()
		stdout := &lineWriter{ctx: ctx, stream: "stdout", out: out}
		stderr := &lineWriter{ctx: ctx, stream: "stderr", out: out}
		if tty {
			_, _ = io.Copy(stdout, body)
		} else {
			_, _ = stdcopy.StdCopy(stdout, stderr, body)
		}
		stdout.flush()
		stderr.flush()
	}), nil
}

// lineWriter cuts what it is given into lines that begin with the engine's timestamp.
type lineWriter struct {
	ctx    context.Context
	stream string
	out    chan<- infra.LogLine
	rest   []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 {
			return len(b), nil
		}
		if !w.send(string(w.rest[:end])) {
			return 0, w.ctx.Err()
		}
		w.rest = w.rest[end+1:]
	}
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.send(string(w.rest))
	}
}

func (w *lineWriter) send(line string) bool {
	stampText, text, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339Nano, stampText)
	if err != nil {
		text = line
	}
	return infra.Send(w.ctx, w.out, infra.LogLine{Time: at, Stream: w.stream, Text: strings.TrimSuffix(text, "\r")})
}
