package ecs

import (
	"testing"
)

func TestSizes(t *testing.T) {
	for _, c := range []struct{ cpu, memory, wantCPU, wantMemory int }{
		{1, 1, 256, 512},
		{256, 512, 256, 512},
		{256, 513, 256, 1024},
		{256, 2048, 256, 2048},
		{256, 2049, 512, 3072},
		{257, 1, 512, 1024},
		{512, 1025, 512, 2048},
		{1024, 1, 1024, 2048},
		{1025, 1, 2048, 4096},
		{2048, 16385, 4096, 17408},
		{4097, 1, 8192, 16384},
		{8192, 16385, 8192, 20480},
		{16384, 32769, 16384, 40960},
		{1, 122880, 16384, 122880},
		{16385, 1, 0, 0},
		{1, 122881, 0, 0},
	} {
		if cpu, memory, _ := fargate(c.cpu, c.memory); cpu != c.wantCPU || memory != c.wantMemory {
			t.Errorf("%d and %d: %d and %d", c.cpu, c.memory, cpu, memory)
		}
	}
}

func TestCron(t *testing.T) {
	for crontab, want := range map[string]string{
		"0 3 * * *":        "cron(0 3 * * ? *)",
		"*/15 * * * *":     "cron(0/15 * * * ? *)",
		"*/25 * * * *":     "cron(0/25 * * * ? *)",
		"5-50/15 * * * *":  "cron(5/15 * * * ? *)",
		"5-20/15 * * * *":  "cron(5,20 * * * ? *)",
		"0 9-17 * * 1-5":   "cron(0 9-17 ? * MON-FRI *)",
		"0 0 * * 0":        "cron(0 0 ? * SUN *)",
		"0 0 * * 0,5-6":    "cron(0 0 ? * SUN,FRI,SAT *)",
		"0 0 * * 0-6":      "cron(0 0 * * ? *)",
		"0 0 * * sun,wed":  "cron(0 0 ? * SUN,WED *)",
		"0 0 1,15 * *":     "cron(0 0 1,15 * ? *)",
		"0 0 1 jan-mar ?":  "cron(0 0 1 1-3 ? *)",
		"0 0 */2 * *":      "cron(0 0 1/2 * ? *)",
		"30 4 ? 6 *":       "cron(30 4 * 6 ? *)",
		"10/20 * * * *":    "cron(10/20 * * * ? *)",
		"3,1,2,2 * * * *":  "cron(1-3 * * * ? *)",
		"0 0 31 12 *":      "cron(0 0 31 12 ? *)",
		"0-59 0-23 * * *":  "cron(* * * * ? *)",
		"0 8-20/4 * * 2,4": "cron(0 8/4 ? * TUE,THU *)",
	} {
		if got, err := awsCron(crontab); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", crontab, got, err, want)
		}
	}
	for _, crontab := range []string{"", "* * * *", "60 * * * *", "* * 0 * *", "0 0 * * 7", "a * * * *", "5-1 * * * *", "*/0 * * * *", "*/x * * * *", "0 0 1 * 1", "0 0 */2 * 1"} {
		if got, err := awsCron(crontab); err == nil {
			t.Errorf("%q: %s", crontab, got)
		}
	}
}
