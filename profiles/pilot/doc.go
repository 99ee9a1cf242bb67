// Package pilot is the stage between development and production: one Linux machine with systemd, on which a stack starts at
// boot, is watched, and is upgraded in place. Units renders the systemd units of a stack; Plan says what a machine lacks
// to run it, from what Observe saw; Execute carries a plan out; CloudInit is the same as the first boot of a new machine.
//
// What it promises: Units, Plan and CloudInit are pure, and the same values give equal bytes. Carrying out a plan and
// planning again gives an empty one. No value of a secret is in a unit or a cloud-config: values are in one environment
// file of root's, which is created once, with names alone, and never written again. What a plan cannot repair by itself is
// a Problem with the next thing to type.
//
// What it does not: it installs from the distribution's own packages alone (Debian, Ubuntu), and removes no package, user
// or data.
package pilot
