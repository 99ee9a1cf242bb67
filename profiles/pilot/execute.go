package pilot

import (
	"context"
	"fmt"
)

// Outcome is what became of a plan.
type Outcome struct {
	Steps   []Step          // the last plan
	Done    []string        // names of the steps that were carried out, in order
	Blocked []Problem       // nothing was touched after these were found
	Failed  *Step           // the step in whose middle it ended
	Changed map[string]bool // by name of a step
}

// maxRounds is how often a plan is made anew at the most: package lists, packages, the rest.
const maxRounds = 4

// Execute plans, carries out, and plans again until nothing is left to be done. Before each step say gets it. An error is
// the one of an action; what was done until then stays, and the next Execute goes on there.
func Execute(ctx context.Context, plan func() []Step, run Runner, say func(Step)) (Outcome, error) {
	out := Outcome{Changed: map[string]bool{}}
	for range maxRounds {
		out.Steps = plan()
		if out.Blocked = Blocked(out.Steps); len(out.Blocked) > 0 {
			return out, nil
		}
		pending := false
		for _, step := range out.Steps {
			if !step.Pending() {
				continue
			}
			if pending = true; out.Changed[step.Name] {
				out.Failed = &step
				return out, fmt.Errorf("cannot finish %s: after it was done, this is still missing: %s", step.Name, step.Do)
			}
			say(step)
			if err := carryAll(ctx, step.Actions, run); err != nil {
				out.Failed = &step
				return out, fmt.Errorf("cannot carry out %s: %w", step.Name, err)
			}
			out.Changed[step.Name] = true
			out.Done = append(out.Done, step.Name)
			if step.Again {
				break
			}
		}
		if !pending {
			return out, nil
		}
	}
	return out, fmt.Errorf("cannot finish: there is still work after %d rounds", maxRounds)
}

func carryAll(ctx context.Context, actions []Action, run Runner) error {
	for _, a := range actions {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := Carry(ctx, a, run); err != nil {
			return err
		}
	}
	return nil
}
