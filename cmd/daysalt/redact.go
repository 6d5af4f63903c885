package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/site"
)

func newSiteRedact() *cobra.Command {
	cmd := &cobra.Command{Use: "redact DOMAIN", Short: "List a site's own redaction rules; add, rm and try them", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return withServer(cmd, func(c *admin.Client) error {
			info, err := findSite(cmd, c, args[0])
			if err != nil {
				return err
			}
			return showRules(cmd, info)
		})
	}}
	cmd.AddCommand(newRedactAdd(), newRedactRemove(), newRedactTry())
	return cmd
}

func newRedactAdd() *cobra.Command {
	var rule site.Rule
	cmd := &cobra.Command{Use: "add DOMAIN", Short: "Add a rule behind the others", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return changeRules(cmd, args[0], func(rules []site.Rule) ([]site.Rule, error) { return append(rules, rule), nil })
	}}
	cmd.Flags().StringVar(&rule.Field, "field", "path", "where it applies: path, referrer, campaign, props, name or all")
	cmd.Flags().StringVar(&rule.Match, "match", "", "what it replaces, a regular expression (RE2); with a group, only what the first group matches")
	cmd.Flags().StringVar(&rule.As, "as", "", "what is stored instead: a name in braces such as {customer}")
	return cmd
}

func newRedactRemove() *cobra.Command {
	return &cobra.Command{Use: "rm DOMAIN N", Short: "Remove the rule with that number", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return usageError{errors.New("give the number of a rule, as \"site redact DOMAIN\" lists them")}
		}
		return changeRules(cmd, args[0], func(rules []site.Rule) ([]site.Rule, error) {
			if n > len(rules) {
				return nil, fault.NotFoundf("redact", "has %d rules, and none with the number %d", len(rules), n)
			}
			return slices.Delete(rules, n-1, n), nil
		})
	}}
}

// changeRules replaces a site's rules, unless somebody else did meanwhile.
func changeRules(cmd *cobra.Command, domain string, change func([]site.Rule) ([]site.Rule, error)) error {
	return withServer(cmd, func(c *admin.Client) error {
		info, err := findSite(cmd, c, domain)
		if err != nil {
			return err
		}
		rules, err := change(slices.Clone(info.Redact))
		if err != nil {
			return err
		}
		info, err = c.SetSite(cmd.Context(), domain, site.Change{Redact: &rules, RedactWas: &info.Redact})
		if err != nil {
			return err
		}
		return showRules(cmd, info)
	})
}

func newRedactTry() *cobra.Command {
	var try admin.Try
	cmd := &cobra.Command{Use: "try DOMAIN TEXT", Short: "Print what is stored of a text, and store nothing", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		try.Text = args[1]
		return withServer(cmd, func(c *admin.Client) error {
			out, err := c.TryRedaction(cmd.Context(), args[0], try)
			if err != nil {
				return err
			}
			return show(cmd, out, func(w io.Writer) { fmt.Fprintln(w, out.Text) })
		})
	}}
	cmd.Flags().StringVar(&try.Field, "field", "path", "what the text is: path, referrer (host and path), campaign, props or name")
	return cmd
}

// findSite returns the site that the server knows by a domain as a person typed it.
func findSite(cmd *cobra.Command, c *admin.Client, domain string) (admin.SiteInfo, error) {
	infos, err := c.Sites(cmd.Context())
	if err != nil {
		return admin.SiteInfo{}, err
	}
	ascii, err := site.ParseDomain(domain)
	i := slices.IndexFunc(infos, func(one admin.SiteInfo) bool { return one.Domain == ascii })
	if err != nil || i < 0 {
		return admin.SiteInfo{}, fault.NotFoundf("domain", "%s is not one of the sites", domain)
	}
	return infos[i], nil
}

func showRules(cmd *cobra.Command, info admin.SiteInfo) error {
	return show(cmd, info.Redact, func(w io.Writer) {
		if len(info.Redact) == 0 {
			fmt.Fprintln(w, info.Domain, "has no rules of its own")
			return
		}
		table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "N\tFIELD\tMATCH\tAS")
		for i, rule := range info.Redact {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", i+1, rule.Field, rule.Match, rule.As)
		}
		_ = table.Flush() // writes to w, as everything above
	})
}
