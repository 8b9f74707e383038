package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
	"github.com/seamline/seamline/sinks/export"
)

// timeFlag is an RFC 3339 time; 0 where it was not given.
type timeFlag schemas.Time

// String gives RFC 3339.
func (t *timeFlag) String() string { return schemas.Time(*t).String() }

// Set reads RFC 3339.
func (t *timeFlag) Set(text string) error {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("%q is not an RFC 3339 time such as 2026-01-31T00:00:00Z", text)
	}
	*t = timeFlag(schemas.TimeOf(at))
	return nil
}

func runRun(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	var opt runOptions
	fs.BoolVar(&opt.untilCaughtUp, "until-caught-up", false, "stop, with everything committed, when the topics' ends as of the start are processed")
	fs.Var((*timeFlag)(&opt.now), "now", "RFC 3339 time that replaces the wall clock; then time passes by event time only")
	fs.Var((*timeFlag)(&opt.advanceTo), "advance-to", "with --now and --until-caught-up: fire timers up to this RFC 3339 time at the end")
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return usageError{fmt.Errorf("run takes no arguments, only flags: %q", fs.Arg(0))}
	}
	if opt.advanceTo != 0 && (opt.now == 0 || !opt.untilCaughtUp) {
		return usageError{errors.New("--advance-to needs --now and --until-caught-up")}
	}
	if err := s.validate(); err != nil {
		return usageError{err}
	}
	opt.log = s.logger(os.Stderr)
	return runPipeline(ctx, &s, opt)
}

func runCheck(_ context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if err := s.print(os.Stdout); err != nil {
		return err
	}
	if err := s.validate(); err != nil {
		return fmt.Errorf("settings are not valid: %w", err)
	}
	if err := export.CheckCredentials(s.Exports.Credentials); err != nil {
		return err
	}
	if _, isSecret, err := s.Identity.Secret(); err != nil {
		return err
	} else if !isSecret {
		fmt.Fprintln(os.Stderr, "warning: identity.key is not set: identifier hashes are made with the published default key")
	}
	return nil
}

func runMigrate(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("migrate", flag.ContinueOnError)
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if err := s.ClickHouse.Validate(); err != nil {
		return usageError{err}
	}
	if err := clickhouse.Migrate(ctx, s.ClickHouse, s.logger(os.Stderr)); err != nil {
		return err
	}
	fmt.Printf("tables of database %s at %s are up to date\n", s.ClickHouse.Database, s.ClickHouse.Addr)
	return nil
}

func runLocal(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("local", flag.ContinueOnError)
	names := consumer.DefaultConfig()
	cfg := local.Config{Progress: os.Stderr, KafkaAutoTopics: true, KafkaTopics: names.Topics()}
	localFlags(fs, &cfg)
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	stack, err := local.Start(ctx, cfg)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(stack.Addresses()); err != nil {
		return errors.Join(err, stack.Close())
	}
	return errors.Join(supervise(ctx, stack, os.Stderr), stack.Close())
}

// Limits of supervise.
const (
	clickHouseRestartsMax = 5
	clickHouseCalmMin     = time.Minute // without an end, after which restarts are counted anew
)

// supervise starts the embedded ClickHouse again when it ends, until ctx does. The library ends on some refused logins, such as a
// wrong password; it loses nothing that it acknowledged.
func supervise(ctx context.Context, stack *local.Stack, out io.Writer) error {
	restarts, last := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-stack.ClickHouse.Done():
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(last) > clickHouseCalmMin {
			restarts = 0
		}
		restarts, last = restarts+1, time.Now()
		if restarts > clickHouseRestartsMax {
			return errors.New("ClickHouse ends again and again; see " + stack.ClickHouse.LogPath())
		}
		fmt.Fprintln(out, "ClickHouse ended; starting it again. Its log is", stack.ClickHouse.LogPath())
		if err := stack.ClickHouse.Restart(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func localFlags(fs *flag.FlagSet, cfg *local.Config) {
	fs.StringVar(&cfg.DataDir, "data-dir", cfg.DataDir, "directory of the embedded Kafka's and ClickHouse's data; empty for a temporary one")
	fs.IntVar(&cfg.KafkaPort, "kafka-port", 0, "port of Kafka; 0 for a free one")
	fs.IntVar(&cfg.ClickHousePort, "clickhouse-port", 0, "native port of ClickHouse; 0 for a free one")
	fs.IntVar(&cfg.ClickHouseHTTPPort, "clickhouse-http-port", 0, "HTTP port of ClickHouse; 0 for a free one")
}
