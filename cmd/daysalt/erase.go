package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
)

func newErase() *cobra.Command {
	var in admin.EraseRequest
	var today, yes bool
	cmd := &cobra.Command{
		Use: "erase", Short: "Delete events of a site for good", Args: cobra.NoArgs,
		Long: "Delete events of a site for good: those of the days before a date, those of a page, or what somebody did today.\n" +
			"What is on its way is stored first, so the database has to answer. Then the files of the journal, the quarantine and the rows go, and it is\n" +
			"searched whether something is left; the command fails if so, and may be given again. Events that come meanwhile are not erased.\n" +
			"With several servers on one database, give it on each of them.\n\n" +
			"With --path, other events of a visit that began on the page stay, and no longer say where it began. A path is looked for in paths, entry pages and the\n" +
			"property \"path\", not in other properties and not in what other sites say of where their visitors came from.\n\n" +
			"With --today, standard input says whom, as two lines, the address and the user agent, or as JSON: {\"ip\": \"192.0.2.1\", \"ua\": \"Mozilla/5.0 ...\"}.\n" +
			"Neither is written anywhere. Only today's events can be found: the key of earlier days is destroyed. They are found as the site's settings of now\n" +
			"make visitor numbers; masked addresses, which are no one visitor's, stay (addresses.store).",
		Example: "  daysalt erase --site example.com --before 2026-01-31 --yes\n  daysalt erase --site example.com --path '/members/*' --yes\n" +
			"  daysalt erase --site example.com --today --yes < visitor.txt",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkErase(cmd, &in, today, yes); err != nil {
				return err
			}
			if today {
				whom, err := readWhom(cmd.InOrStdin())
				if err != nil {
					return err
				}
				in.Today = &whom
			}
			return withServer(cmd, func(c *admin.Client) error {
				report, err := c.Erase(cmd.Context(), in)
				if err != nil {
					return err
				}
				if err := show(cmd, report, func(w io.Writer) { printErased(w, &report) }); err != nil {
					return err
				}
				if report.NoKey {
					return errors.New("this server has no key of today in use, so nothing was looked for; where it was restarted today, try again after its next event")
				}
				if len(report.Left) > 0 {
					return fmt.Errorf("something is left in %s; give the command again", strings.Join(report.Left, ", "))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&in.Domain, "site", "", "the site's domain")
	cmd.Flags().StringVar(&in.Before, "before", "", "erase the days before this date (YYYY-MM-DD), as the site counts them")
	cmd.Flags().StringVar(&in.Path, "path", "", "erase the events of this path; with * at the end, of all paths that begin so")
	cmd.Flags().BoolVar(&today, "today", false, "erase what the visitor on standard input did today")
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	return cmd
}

func checkErase(cmd *cobra.Command, in *admin.EraseRequest, today, yes bool) error {
	given := 0
	for _, name := range []string{"before", "path"} {
		if cmd.Flags().Changed(name) {
			given++
			if cmd.Flags().Lookup(name).Value.String() == "" {
				return fault.Invalidf(name, "is empty")
			}
		}
	}
	if today {
		given++
	}
	switch {
	case !utf8.ValidString(in.Path):
		return fault.Invalidf("path", "is not UTF-8")
	case in.Domain == "":
		return fault.Invalidf("site", "is missing: name the domain of a site")
	case given != 1:
		return usageError{errors.New("give one of --before, --path and --today")}
	case !yes:
		return usageError{fmt.Errorf("this deletes events of %s for good; say --yes if you mean it", in.Domain)}
	}
	return nil
}

// readWhom reads an address and a user agent: two lines, or JSON. No error quotes them.
func readWhom(r io.Reader) (admin.EraseWhom, error) {
	const most = 1 << 15
	var whom admin.EraseWhom
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(r), most+1))
	if err != nil {
		return whom, fmt.Errorf("cannot read standard input: %w", err)
	}
	if !utf8.Valid(text) {
		return whom, fault.Invalidf("today", "standard input is not UTF-8")
	}
	if len(text) > most {
		return whom, fault.Invalidf("today", "standard input is longer than %d bytes", most)
	}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.DisallowUnknownFields()
		if decoder.Decode(&whom) != nil || decoder.More() {
			return whom, fault.Invalidf("today", `standard input is no JSON object with "ip" and "ua"`)
		}
	} else {
		lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
		if len(lines) > 2 {
			return whom, fault.Invalidf("today", "standard input has %d lines, and must have two: the address and the user agent", len(lines))
		}
		whom.IP = strings.TrimSpace(lines[0])
		if len(lines) == 2 {
			whom.UA = strings.TrimSpace(lines[1])
		}
	}
	if whom.IP == "" {
		return whom, fault.Invalidf("today", "standard input has no address: it takes two lines, the address and the user agent")
	}
	return whom, nil
}

func printErased(w io.Writer, r *admin.EraseReport) {
	if r.NoKey {
		fmt.Fprintf(w, "%s: nothing was erased\n", r.Site)
		return
	}
	fmt.Fprintf(w, "%s: %d events erased\n", r.Site, r.Events)
	if r.EntryPages > 0 {
		fmt.Fprintf(w, "%d events of other pages no longer say that their visit began there\n", r.EntryPages)
	}
	if r.Abuse > 0 {
		fmt.Fprintf(w, "%d rows of masked addresses erased\n", r.Abuse)
	}
	fmt.Fprintf(w, "on their way: %d open visits changed or forgotten, %d lines of the quarantine and %d files of the journal deleted\n", r.Visits, r.Quarantine, r.Segments)
	if r.Undecoded > 0 {
		fmt.Fprintf(w, "%d lines of the quarantine stay: nobody can tell whose they are\n", r.Undecoded)
	}
	if r.Since > 0 {
		fmt.Fprintf(w, "%d events came meanwhile and are not erased\n", r.Since)
	}
	fmt.Fprintf(w, "searched: the rows and the replaced files of the database, the journal, and %d files of checkpoints, cuts and quarantine", r.Searched)
	if len(r.Left) == 0 {
		fmt.Fprintln(w, "; nothing is left")
		return
	}
	fmt.Fprintf(w, "; something is left in %s\n", strings.Join(r.Left, ", "))
}
