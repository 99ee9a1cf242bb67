package stack

import (
	"regexp"
	"strings"
)

// masked stands for a secret wherever one would be shown.
const masked = "***"

var (
	secretKey   = regexp.MustCompile(`(?i)pass|pwd|secret|token|key|auth|cred|private|cookie|dsn`)
	urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)([^/?#\s@]*@)+`)
	jwtShaped   = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*`)
	pemShaped   = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]+-----.*?(-----END [A-Z0-9 ]+-----|$)`)
	assignment  = regexp.MustCompile(`^(-{0,2}[A-Za-z_][A-Za-z0-9_.-]*)=(.*)$`)
)

// Mask is the value of a variable as it may be shown: *** when the name sounds like a secret, otherwise with user and
// password of a URL, keys and tokens inside it masked. An empty value stays empty.
func Mask(key, value string) string {
	if value != "" && secretKey.MatchString(key) {
		return masked
	}
	return MaskText(value)
}

// MaskText masks what looks like a secret by itself: a URL's user and password, a PEM block, a JWT.
func MaskText(s string) string {
	s = urlPassword.ReplaceAllString(s, "${1}"+masked+"@")
	s = pemShaped.ReplaceAllString(s, masked)
	return jwtShaped.ReplaceAllString(s, masked)
}

// MaskArgs masks a command line: KEY=value and --key=value like Mask, and the word after an option that sounds like a
// secret.
func MaskArgs(args []string) []string {
	out := make([]string, len(args))
	next := ""
	for i, arg := range args {
		m := assignment.FindStringSubmatch(arg)
		switch {
		case next != "" && !strings.HasPrefix(arg, "-"):
			out[i] = Mask(next, arg)
		case m != nil:
			out[i] = m[1] + "=" + Mask(m[1], m[2])
		default:
			out[i] = MaskText(arg)
		}
		next = ""
		if strings.HasPrefix(arg, "--") && m == nil && secretKey.MatchString(arg) {
			next = arg
		}
	}
	return out
}
