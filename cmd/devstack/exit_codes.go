package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// newTopicExitCodes is `devstack help exit-codes`: it has nothing to run.
func newTopicExitCodes() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes of all commands mean", Long: exitCodesText()}
}

func exitCodesText() string {
	var out strings.Builder
	out.WriteString("Every command ends with one of these codes:\n\n")
	for _, c := range api.ExitCodes() {
		fmt.Fprintf(&out, "%5d  %s\n", c.Code, c.Meaning)
	}
	out.WriteString("\nIf several things fail, the first of 3, 4, 9, 5, 7, 6 is the exit code, and all of them are printed.")
	return out.String()
}
