package procs

import "strings"

// dayjsTokens are PM2's log_date_format tokens (those of dayjs) and Go's words for them; longer ones come first.
// Go writes fractions only after a dot or a comma, which the caller of goLayout keeps.
var dayjsTokens = []struct{ token, layout string }{
	{"YYYY", "2006"},
	{"YY", "06"},
	{"MMMM", "January"},
	{"MMM", "Jan"},
	{"MM", "01"},
	{"M", "1"},
	{"DD", "02"},
	{"D", "2"},
	{"dddd", "Monday"},
	{"ddd", "Mon"},
	{"HH", "15"},
	{"hh", "03"},
	{"h", "3"},
	{"mm", "04"},
	{"m", "4"},
	{"SSS", "000"},
	{"ss", "05"},
	{"s", "5"},
	{"ZZ", "-0700"},
	{"Z", "-07:00"},
	{"A", "PM"},
	{"a", "pm"},
}

// goLayout turns a log_date_format into a Go time layout. Text in [brackets] is literal, as in dayjs; what is no token
// stays as it is.
func goLayout(format string) string {
	var out strings.Builder
next:
	for format != "" {
		if literal, rest, ok := strings.Cut(format[1:], "]"); ok && format[0] == '[' {
			out.WriteString(literal)
			format = rest
			continue
		}
		for _, t := range dayjsTokens {
			if rest, ok := strings.CutPrefix(format, t.token); ok {
				out.WriteString(t.layout)
				format = rest
				continue next
			}
		}
		out.WriteByte(format[0])
		format = format[1:]
	}
	return out.String()
}
