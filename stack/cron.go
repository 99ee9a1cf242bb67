package stack

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
	"go.yaml.in/yaml/v4"
)

// cronFields are what cron_restart may have: the five of crontab, seconds before them, or a name such as @daily.
const cronFields = cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor

// cronExpression is checked here; NextCronRestart reads it again. PM2's 0 means never.
func (d *definition) cronExpression(n *yaml.Node, what string) string {
	if plain(n, "!!int") && n.Value == "0" {
		return ""
	}
	v := d.text(n, what)
	if v == "" {
		return ""
	}
	if _, err := cron.NewParser(cronFields).Parse(v); err != nil {
		d.at(n, "cron_restart %q is not a cron expression: %v", v, err).Hint = `write five fields, such as "0 3 * * *" (every day at 3:00), or six with seconds first`
	}
	return v
}

// NextCronRestart is the first time after now that cron_restart names, in the machine's time zone unless the expression
// says CRON_TZ=; zero when there is none.
func (a *App) NextCronRestart(now time.Time) time.Time {
	if a.CronRestart == "" {
		return time.Time{}
	}
	schedule, err := cron.NewParser(cronFields).Parse(a.CronRestart)
	if err != nil {
		return time.Time{} // Load has refused it
	}
	return schedule.Next(now.Round(0)) // the wall clock's word, not the monotonic one's
}

// CronValues are the values that crontab's five fields mean, in order: minute, hour, day of the month, month, and day of the
// week from Sunday, 0, on.
func CronValues(expression string) (fields [5][]int, err error) {
	schedule, err := cron.ParseStandard(expression)
	spec, ok := schedule.(*cron.SpecSchedule)
	if err != nil || !ok {
		return fields, fmt.Errorf("cannot read %q as the five fields of crontab: %w", expression, err)
	}
	for i, set := range []uint64{spec.Minute, spec.Hour, spec.Dom, spec.Month, spec.Dow} {
		for value := range 60 {
			if set&(1<<value) != 0 {
				fields[i] = append(fields[i], value)
			}
		}
	}
	return fields, nil
}
