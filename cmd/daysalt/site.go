package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/app"
	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/site"
)

// withServer gives do a client of the server that holds the data directory, or of one that it starts in this process where none does.
func withServer(cmd *cobra.Command, do func(c *admin.Client) error) error {
	cfg, log, err := load(cmd)
	if err != nil {
		return err
	}
	if client, err := admin.Dial(cmd.Context(), filepath.Join(cfg.Data.Dir, app.SocketName)); err == nil {
		return do(client)
	}
	cfg.Web.Demo = false // a command must not make the demo site
	if cfg.Log.Level == "info" {
		log = newLogger(cmd.ErrOrStderr(), config.Log{Level: "warn", Format: cfg.Log.Format}) // that an engine was opened is not what was asked
	}
	own, err := app.New(cmd.Context(), cfg, version, log)
	if err != nil {
		return err
	}
	return own.Do(do)
}

func newSite() *cobra.Command {
	cmd := &cobra.Command{Use: "site", Short: "Add, list, change and remove sites, and what they redact", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usageError{fmt.Errorf("name a command; %q lists them", cmd.CommandPath()+" --help")}
	}}
	cmd.AddCommand(newSiteAdd(), newSiteList(), newSiteSet(), newSiteRedact(), newSiteRemove())
	return cmd
}

// privacyFlags are the flags for what a site stores, answers and shows.
type privacyFlags struct {
	preset      string
	mask        int
	hash, geo   string
	city, dnt   bool
	allow       string
	minVisitors int
	name, color string
}

// register adds the flags. Where a site is added they have defaults; where one is changed, what is not given stays as it is.
func (f *privacyFlags) register(flags *pflag.FlagSet, defaults bool) {
	if defaults {
		*f = privacyFlags{preset: "default", mask: 2, hash: "full", geo: "cut"}
	}
	flags.StringVar(&f.preset, "preset", f.preset, "be at least as strict as default, masked, cnil or strict; of each setting the stricter holds")
	flags.Var((*maskFlag)(&f.mask), "address-mask", "what a masked address keeps: 1 /24 or /64, 2 /16 or /48, 3 /8 or /24, 4 nothing")
	flags.StringVar(&f.hash, "hash-address", f.hash, "make visitor numbers from the full or from the masked address")
	flags.StringVar(&f.geo, "geo-from", f.geo, "look locations up with the address cut to /24 or /48, with the masked one, or off")
	flags.BoolVar(&f.city, "city", f.city, "store region and city, where they are known")
	flags.BoolVar(&f.dnt, "dnt", f.dnt, "take DNT: 1 for an objection")
	flags.StringVar(&f.allow, "allow-props", f.allow, "the properties that are kept where the preset keeps only named ones: their names, with commas between them")
	flags.IntVar(&f.minVisitors, "min-visitors", f.minVisitors, "answers show no row with fewer visitors, 0 to 1000")
	flags.StringVar(&f.name, "brand-name", f.name, "what the opt-out page calls the site, instead of its domain")
	flags.StringVar(&f.color, "brand-color", f.color, "colour of the opt-out page's button, #rrggbb; text on it is black or white, so any will do")
}

// change returns what was given.
func (f *privacyFlags) change(cmd *cobra.Command) site.Change {
	return site.Change{
		Preset: given(cmd, "preset", &f.preset), AddressMask: given(cmd, "address-mask", &f.mask), HashAddress: given(cmd, "hash-address", &f.hash),
		GeoFrom: given(cmd, "geo-from", &f.geo), City: given(cmd, "city", &f.city), DNT: given(cmd, "dnt", &f.dnt),
		AllowProps: given(cmd, "allow-props", new(propNames(f.allow))), MinVisitors: given(cmd, "min-visitors", &f.minVisitors),
		BrandName: given(cmd, "brand-name", &f.name), BrandColor: given(cmd, "brand-color", &f.color),
	}
}

// propNames returns the names of a list with commas, without the blanks around them; none for an empty list.
func propNames(list string) []string {
	names := []string{}
	if strings.TrimSpace(list) == "" {
		return names
	}
	for name := range strings.SplitSeq(list, ",") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// maskFlag is an int that says what is allowed where it is given none.
type maskFlag int

// Set reads a number; whether it is one of the levels is for the server to say.
func (m *maskFlag) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("must be 1, 2, 3 or 4")
	}
	*m = maskFlag(n)
	return nil
}

// String returns the number, which pflag shows as the default unless it is 0.
func (m *maskFlag) String() string { return strconv.Itoa(int(*m)) }

// Type is what the help calls the value.
func (*maskFlag) Type() string { return "level" }

// given returns a value where its flag was given, else nil.
func given[T any](cmd *cobra.Command, flag string, value *T) *T {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	return value
}

