package ecs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is one of crontab's five.
type field struct {
	name        string
	least, most int
	words       []string // from least on
}

var (
	weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
	fields   = []field{
		{"minute", 0, 59, nil},
		{"hour", 0, 23, nil},
		{"day of month", 1, 31, nil},
		{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
		{"day of week", 0, 7, weekdays},
	}
)

// awsCron is crontab's five fields as EventBridge Scheduler's six. Every field is written as the values that it means:
// AWS has no a-b/n, and counts the days of the week from 1.
func awsCron(expression string) (string, error) {
	words := strings.Fields(expression)
	if len(words) != len(fields) {
		return "", fmt.Errorf("%q does not have the five fields of crontab", expression)
	}
	out := make([]string, 0, 6)
	for i, f := range fields {
		values, err := f.values(words[i])
		if err != nil {
			return "", err
		}
		out = append(out, f.write(values))
	}
	switch {
	case out[4] == "*":
		out[4] = "?"
	case out[2] == "*":
		out[2] = "?"
	default:
		return "", errors.New("crontab runs it on a day of the month or a day of the week, and EventBridge cannot express both")
	}
	return "cron(" + strings.Join(append(out, "*"), " ") + ")", nil
}

// values are those that a field means, in order.
func (f field) values(word string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(word, ",") {
		span, by, stepped := strings.Cut(part, "/")
		from, to := f.least, f.most
		step := 1
		var err error
		if first, last, ranged := strings.Cut(span, "-"); span != "*" && span != "?" {
			from, err = f.number(first)
			switch {
			case err == nil && ranged:
				to, err = f.number(last)
			case !stepped:
				to = from
			}
		} else if f.words != nil && f.least == 0 {
			to = f.most - 1
		}
		if err == nil && stepped {
			step, err = strconv.Atoi(by)
		}
		if err != nil || step < 1 || from > to {
			return nil, fmt.Errorf("%q is not a valid %s", part, f.name)
		}
		for v := from; v <= to; v += step {
			out = append(out, f.normal(v))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// normal: 7 is Sunday, as 0 is.
func (f field) normal(v int) int {
	if f.most == 7 {
		return v % 7
	}
	return v
}

func (f field) number(word string) (int, error) {
	if i := slices.Index(f.words, strings.ToUpper(word)); i >= 0 {
		return i + f.least, nil
	}
	v, err := strconv.Atoi(word)
	if err == nil && (v < f.least || v > f.most) {
		err = fmt.Errorf("%d is out of range", v)
	}
	return v, err
}

// write is a list of values; all of them are *, and an unbroken run is a range.
func (f field) write(values []int) string {
	all := f.most - f.least + 1
	if f.most == 7 {
		all = 7
	}
	if len(values) == all {
		return "*"
	}
	name := strconv.Itoa
	if f.most == 7 {
		name = func(v int) string { return weekdays[v] }
	}
	first, last := values[0], values[len(values)-1]
	if len(values) > 2 && last-first == len(values)-1 {
		return name(first) + "-" + name(last)
	}
	if by, ok := stride(values); ok && f.most != 7 && last+by > f.most {
		return name(first) + "/" + strconv.Itoa(by)
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = name(v)
	}
	return strings.Join(out, ",")
}

// stride is the distance between values, when there are three or more and it is always the same.
func stride(values []int) (int, bool) {
	if len(values) < 3 {
		return 0, false
	}
	by := values[1] - values[0]
	for i := 1; i < len(values); i++ {
		if values[i]-values[i-1] != by {
			return 0, false
		}
	}
	return by, true
}
