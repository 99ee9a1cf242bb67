package pilot

import (
	"fmt"
	"strings"
)

// document is a unit file as it is written, line by line.
type document struct{ strings.Builder }

func (d *document) section(name string) {
	if d.Len() == 0 {
		d.WriteString("# Written by devstack startup, and written anew by it. Changes belong in a drop-in: systemctl edit NAME\n")
	}
	fmt.Fprintf(d, "\n[%s]\n", name)
}

// set writes a key. The value is escaped by who makes it: the keys have different rules.
func (d *document) set(key, value string) { fmt.Fprintf(d, "%s=%s\n", key, value) }

// restarts are how systemd starts the unit again. What only a person can repair (3: files, 4: environment) is not tried
// again. 2, usage, is: a Go program that the watchdog has ended by SIGABRT ends with 2, too.
func (d *document) restarts(systemd int) {
	d.set("Restart", "on-failure")
	d.set("RestartPreventExitStatus", "3 4")
	d.set("RestartSec", "2")
	if systemd >= 254 { // older ones have no growing delay
		d.set("RestartSteps", "5")
		d.set("RestartMaxDelaySec", "60")
	}
}

// hardened takes away what neither devstack nor a Node.js program needs. Not MemoryDenyWriteExecute, under which V8 aborts,
// and not ProcSubset=pid, under which os.cpus() is empty.
func (d *document) hardened(families string) {
	for _, line := range []string{
		"NoNewPrivileges=yes",
		"ProtectSystem=strict",
		"PrivateTmp=yes",
		"PrivateDevices=yes",
		"PrivateMounts=yes",
		"ProtectControlGroups=yes",
		"ProtectKernelTunables=yes",
		"ProtectKernelModules=yes",
		"ProtectKernelLogs=yes",
		"ProtectClock=yes",
		"ProtectHostname=yes",
		"ProtectProc=invisible",
		"RestrictNamespaces=yes",
		"RestrictRealtime=yes",
		"RestrictSUIDSGID=yes",
		"LockPersonality=yes",
		"RemoveIPC=yes",
		"RestrictAddressFamilies=" + families,
		"SystemCallArchitectures=native",
		"SystemCallFilter=@system-service",
		"SystemCallFilter=~@privileged @resources @mount @debug @cpu-emulation @obsolete",
		"SystemCallFilter=@chown", // of what is one's own: log files keep their group when they are rotated
		"SystemCallErrorNumber=EPERM",
	} {
		d.WriteString(line + "\n")
	}
}

func (d *document) installed() {
	d.section("Install")
	d.set("WantedBy", "multi-user.target")
}

// percent escapes systemd's specifiers, which are expanded everywhere.
func percent(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// word is one word of a list as systemd splits it.
func word(text string) string {
	text = percent(text)
	if text != "" && !strings.ContainsAny(text, " \"'\\;") {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// list is words as systemd splits them.
func list(words ...string) string {
	for i, w := range words {
		words[i] = word(w)
	}
	return strings.Join(words, " ")
}

// command is a command line. In its arguments, unlike its program, systemd replaces $NAME.
func command(program string, args ...string) string {
	words := []string{word(program)}
	for _, a := range args {
		words = append(words, word(strings.ReplaceAll(a, "$", "$$")))
	}
	return strings.Join(words, " ")
}
