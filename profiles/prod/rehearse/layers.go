package rehearse

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// checkImages looks for canaries in every layer and every setting of the images: the context that they were built from
// held some.
func (s *session) checkImages(ctx context.Context) Check {
	began := time.Now()
	check := Check{Target: "image", Subject: "stack", Claim: "no secrets", Verdict: Failed}
	var refs []string
	for _, app := range s.export.Model.Workloads {
		refs = append(refs, s.images[app.App])
	}
	var seen contents
	err := dockerStream(ctx, func(r io.Reader) (err error) {
		seen, err = s.canaries.archive(r)
		return err
	}, append([]string{"save"}, refs...)...)
	settings := 0
	for _, ref := range refs {
		inspected, failed := docker(ctx, "image", "inspect", ref)
		history, failed2 := docker(ctx, "history", "--no-trunc", ref)
		err = errors.Join(err, failed, failed2)
		settings += s.canaries.in(inspected + history)
	}
	check.Took = time.Since(began)
	switch {
	case err != nil:
		check.Detail = err.Error()
	case seen.files == 0:
		check.Detail = "the engine saved nothing"
	case len(seen.hits) > 0 || settings > 0:
		check.Detail = fmt.Sprintf("%d of the settings, and these files of the images, have a secret of the build's context: %s", settings, strings.Join(seen.hits, ", "))
	default:
		check.Verdict = Passed
		check.Detail = fmt.Sprintf("%d images, %d files of layers and settings, %d MB: none of the secrets that lay in the context, not encoded either", len(refs), seen.files, seen.size>>20)
	}
	return check
}

// contents is what was seen of an archive.
type contents struct {
	files int
	size  int64
	hits  []string // names of files in the archive
}

// archive looks at what docker save writes: a tar of settings and layers, which are tars, compressed by some engines.
func (c *canaries) archive(r io.Reader) (contents, error) {
	var out contents
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			// What follows the end is padding; the writer must not find the pipe closed.
			_, err := io.Copy(io.Discard, r)
			return out, err
		} else if err != nil {
			return out, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		hits, size, err := c.layer(archive)
		if err != nil {
			return out, fmt.Errorf("cannot read %s of an image: %w", header.Name, err)
		}
		out.files++
		out.size += size
		if hits > 0 {
			out.hits = append(out.hits, header.Name)
		}
	}
}

func (c *canaries) layer(r io.Reader) (int, int64, error) {
	buffered := bufio.NewReader(r)
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return 0, 0, err
		}
		return c.find(unpacked)
	}
	return c.find(buffered)
}
