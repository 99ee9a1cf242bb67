package main

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// ScaleOptions is what `devstack scale` was asked for.
type ScaleOptions struct {
	*Factory
	Name      string
	Instances int
	Relative  bool
	Timeout   time.Duration
}

func newCmdScale(f *Factory, runF func(context.Context, *ScaleOptions) error) *cobra.Command {
	o := &ScaleOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "scale NAME N|+N|-N",
		Short:   "Change the number of instances of an app until the next up",
		GroupID: groupStack,
		Args:    cobra.ExactArgs(2),
		Long: `Runs N instances of an app, or N more or less than there are, and waits until the new ones are ready. Those with the
highest numbers go first, the others are not touched. The next devstack up takes the number in the file, and says so.

Instances share the port of an app whose socket is held (docs/zero-downtime.md); others bind it for themselves, and need
increment_var: PORT in the file, which gives each its own.`,
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if err := o.count(args[1]); err != nil {
				return err
			}
			if o.Timeout <= 0 {
				return errTimeout()
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return scaleRun(cmd.Context(), o)
		},
	}
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 2*time.Minute, "how long to wait")
	return cmd
}

// count reads 3, +1 or -1.
func (o *ScaleOptions) count(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return usageError("scale needs a number of instances, N, +N or -N, not %q", text)
	}
	o.Instances, o.Relative = n, text[0] == '+' || text[0] == '-'
	return nil
}

func scaleRun(ctx context.Context, o *ScaleOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	request := api.ScaleRequest{Name: o.Name, Instances: o.Instances, Relative: o.Relative, Timeout: o.Timeout}
	return o.act(ctx, p, "scale", true, func(each func(api.Event)) (*api.Result, error) {
		return o.Client(p).Scale(ctx, request, each)
	})
}

var minusNumber = regexp.MustCompile(`^-[0-9]+$`)

// protectMinus lets `scale web -1` pass through a flag parser that would take -1 for a flag: it goes to the end, where
// flags are over.
func protectMinus(root *cobra.Command, args []string) []string {
	command, _, err := root.Find(args)
	if err != nil || command.Name() != "scale" || slices.Contains(args, "--") {
		return args
	}
	i := slices.IndexFunc(args, minusNumber.MatchString)
	if i < 0 {
		return args
	}
	number := args[i]
	return append(slices.Delete(slices.Clone(args), i, i+1), "--", number)
}
