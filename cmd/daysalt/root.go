package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daysalt/daysalt/internal/config"
)

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "daysalt:", err)
	}
	return exitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "daysalt",
		Short:         "Privacy-preserving web analytics",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("name a command; %q lists them", cmd.CommandPath()+" --help")}
		},
	}
	root.PersistentFlags().String("config", "", "settings file (default "+config.DefaultFile+" if it is there)")
	root.PersistentFlags().Bool("json", false, "print JSON")
	config.Flags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagFault(err)} })
	root.AddCommand(newServe(), newEngine(), newMigrate(), newSite(), newImport(), newAbuse(), newErase(), newRetention(), newBench(), newVersion())
	asUsage(root)
	return root
}

// flagFault says what a flag takes where its value is not that; else it returns the error as it is.
func flagFault(err error) error {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	switch bad.GetFlag().Value.Type() {
	case "bool":
		return fmt.Errorf("--%s must be true or false", bad.GetFlag().Name)
	case "int":
		return fmt.Errorf("--%s must be a whole number", bad.GetFlag().Name)
	}
	return err
}

// asUsage makes wrong arguments of every command a usage error.
func asUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		asUsage(sub)
	}
}

// load returns the settings of a command and the logger they ask for.
func load(cmd *cobra.Command) (config.Config, *slog.Logger, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return config.Config{}, nil, err
	}
	cfg, err := config.Load(file, os.Environ(), cmd.Flags())
	if err != nil {
		return config.Config{}, nil, err
	}
	return cfg, newLogger(cmd.ErrOrStderr(), cfg.Log), nil
}

// newLogger writes what the settings ask for; they were checked.
func newLogger(w io.Writer, cfg config.Log) *slog.Logger {
	level, _ := cfg.SlogLevel()
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// show prints a result: as JSON where --json is given, else by text.
func show(cmd *cobra.Command, result any, text func(w io.Writer)) error {
	if asJSON, err := cmd.Flags().GetBool("json"); err != nil || !asJSON {
		text(cmd.OutOrStdout())
		return err
	}
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, map[string]string{"version": version}, func(w io.Writer) { fmt.Fprintln(w, "daysalt", version) })
		},
	}
}
