package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// exitError ends the command with a code and without a word: what there is to say has been said.
type exitError struct{ code api.Code }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is the user's mistake on the command line.
func usageError(format string, args ...any) error {
	return &api.Error{Exit: api.ExitUsage, Message: fmt.Sprintf(format, args...)}
}

func errTimeout() error {
	return usageError("--timeout needs a time like 90s or 2m, more than nothing")
}

// ranError marks an error of a command that ran; all others come from parsing the command line.
type ranError struct{ error }

func (e ranError) Unwrap() error { return e.error }

// run executes the command line and returns its exit code. The first interrupt ends the command in an orderly way, the
// second one at once.
func run(args []string, f *Factory) api.Code {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newCmdRoot(f)
	root.SetArgs(protectMinus(root, args))
	command, err := root.ExecuteContextC(ctx)
	return report(f.IO, command, err)
}

// report says on standard error what went wrong and what to do next, and returns the exit code.
func report(io *IOStreams, command *cobra.Command, err error) api.Code {
	var said *exitError
	var answer *api.Error
	var ran ranError
	switch {
	case err == nil:
		return api.ExitDone
	case errors.As(err, &said):
		return said.code
	case errors.As(err, &answer):
	case errors.Is(err, context.Canceled):
		answer = &api.Error{Exit: api.ExitInterrupted, Message: "interrupted: the stack is left as it is", Hint: "devstack ps"}
	case errors.Is(err, api.ErrInterrupted):
		answer = &api.Error{Exit: api.ExitBug, Message: err.Error(), Hint: "devstack ps"}
	case !errors.As(err, &ran):
		answer = &api.Error{Exit: api.ExitUsage, Message: err.Error()}
	default:
		answer = &api.Error{Exit: api.ExitBug, Message: err.Error()}
	}
	if answer.Exit == api.ExitUsage && answer.Hint == "" {
		answer.Hint = command.CommandPath() + " --help"
	}
	c := io.ErrStyle()
	if answer.Exit == api.ExitInterrupted { // not an error, and says so itself
		fmt.Fprintln(io.Err, printableLines(answer.Message))
	} else {
		fmt.Fprintln(io.Err, c.red("error:"), printableLines(answer.Message))
	}
	if answer.Hint != "" {
		fmt.Fprintln(io.Err, c.cyan("next: "), printableLines(answer.Hint))
	}
	return answer.Exit
}

const (
	groupStack = "stack"
	groupLook  = "look"
	groupFiles = "files"

	groupBoot       = "boot"
	groupProduction = "production"
)

func newCmdRoot(f *Factory) *cobra.Command {
	root := &cobra.Command{
		Use:   "devstack",
		Short: "Start and supervise containers and processes as one stack",
		Long: "devstack starts the services of compose.yaml, waits until they really answer, then starts and supervises the\n" +
			"processes of ecosystem.yaml, in dependency order.",
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains([]string{"auto", "tty", "plain", "json"}, f.globals.progress) {
				return usageError("--progress needs auto, tty, plain or json, not %q", f.globals.progress)
			}
			f.IO.Color = f.IO.Color && !f.globals.noColor
			return nil
		},
	}
	root.SetOut(f.IO.Out)
	root.SetErr(f.IO.Err)
	flags := root.PersistentFlags()
	flags.StringVarP(&f.globals.file, "file", "f", "", "the `ecosystem.yaml` to use (default: the nearest, here or above)")
	flags.StringVarP(&f.globals.dir, "directory", "C", "", "run as if started in `DIR`")
	flags.StringVarP(&f.globals.project, "project", "p", "", "project `NAME` (default: as docker compose finds it)")
	flags.StringVar(&f.globals.profile, "profile", "", "dev, pilot or prod (default: DEVSTACK_PROFILE, or dev)")
	flags.StringVar(&f.globals.progress, "progress", "auto", "auto, tty, plain or json")
	flags.BoolVar(&f.globals.noColor, "no-color", false, "no colours (also: NO_COLOR=1)")
	root.AddGroup(
		&cobra.Group{ID: groupStack, Title: "Run the stack:"},
		&cobra.Group{ID: groupLook, Title: "Look at it:"},
		&cobra.Group{ID: groupBoot, Title: "Run it on a pilot machine:"},
		&cobra.Group{ID: groupProduction, Title: "Take it to production:"},
		&cobra.Group{ID: groupFiles, Title: "Files and installation:"},
	)
	root.SetHelpCommandGroupID(groupFiles)
	root.SetCompletionCommandGroupID(groupFiles)
	for _, command := range commands(f) {
		command.RunE = marked(command.RunE)
		root.AddCommand(command)
	}
	root.AddCommand(newTopicExitCodes())
	return root
}

// commands are all of devstack's own.
func commands(f *Factory) []*cobra.Command {
	return []*cobra.Command{
		newCmdUp(f, nil), newCmdDown(f, nil), newCmdStart(f, nil), newCmdStop(f, nil), newCmdRestart(f, nil), newCmdRun(f, nil),
		newCmdReload(f, nil), newCmdScale(f, nil), newCmdDelete(f, nil), newCmdReset(f, nil), newCmdSignal(f, nil), newCmdFlush(f, nil), newCmdKill(f, nil),
		newCmdDaemon(f, nil), newCmdSave(f, nil), newCmdResurrect(f, nil),
		newCmdPid(f, nil), newCmdEnv(f, nil), newCmdPing(f, nil),
		newCmdPs(f, nil), newCmdJlist(f, nil), newCmdDescribe(f, nil), newCmdLogs(f, nil), newCmdMonit(f, nil), newCmdPreflight(f, nil),
		newCmdWhy(f, nil), newCmdHealth(f, nil), newCmdSchema(f, nil), newCmdInit(f, nil), newCmdImport(f, nil), newCmdExport(f, nil), newCmdRehearse(f, nil),
		newCmdStartup(f, nil), newCmdUnstartup(f, nil), newCmdBootstrap(f, nil),
		newCmdConfig(f, nil), newCmdVersion(f, nil), newCmdKeeper(),
	}
}

// marked makes the errors of a command that ran known as such.
func marked(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil {
			return ranError{err}
		}
		return nil
	}
}

// noSuchCommand refuses arguments of devstack itself.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(message)
}
