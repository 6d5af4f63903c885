package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/importer"
)

func newImport() *cobra.Command {
	cmd := &cobra.Command{Use: "import", Short: "Load past events, list and remove what was loaded", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usageError{fmt.Errorf("name a command; %q lists them", cmd.CommandPath()+" --help")}
	}}
	cmd.AddCommand(newImportEvents(), newImportList(), newImportRemove())
	return cmd
}

func newImportEvents() *cobra.Command {
	var cfg importer.Config
	cmd := &cobra.Command{
		Use: "events FILE", Short: "Load events with their own time from a .jsonl or .jsonl.gz file", Args: cobra.ExactArgs(1),
		Long: `Load events with their own time from a file, compressed with gzip or not.

Each line is a JSON object: "time" (RFC 3339), "ip", "ua", and the members of the body of /api/event
("n", "u", "d", "r", "p" ...). The lines of a visitor have to be in the order of time.

The file is read twice: first every line is checked, and if one is wrong nothing is imported. A command that
was interrupted goes on where it was when it is given again, within 24 hours. A file is imported once: given
again, even under another name or compressed, nothing happens, until "daysalt import rm" deleted what came of it.
The file is not copied anywhere.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			size, err := importer.FileSize(args[0])
			if err != nil {
				return err
			}
			bar := newBar(cmd.ErrOrStderr(), size)
			cfg.Now, cfg.At = time.Now, bar.set
			bar.begin("checking ")
			file, err := importer.Read(cmd.Context(), args[0], cfg)
			bar.end()
			if err != nil {
				return err
			}
			return withServer(cmd, func(c *admin.Client) error {
				bar.begin("importing")
				result, err := file.Send(cmd.Context(), c)
				bar.end()
				if err != nil {
					return err
				}
				return show(cmd, result, func(w io.Writer) { printImport(w, result) })
			})
		},
	}
	cmd.Flags().BoolVar(&cfg.SkipInvalid, "skip-invalid", false, "leave wrong lines out instead of importing nothing")
	return cmd
}

// printImport says what became of a file.
func printImport(w io.Writer, r importer.Result) {
	switch {
	case r.ID == 0:
		fmt.Fprintln(w, "the file has no lines")
		return
	case r.Known:
		fmt.Fprintf(w, "the file was imported before (import %d, %s): nothing was done\n"+
			"To import it again, delete what came of it first: \"daysalt import rm %d --yes\".\n", r.ID, r.Ended.Format(time.DateOnly), r.ID)
		return
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "import\t%d\n", r.ID)
	fmt.Fprintf(table, "lines\t%d", r.Lines)
	if r.From > 1 {
		fmt.Fprintf(table, ", of which %d were stored before", r.From-1)
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(table, ", of which %d are wrong and were left out", r.LeftOut)
	}
	fmt.Fprintf(table, "\nkept\t%d events\n", r.Kept)
	fmt.Fprintf(table, "dropped\t%s\n", droppedText(r.Dropped))
	sent := float64(r.Lines + 1 - r.From)
	fmt.Fprintf(table, "took\t%.1f s, %.0f lines/s\n", r.Seconds, sent/max(r.Seconds, 0.001))
	_ = table.Flush() // writes to w, as everything here
	printDoubts(w, r)
}

// printDoubts says what an operator may want to do about a file that was imported.
func printDoubts(w io.Writer, r importer.Result) {
	if r.OutOfOrder > 0 {
		fmt.Fprintf(w, "\n%d lines are older than a line before them of the same visitor: visits of these may be wrong.\n"+
			"To correct them: \"daysalt import rm %d --yes\", sort the file by time, then import it again.\n", r.OutOfOrder, r.ID)
	}
	if r.Forgotten > 0 {
		fmt.Fprintf(w, "\n%d visits may be counted as two: too many were open at a time, and these were forgotten before they had ended.\n", r.Forgotten)
	}
	if r.Dropped["unknown_site"] > 0 {
		fmt.Fprintf(w, "\n%d events are of sites that are not measured here; \"daysalt site list\" shows those that are.\n"+
			"To load them: \"daysalt site add\", then \"daysalt import rm %d --yes\", then import the file again.\n", r.Dropped["unknown_site"], r.ID)
	}
}

// droppedText counts events and says why they were dropped.
func droppedText(dropped map[string]uint64) string {
	var total uint64
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(dropped)) {
		if n := dropped[reason]; n > 0 {
			total += n
			parts = append(parts, fmt.Sprintf("%s %d", reason, n))
		}
	}
	if total == 0 {
		return "0 events"
	}
	return fmt.Sprintf("%d events: %s", total, strings.Join(parts, ", "))
}

func newImportList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the imports", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return withServer(cmd, func(c *admin.Client) error {
			list, err := c.Imports(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd, list, func(w io.Writer) {
				table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(table, "ID\tSTATE\tSTORED\tKEPT\tDROPPED\tSTARTED")
				for _, p := range list {
					fmt.Fprintf(table, "%d\t%s\t%d of %d lines\t%d events\t%s\t%s\n",
						p.ID, p.State, p.NextLine-1, p.Lines, p.Kept, droppedText(p.Dropped), p.Started.Format(time.RFC3339))
				}
				_ = table.Flush() // writes to w, as everything above
			})
		})
	}}
}

func newImportRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "rm ID", Short: "Delete what an import stored, and forget it", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		id, err := strconv.ParseUint(args[0], 10, 16)
		if err != nil || id == 0 {
			return usageError{errors.New("the id must be a number from \"daysalt import list\"")}
		}
		if !yes {
			return usageError{fmt.Errorf("this deletes all events of import %d; say --yes if you mean it", id)}
		}
		return withServer(cmd, func(c *admin.Client) error {
			removed, err := c.RemoveImport(cmd.Context(), uint16(id))
			if err != nil {
				return err
			}
			return show(cmd, removed, func(w io.Writer) { fmt.Fprintf(w, "import %d and its events are gone\n", removed.ID) })
		})
	}}
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	return cmd
}

// bar shows how much of a file was read, on a terminal and nowhere else.
type bar struct {
	w    io.Writer
	size int64
	bar  *progressbar.ProgressBar // nil: none is shown
}

// newBar returns a bar for a file of so many bytes.
func newBar(w io.Writer, size int64) *bar {
	file, ok := w.(*os.File)
	if !ok {
		return &bar{}
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || size == 0 {
		return &bar{}
	}
	return &bar{w: w, size: size}
}

func (b *bar) begin(what string) {
	if b.w != nil {
		b.bar = progressbar.NewOptions64(b.size, progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(true),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
}

// set is told how many bytes were read. The last byte ends the bar only in end: the file is read before the last chunk is stored.
func (b *bar) set(read int64) {
	if b.bar != nil {
		_ = b.bar.Set64(min(read, b.size-1)) // a bar that cannot be drawn is no reason to stop
	}
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}
