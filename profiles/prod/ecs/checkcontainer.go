package ecs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	containerForm = `^[A-Za-z0-9_-]+$`
	parameterForm = `^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`
	reservedForm  = `(?i)^/?(aws|ssm)`
	ssmForm       = `^arn:aws[a-z-]*:ssm:[^:]+:[^:]+:parameter/.+$`
	managerForm   = `^arn:aws[a-z-]*:secretsmanager:[^:]+:[^:]+:secret:[^:]+-[A-Za-z0-9]{6}(:[^:]*:[^:]*:[^:]*)?$`
	logGroupForm  = `^[A-Za-z0-9_/.#-]{1,512}$`
)

func (c *checker) container(where string, x ContainerDefinition, onFargate bool) {
	c.length(where+".name", x.Name, 255)
	c.match(where+".name", x.Name, containerForm)
	if x.Image == "" || len(x.Image) > 255 || strings.ContainsAny(x.Image, " \t\r\n") {
		c.add(where+".image", "image", strconv.Quote(x.Image)+" is no image", "a reference of at most 255 characters")
	}
	if x.Memory != 0 && x.MemoryReservation != 0 && x.Memory <= x.MemoryReservation {
		c.add(where+".memoryReservation", "reservation", "it is not less than memory", "leave one of them out")
	}
	if x.Memory != 0 && x.Memory < 6 {
		c.add(where+".memory", "memory", "less than 6 MiB", "6 or more")
	}
	if x.Privileged && onFargate {
		c.add(where+".privileged", "fargate-privileged", "Fargate has no privileged containers", "leave it out")
	}
	c.capabilities(where, x, onFargate)
	c.environment(where, x)
	c.healthCheck(where+".healthCheck", x.HealthCheck)
	if onFargate {
		c.between(where+".stopTimeout", "stop-range", x.StopTimeout, stopLimits)
	} else if x.StopTimeout < 0 {
		c.add(where+".stopTimeout", "stop-range", "it is negative", "")
	}
	if p := x.RestartPolicy; p != nil {
		c.between(where+".restartPolicy.restartAttemptPeriod", "restart-range", p.RestartAttemptPeriod, limits{60, 1800})
		if len(p.IgnoredExitCodes) > 50 {
			c.add(where+".restartPolicy.ignoredExitCodes", "restart-range", "more than 50", "fewer")
		}
	}
	c.logs(where+".logConfiguration", x.LogConfiguration, onFargate)
}

func (c *checker) capabilities(where string, x ContainerDefinition, onFargate bool) {
	if x.LinuxParameters == nil || x.LinuxParameters.Capabilities == nil || !onFargate {
		return
	}
	for i, word := range x.LinuxParameters.Capabilities.Add {
		if word != "SYS_PTRACE" {
			c.add(at(where+".linuxParameters.capabilities.add", i, ""), "fargate-capability", "Fargate adds SYS_PTRACE alone", "leave it out")
		}
	}
}

// environment: a name is once in a container, be it plain or secret.
func (c *checker) environment(where string, x ContainerDefinition) {
	seen := map[string]bool{}
	name := func(where, name string) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			c.add(where, "env-name", strconv.Quote(name)+" is no name of a variable", "another name")
		}
		if seen[name] {
			c.add(where, "env-twice", name+" is there twice", "either plain or secret, once")
		}
		seen[name] = true
	}
	for i, v := range x.Environment {
		name(at(where+".environment", i, "name"), v.Name)
		if strings.Contains(v.Value, "\x00") {
			c.add(at(where+".environment", i, "value"), "env-value", "no variable holds a NUL character", "encode it")
		}
	}
	for i, s := range x.Secrets {
		name(at(where+".secrets", i, "name"), s.Name)
		c.valueFrom(at(where+".secrets", i, "valueFrom"), s.ValueFrom)
	}
}

// valueFrom is a parameter's name or ARN, or a secret's full ARN. A key of a secret's JSON comes with all its colons.
func (c *checker) valueFrom(where, v string) {
	fix := "/STACK/NAME, or the ARN of a parameter or a secret"
	switch {
	case strings.HasPrefix(v, "arn:") && !is(v, ssmForm) && !is(v, managerForm):
		c.add(where, "secret-arn", strconv.Quote(v)+" is no ARN of a parameter or a secret (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-6CHARS:KEY::)", fix)
	case strings.HasPrefix(v, "arn:"):
	case !is(v, parameterForm) || len(v) > 1011 || strings.Count(v, "/") > 15:
		c.add(where, "parameter-name", strconv.Quote(v)+" is no name of a parameter", fix)
	case is(v, reservedForm):
		c.add(where, "parameter-name", "names that begin with aws or ssm are Amazon's own", "another name of the stack")
	}
}

func (c *checker) healthCheck(where string, h *HealthCheck) {
	if h == nil {
		return
	}
	if len(h.Command) < 2 || h.Command[0] != "CMD" && h.Command[0] != "CMD-SHELL" {
		c.add(where+".command", "health-command", "it begins with CMD or CMD-SHELL, and something follows", "CMD and the program")
	}
	c.between(where+".interval", "health-range", h.Interval, intervalLimits)
	c.between(where+".timeout", "health-range", h.Timeout, timeoutLimits)
	c.between(where+".retries", "health-range", h.Retries, retriesLimits)
	c.between(where+".startPeriod", "health-range", h.StartPeriod, startPeriodLimits)
}

// logOptions are those that awslogs has.
var logOptions = []string{
	"awslogs-create-group", "awslogs-datetime-format", "awslogs-group", "awslogs-multiline-pattern", "awslogs-region",
	"awslogs-stream-prefix", "max-buffer-size", "mode",
}

func (c *checker) logs(where string, l *LogConfiguration, onFargate bool) {
	if l == nil {
		return
	}
	if onFargate {
		c.oneOf(where+".logDriver", l.LogDriver, "awslogs", "splunk", "awsfirelens")
	} else {
		c.oneOf(where+".logDriver", l.LogDriver, "json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens")
	}
	if l.LogDriver != "awslogs" {
		return
	}
	for name := range l.Options {
		if !slices.Contains(logOptions, name) {
			c.add(where+".options."+name, "log-option", "awslogs has no such option", "one of "+strings.Join(logOptions, ", "))
		}
	}
	needed := []string{"awslogs-group", "awslogs-region"}
	if onFargate {
		needed = append(needed, "awslogs-stream-prefix")
	}
	for _, name := range needed {
		if l.Options[name] == "" {
			c.add(where+".options", "log-required", name+" is missing", "")
		}
	}
	c.match(where+".options.awslogs-group", l.Options["awslogs-group"], logGroupForm)
	if mode, ok := l.Options["mode"]; ok {
		c.oneOf(where+".options.mode", mode, "blocking", "non-blocking")
		if l.Options["max-buffer-size"] != "" && mode != "non-blocking" {
			c.add(where+".options.max-buffer-size", "log-buffer", "it is of mode non-blocking alone", "leave it out")
		}
	}
	if l.Options["awslogs-datetime-format"] != "" && l.Options["awslogs-multiline-pattern"] != "" {
		c.add(where+".options", "log-multiline", fmt.Sprintf("%s and %s exclude each other", "awslogs-datetime-format", "awslogs-multiline-pattern"), "leave one out")
	}
}
