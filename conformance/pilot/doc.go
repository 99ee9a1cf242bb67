// Package pilot proves what the pilot profile promises, on a machine that boots: a container on the Docker Engine in which
// a real systemd is PID 1 (scripts/vm makes its image). Everything is in the tests.
package pilot
