package prod

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// percent is one escaped byte in a URL.
var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// Needles are the ways in which a secret may be written, each once: as it is, in a URL, in JSON, in hexadecimal, and in base64
// wherever it begins there. Whoever looks for secrets looks for all of them. A short secret has short needles, which a text
// may contain by chance; an empty one has none.
func Needles(secret string) [][]byte {
	if secret == "" {
		return nil
	}
	spaced := strings.ReplaceAll(url.QueryEscape(secret), "+", "%20") // a plus sign itself is %2B
	login := strings.TrimPrefix(url.UserPassword("", secret).String(), ":")
	ways := []string{secret}
	for _, way := range []string{url.QueryEscape(secret), spaced, url.PathEscape(secret), login} {
		ways = append(ways, way, percent.ReplaceAllStringFunc(way, strings.ToLower))
	}
	for _, html := range []bool{true, false} {
		var quoted bytes.Buffer
		e := json.NewEncoder(&quoted)
		e.SetEscapeHTML(html)
		_ = e.Encode(secret) // a string is always JSON
		ways = append(ways, strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(quoted.String()), `"`), `"`))
	}
	digits := hex.EncodeToString([]byte(secret))
	ways = append(ways, digits, strings.ToUpper(digits))
	for before := range 3 {
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			// What stands before and behind shares the first and last characters, so these are left out.
			text := alphabet.EncodeToString([]byte(strings.Repeat("x", before) + secret))
			ways = append(ways, text[(before*8+5)/6:(before+len(secret))*8/6])
		}
	}
	slices.Sort(ways)
	var out [][]byte
	for _, way := range slices.Compact(ways) {
		if way != "" {
			out = append(out, []byte(way))
		}
	}
	return out
}
