package api

// ExitCode is a Code with what it means, for people.
type ExitCode struct {
	Code    Code
	Meaning string
}

// ExitCodes are all codes of all commands, in their order.
func ExitCodes() []ExitCode {
	return []ExitCode{
		{ExitDone, "The command has done what it was asked for. Nothing to stop or to end is no error."},
		{ExitBug, "Something failed that should not: a bug, or the disk."},
		{ExitUsage, "The command line is wrong, or it names what does not exist."},
		{ExitFiles, "The files are wrong: one is missing, has a wrong key, or a cycle of dependencies."},
		{ExitEnvironment, "This machine lacks something: a variable, a program, a built file, room on the disk, the right user."},
		{ExitEngine, "A service cannot run: no engine answers, an image is not to be had, or it does not get healthy."},
		{ExitTimeout, "Time ran out while everything was still alive."},
		{ExitProcess, "A process exited, or its reload failed."},
		{ExitNotRunning, "The command needs a running stack, and none runs."},
		{ExitPortTaken, "A port is taken."},
		{ExitStale, "An export is older than the files, or bootstrap --check found something to be done."},
		{ExitEdited, "Somebody has edited an exported file."},
		{ExitConflict, "An exported file is both, or a file is in the way that devstack did not write."},
		{ExitLosses, "export --strict: the export would lose something that the files ask for."},
		{ExitRehearsal, "rehearse: a production definition did not work on the real engine."},
		{ExitInterrupted, "Ctrl-C or a signal ended the command. The stack is left as it is."},
	}
}
