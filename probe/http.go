package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// HTTP is ready when url answers a GET with a status from 200 to 399; a redirect is an answer and is not followed.
// Each look uses its own connection, so that none is kept open in between. Proxies of the environment are not used.
func HTTP(address string, dial Dial) Probe {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return Func(func(ctx context.Context) Result {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return Result{Broken: true, Detail: fmt.Sprintf("cannot ask %s: %v", address, err)}
		}
		response, err := client.Do(request)
		if err != nil {
			return failed(ctx, address, unwrapURL(err))
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096))
		return Result{
			Ready:  response.StatusCode >= 200 && response.StatusCode < 400,
			By:     Answered(response.StatusCode),
			Detail: fmt.Sprintf("GET %s -> %s", address, response.Status),
		}
	})
}

// unwrapURL drops the "Get URL:" that net/http puts before every error.
func unwrapURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