func newSiteAdd() *cobra.Command {
	var in admin.AddSite
	var privacy privacyFlags
	cmd := &cobra.Command{Use: "add DOMAIN", Short: "Measure a site", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		in.Domain = args[0]
		if cmd.Flags().Changed("retention-days") && in.RetentionDays == 0 { // on the socket, 0 asks for the default
			return fault.Invalidf("retention_days", "is 0, and must be between 1 and 3650")
		}
		c := privacy.change(cmd)
		in.Preset, in.AddressMask, in.HashAddress, in.GeoFrom, in.City, in.DNT = c.Preset, c.AddressMask, c.HashAddress, c.GeoFrom, c.City, c.DNT
		in.AllowProps, in.MinVisitors, in.BrandName, in.BrandColor = c.AllowProps, c.MinVisitors, c.BrandName, c.BrandColor
		return withServer(cmd, func(c *admin.Client) error {
			info, err := c.AddSite(cmd.Context(), in)
			if err != nil {
				return err
			}
			return show(cmd, info, func(w io.Writer) {
				fmt.Fprintf(w, "%s is measured. Put this into every page, with your server's address:\n\n", info.Domain)
				fmt.Fprintf(w, "  <script defer src=\"https://YOUR-SERVER/js/d.js\" data-domain=%q></script>\n\n", info.Domain)
			})
		})
	}}
	cmd.Flags().StringVar(&in.Timezone, "timezone", "UTC", "time zone in which the site's day begins, such as Europe/Berlin")
	cmd.Flags().IntVar(&in.RetentionDays, "retention-days", 0, "days after which its events are deleted (default: retention.event_days)")
	privacy.register(cmd.Flags(), true)
	return cmd
}

func newSiteList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the sites", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return withServer(cmd, func(c *admin.Client) error {
			infos, err := c.Sites(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd, infos, func(w io.Writer) {
				table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(table, "DOMAIN\tTIME ZONE\tPRESET\tRETENTION\tMASK\tHASH\tGEO\tRULES\tSINCE")
				differs := false
				for _, i := range infos {
					own := ownText(i)
					differs = differs || own != settingTexts{}
					hash := i.HashAddress
					if !i.Visitors {
						hash = "none"
					}
					fmt.Fprintf(table, "%s\t%s\t%s\t%d days%s\t%d%s\t%s%s\t%s%s\t%d\t%s\n", i.Domain, zoneText(i), i.Preset, i.RetentionDays, own.days,
						i.AddressMask, own.mask, hash, own.hash, i.GeoFrom, own.geo, len(i.Redact), i.Created.Format(time.DateOnly))
				}
				_ = table.Flush() // writes to w, as everything above
				if differs {
					fmt.Fprintln(w, bracketsMean)
				}
			})
		})
	}}
}

func zoneText(i admin.SiteInfo) string {
	if i.NextTimezone == "" {
		return i.Timezone
	}
	return fmt.Sprintf("%s (%s from %s)", i.Timezone, i.NextTimezone, i.NextFrom.Format(time.RFC3339))
}

func newSiteSet() *cobra.Command {
	var zone string
	var days int
	var privacy privacyFlags
	cmd := &cobra.Command{Use: "set DOMAIN", Short: "Change a site; what is not given stays as it is", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		change := privacy.change(cmd)
		change.Timezone, change.RetentionDays = given(cmd, "timezone", &zone), given(cmd, "retention-days", &days)
		return withServer(cmd, func(c *admin.Client) error {
			info, err := c.SetSite(cmd.Context(), args[0], change)
			if err != nil {
				return err
			}
			return show(cmd, info, func(w io.Writer) {
				describe(w, info)
				switch {
				case info.NewNumbers && info.Visitors:
					fmt.Fprintln(w, "Visitors have new numbers from now on: who was here today already and comes again may be counted twice for today.")
				case info.NewNumbers:
					fmt.Fprintln(w, "There are no visitor numbers from now on: only who was here before is among today's visitors.")
				}
			})
		})
	}}
	cmd.Flags().StringVar(&zone, "timezone", "", "new time zone; it begins at the later of the two zones' next midnights")
	cmd.Flags().IntVar(&days, "retention-days", 0, "days after which its events are deleted, those that are there too")
	privacy.register(cmd.Flags(), false)
	return cmd
}

func newSiteRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "rm DOMAIN", Short: "Forget a site and delete its events", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if !yes {
			return usageError{fmt.Errorf("this deletes all events of %s; say --yes if you mean it", args[0])}
		}
		return withServer(cmd, func(c *admin.Client) error {
			info, err := c.RemoveSite(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return show(cmd, info, func(w io.Writer) { fmt.Fprintf(w, "%s and its events are gone\n", info.Domain) })
		})
	}}
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	return cmd
}
