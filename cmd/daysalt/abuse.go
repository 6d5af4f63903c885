package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
)

func newAbuse() *cobra.Command {
	q := admin.AbuseQuery{Hours: 24, Limit: 50}
	cmd := &cobra.Command{
		Use: "abuse", Short: "List the masked addresses that most events came from", Args: cobra.NoArgs,
		Long: "List the masked addresses that most events came from, and what became of those events.\n" +
			"They are noted only where the setting addresses.store is on, stored once a minute, and kept for 15 days.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("site") && q.Domain == "" { // on the socket, none means all
				return fault.Invalidf("site", "is empty, and must be the domain of a site")
			}
			return withServer(cmd, func(c *admin.Client) error {
				report, err := c.Abuse(cmd.Context(), q)
				if err != nil {
					return err
				}
				return show(cmd, report, func(w io.Writer) { printAbuse(w, report, q.Hours) })
			})
		},
	}
	cmd.Flags().StringVar(&q.Domain, "site", "", "only events of this site (default: all, and those that named none of the sites)")
	cmd.Flags().IntVar(&q.Hours, "hours", q.Hours, "how far back to look, 1 to 360")
	cmd.Flags().IntVar(&q.Limit, "limit", q.Limit, "how many rows to list, 1 to 1000")
	return cmd
}

func printAbuse(w io.Writer, report admin.AbuseReport, hours int) {
	if len(report.Rows) > 0 {
		table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "SITE\tADDRESS\tREASON\tEVENTS\tFIRST (UTC)\tLAST (UTC)")
		for _, r := range report.Rows {
			name := r.Site
			if name == "" {
				name = "(none)"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", name, r.Address, r.Reason, r.Events, minuteText(r.First), minuteText(r.Last))
		}
		_ = table.Flush() // writes to w, as everything here
	}
	switch {
	case !report.Recording && len(report.Rows) == 0:
		fmt.Fprintln(w, "addresses.store is off: nothing is recorded")
	case !report.Recording:
		fmt.Fprintln(w, "addresses.store is off: nothing more is recorded")
	case len(report.Rows) == 0:
		fmt.Fprintf(w, "nothing was recorded in the last %d hours; what came in the last minute or two may not be stored yet\n", hours)
	}
}

func minuteText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
