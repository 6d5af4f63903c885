package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/bench"
	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/fault"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure what taking and storing events costs on this machine", Args: cobra.NoArgs,
		Long: "Measure what taking and storing events costs on this machine, on servers that are started for it and have temporary data.\n" +
			"A server that runs is not touched, but it disturbs the measurement, as everything does.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("name a command; %q lists them", cmd.CommandPath()+" --help")}
		},
	}
	cmd.AddCommand(newBenchIngest(), newBenchShip(), newBenchTable(), newBenchBaseline(), newBenchChild())
	return cmd
}

// benchFlags are the flags of every measurement.
type benchFlags struct {
	seed uint64
	dir  string
}

func (f *benchFlags) register(cmd *cobra.Command) {
	cmd.Flags().Var((*seedFlag)(&f.seed), "seed", "of the load: the same seed makes the same events")
	cmd.Flags().StringVar(&f.dir, "dir", "", "make the data below this directory and leave it there (default: a temporary one, removed at the end)")
}

// seedFlag is a number that says what is allowed where it is given none.
type seedFlag uint64

// Set reads a number.
func (s *seedFlag) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return errors.New("must be a whole number from 0")
	}
	*s = seedFlag(n)
	return nil
}

// String returns the number.
func (s *seedFlag) String() string { return strconv.FormatUint(uint64(*s), 10) }

// Type is what the help calls the value.
func (*seedFlag) Type() string { return "number" }

// bench returns what measures, with the settings of the command line that matter to it.
func (f *benchFlags) bench(cmd *cobra.Command) (*bench.Bench, config.Config, error) {
	cfg, _, err := load(cmd)
	if err != nil {
		return nil, cfg, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, cfg, fmt.Errorf("cannot find the program: %w", err)
	}
	for _, path := range []*string{&cfg.Engine.Library, &cfg.Geo.Database, &f.dir} { // the servers have working directories of their own
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, cfg, fmt.Errorf("cannot find the working directory: %w", err)
		}
	}
	if f.dir != "" {
		if info, err := os.Stat(f.dir); err != nil || !info.IsDir() {
			return nil, cfg, fault.Invalidf("dir", "must be a directory that is there")
		}
	}
	b, err := bench.New(bench.Config{
		Executable: executable, Library: cfg.Engine.Library, Memory: uint64(cfg.Engine.Memory), Threads: cfg.Engine.Threads, Dir: f.dir, Keep: f.dir != "",
		Flags: []string{
			"--engine-memory", strconv.FormatUint(uint64(cfg.Engine.Memory), 10), "--engine-threads", strconv.Itoa(cfg.Engine.Threads),
			"--journal-sync", cfg.Journal.Sync, "--journal-interval", cfg.Journal.Interval.String(), "--geo-database", cfg.Geo.Database,
			"--addresses-store=" + strconv.FormatBool(cfg.Addresses.Store),
		},
		Now: time.Now, Progress: cmd.ErrOrStderr(),
	})
	return b, cfg, err
}

// report prints a result, and fails where something was lost or stored twice.
func report(cmd *cobra.Command, result interface {
	Print(w io.Writer)
	Wrong() string
},
) error {
	if err := show(cmd, result, result.Print); err != nil {
		return err
	}
	if text := result.Wrong(); text != "" {
		return errors.New(text)
	}
	return nil
}

func newBenchIngest() *cobra.Command {
	var flags benchFlags
	o := bench.Ingest{Warm: 2 * time.Second, Disk: true}
	cmd := &cobra.Command{
		Use: "ingest", Short: "Send events to a new server, and see that each is stored once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Seed = flags.seed
			if o.Baseline && !cmd.Flags().Changed("pairs") {
				o.Pairs = 5
			}
			if err := o.Validate(); err != nil {
				return err
			}
			b, _, err := flags.bench(cmd)
			if err != nil {
				return err
			}
			got, err := b.Ingest(cmd.Context(), o)
			if err != nil {
				return err
			}
			return report(cmd, got)
		},
	}
	flags.register(cmd)
	cmd.Flags().Float64Var(&o.Rate, "rate", 0, "events a second, at equal distances whatever the server does; 0 for as many as it takes")
	cmd.Flags().DurationVar(&o.Duration, "duration", time.Minute, "how long to measure, each time")
	cmd.Flags().IntVar(&o.Connections, "connections", 64, "connections that are kept open")
	cmd.Flags().IntVar(&o.Sites, "sites", 3, "sites that are visited")
	cmd.Flags().IntVar(&o.Visitors, "visitors", 50_000, "people who visit")
	cmd.Flags().IntVar(&o.Pairs, "pairs", 1, "how often to measure, each time on a new server; 5 with --baseline")
	cmd.Flags().BoolVar(&o.Baseline, "baseline", false, "measure, in turn, a server that reads the body and does nothing")
	cmd.Flags().BoolVar(&o.Paused, "paused", false, "stop the database meanwhile")
	cmd.Flags().BoolVar(&o.Wrk, "wrk", false, "let wrk send, which costs less; only flat out")
	return cmd
}

func newBenchShip() *cobra.Command {
	var flags benchFlags
	o := bench.Ship{}
	cmd := &cobra.Command{
		Use: "ship", Short: "Store a journal full of events in a new database", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Seed = flags.seed
			if err := o.Validate(); err != nil {
				return err
			}
			b, cfg, err := flags.bench(cmd)
			if err != nil {
				return err
			}
			o.Geo = places(cfg)
			got, err := b.Ship(cmd.Context(), o)
			if err != nil {
				return err
			}
			return report(cmd, got)
		},
	}
	flags.register(cmd)
	cmd.Flags().IntVar(&o.Events, "events", 5_000_000, "events in the journal")
	cmd.Flags().IntVar(&o.Sites, "sites", 3, "sites that are visited")
	return cmd
}

// places returns the location database that a server would take, or "".
func places(cfg config.Config) string {
	if cfg.Geo.Database != "" {
		return cfg.Geo.Database
	}
	executable, err := os.Executable()
	if err != nil {
		return ""
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(executable), "*.mmdb"))
	if err != nil || len(found) != 1 {
		return ""
	}
	return found[0]
}

func newBenchTable() *cobra.Command {
	var flags benchFlags
	var short bool
	cmd := &cobra.Command{
		Use: "table", Short: "Measure everything that is promised of speed and size", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, cfg, err := flags.bench(cmd)
			if err != nil {
				return err
			}
			got, err := b.All(cmd.Context(), bench.TableOptions{Seed: flags.seed, Short: short, Geo: places(cfg)})
			if err != nil {
				return err
			}
			return report(cmd, got)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&short, "short", false, "only see that it works: the numbers say little")
	return cmd
}

func newBenchBaseline() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "baseline", Short: "Serve what reads an event's body and does nothing", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loopbackOnly(listen); err != nil {
				return fault.Invalidf("listen", "is %q, and must be an address of this machine such as 127.0.0.1:8000", listen)
			}
			return bench.Baseline(cmd.Context(), listen, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8000", "where")
	return cmd
}

// newBenchChild runs another command line in this process, which ends when its input does: however the process at the other end dies, its children do too.
func newBenchChild() *cobra.Command {
	return &cobra.Command{
		Use: "child COMMAND...", Short: "Run a command until the input ends", Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			go func() {
				_, _ = io.Copy(io.Discard, cmd.InOrStdin())
				os.Exit(3)
			}()
			root := newRoot()
			root.SetArgs(args)
			root.SetOut(cmd.OutOrStdout())
			root.SetErr(cmd.ErrOrStderr())
			return root.ExecuteContext(cmd.Context())
		},
	}
}
