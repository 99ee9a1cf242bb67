package ecs

import (
	"errors"
	"strconv"
	"strings"

	"devstack/stack"
)

// weekdays are AWS's words, which counts the days of the week from 1.
var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// awsCron is crontab's five fields as EventBridge Scheduler's six. Every field is written as the values that it means: AWS
// has no a-b/n.
func awsCron(expression string) (string, error) {
	fields, err := stack.CronValues(expression)
	if err != nil {
		return "", err
	}
	out := []string{
		numbers(fields[0], 0, 59), numbers(fields[1], 0, 23), numbers(fields[2], 1, 31), numbers(fields[3], 1, 12),
		spans(fields[4], len(weekdays), func(day int) string { return weekdays[day] }),
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

// numbers writes values between least and most; those that go on in equal steps to the end are from/step.
func numbers(values []int, least, most int) string {
	if by, ok := stride(values); ok && by > 1 && values[len(values)-1]+by > most {
		return strconv.Itoa(values[0]) + "/" + strconv.Itoa(by)
	}
	return spans(values, most-least+1, strconv.Itoa)
}

// spans writes values: all of them are *, and an unbroken run of three or more is a range.
func spans(values []int, all int, name func(int) string) string {
	if len(values) == all {
		return "*"
	}
	if by, ok := stride(values); ok && by == 1 {
		return name(values[0]) + "-" + name(values[len(values)-1])
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
