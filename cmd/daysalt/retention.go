package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/config"
)

func newRetention() *cobra.Command {
	cmd := &cobra.Command{Use: "retention", Short: "Say how long data is kept", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usageError{fmt.Errorf("name a command; %q lists them", cmd.CommandPath()+" --help")}
	}}
	cmd.AddCommand(newRetentionShow())
	return cmd
}

func newRetentionShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "List every class of data, how long it is kept, and the oldest there is", Args: cobra.NoArgs,
		Long: "List every class of data, how long it is kept, and the oldest there is on the disk.\n" +
			"No question is answered from a row whose time is over. A server deletes it within a day.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withServer(cmd, func(c *admin.Client) error {
				report, err := c.Retention(cmd.Context())
				if err != nil {
					return err
				}
				return show(cmd, report, func(w io.Writer) { printRetention(w, report.Classes) })
			})
		},
	}
}

func printRetention(w io.Writer, classes []admin.RetentionClass) {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "CLASS\tSITE\tKEPT FOR\tOLDEST (UTC)\tEXPIRES (UTC)\tOVERDUE")
	for i := range classes {
		c := &classes[i]
		name := c.Site
		switch {
		case c.Class != admin.ClassEvents:
			name = "-"
		case name == "":
			name = "(removed)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Class, name, ruleText(c), oldestText(c), expiryText(c), overdueText(c))
	}
	_ = table.Flush() // writes to w, as everything here
	fmt.Fprintln(w, "What is not stored, kept to be sent again or put aside goes earlier where its site's events do.")
	for i := range classes {
		if c := &classes[i]; c.Problem != "" {
			fmt.Fprintf(w, "%s: %s\n", c.Class, c.Problem)
			return
		}
	}
}

// ruleText is how long and how much of it is kept at most.
func ruleText(c *admin.RetentionClass) string {
	text := "without end"
	switch {
	case c.Class == admin.ClassKept:
		text = "10 minutes to 7 days" // where the database was not restarted, and is not away
	case c.Class == admin.ClassEvents && c.Days == 0:
		text = "until they are deleted"
	case c.Days > 0:
		text = days(c.Days)
	}
	if c.MaxBytes > 0 {
		text += ", " + config.Bytes(c.MaxBytes).String() + " at most"
	}
	return text
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}

func oldestText(c *admin.RetentionClass) string {
	switch {
	case c.Problem != "":
		return "unknown"
	case c.Class == admin.ClassSealed && c.Oldest.IsZero():
		return "none yet"
	case c.Oldest.IsZero():
		return "none"
	case c.Class == admin.ClassEvents || c.Class == admin.ClassQuarantine:
		return c.Oldest.UTC().Format(time.DateOnly)
	}
	return minuteText(c.Oldest)
}

func expiryText(c *admin.RetentionClass) string {
	if c.Expires.IsZero() {
		return "-"
	}
	return minuteText(c.Expires)
}

func overdueText(c *admin.RetentionClass) string {
	switch {
	case c.Problem != "":
		return "unknown"
	case c.Overdue <= 0:
		return "no"
	}
	return (time.Duration(c.Overdue) * time.Second).Truncate(time.Minute).String()
}
