package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
	"github.com/seamline/seamline/sinks/export"
)

// replayOptions are the ways in which topics are processed again.
type replayOptions struct {
	runOptions
	topic     string
	from      timeFlag
	compare   bool
	keep      bool
	publish   bool
	acceptGap bool
	out       io.Writer // of the comparison
}

func runReplay(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("replay", flag.ContinueOnError)
	var opt replayOptions
	fs.BoolVar(&opt.rebuild, "from-start", false, "rebuild everything from the topics, with the rules of now; the tables stay readable and hold only the new rows at the end")
	fs.StringVar(&opt.topic, "topic", "", "read this topic once more, and process what was never accepted")
	fs.Var(&opt.from, "from", "with --topic: RFC 3339 record time to begin at")
	fs.BoolVar(&opt.compare, "compare", false, "rebuild into a database beside, compare it with the tables, and list what differs")
	fs.BoolVar(&opt.keep, "keep", false, "with --compare: keep the database beside")
	fs.BoolVar(&opt.publish, "publish", false, "with --from-start: write to Kafka as well what was published before, with the same ids")
	fs.BoolVar(&opt.acceptGap, "accept-gap", false, "with --from-start: go on although the topics no longer begin where the tables do")
	fs.Var((*timeFlag)(&opt.now), "now", "with --from-start: RFC 3339 time that replaces the wall clock; then time passes by event time only")
	fs.Var((*timeFlag)(&opt.advanceTo), "advance-to", "with --now: fire timers up to this RFC 3339 time at the end")
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if err := opt.validate(fs.Args(), &s); err != nil {
		return usageError{err}
	}
	opt.log, opt.out = s.logger(os.Stderr), os.Stdout
	opt.untilCaughtUp = true
	switch {
	case opt.compare:
		return replayCompare(ctx, &s, &opt)
	case opt.rebuild:
		opt.silent = !opt.publish
		return replayFromStart(ctx, &s, &opt)
	}
	opt.rewind = &rewind{topic: s.topicName(opt.topic), at: schemas.Time(opt.from).Std()}
	return replayTopic(ctx, &s, &opt)
}

func (o *replayOptions) validate(args []string, s *settings) error {
	modes := 0
	for _, on := range []bool{o.rebuild, o.topic != "", o.compare} {
		if on {
			modes++
		}
	}
	switch {
	case len(args) > 0:
		return fmt.Errorf("replay takes no arguments, only flags: %q", args[0])
	case modes != 1:
		return errors.New("replay needs one of --from-start, --topic with --from, and --compare")
	case (o.topic != "") != (o.from != 0):
		return errors.New("--topic and --from belong together")
	case o.topic != "" && s.topicName(o.topic) == "":
		return fmt.Errorf("--topic %q is none of the topics that are read", o.topic)
	case o.now != 0 && !o.rebuild, o.advanceTo != 0 && o.now == 0:
		return errors.New("--now needs --from-start, and --advance-to needs --now")
	}
	return s.validate()
}

// topicName gives the topic that is meant by a feed's or a topic's name; empty for none.
func (s *settings) topicName(name string) string {
	for _, f := range feeds() {
		if topic := s.Kafka.Topic(f); name == topic || name == string(f) {
			return topic
		}
	}
	return ""
}

// replayTopic processes a topic once more from a time on, up to where the line stands.
func replayTopic(ctx context.Context, s *settings, opt *replayOptions) error {
	run := opt.runOptions
	run.untilCaughtUp, run.until = false, []schemas.Range{} // the line's positions do not move
	return runPipeline(ctx, s, run)
}

// replayFromStart rebuilds everything over the tables. Meanwhile no lists of audiences are made.
func replayFromStart(ctx context.Context, s *settings, opt *replayOptions) error {
	if !opt.acceptGap {
		if err := checkTopicsWhole(ctx, s); err != nil {
			return err
		}
	}
	awake, err := export.Rest(ctx, s.exportsDir())
	if err != nil {
		return err
	}
	err = runPipeline(ctx, s, opt.runOptions)
	return errors.Join(err, awake(err == nil && ctx.Err() == nil))
}

// checkTopicsWhole refuses a rebuild that would lose what the tables have and the topics have no longer.
func checkTopicsWhole(ctx context.Context, s *settings) error {
	if err := clickhouse.Migrate(ctx, s.ClickHouse, nil); err != nil {
		return err
	}
	starts, err := consumer.Starts(ctx, s.Kafka, feeds())
	if err != nil {
		return err
	}
	begins, err := clickhouse.FirstOffsets(ctx, s.ClickHouse, s.PipelineID)
	if err != nil {
		return err
	}
	for _, at := range begins {
		for _, start := range starts {
			if start.Topic == at.Topic && start.Partition == at.Partition && start.From > at.From {
				return fmt.Errorf("topic %s partition %d begins at offset %d, and the tables hold events from offset %d on: a rebuild would lose them. "+
					"--accept-gap does it all the same", at.Topic, at.Partition, start.From, at.From)
			}
		}
	}
	return nil
}

// beginRebuild makes the state empty and numbers its batches above those of the tables, so that what it writes replaces what is there.
// A rebuild that was interrupted goes on.
func (r *pipelineRun) beginRebuild(ctx context.Context, last uint64) error {
	point := r.store.Point()
	switch {
	case point.Rebuild != 0 && !r.rebuild:
		return errors.New("a rebuild was interrupted: finish it with seamline replay --from-start")
	case point.Rebuild != 0 && (point.Installation == "" || point.Installation == r.installation):
		r.log.Info("going on with the rebuild that was interrupted", "batch", point.Batch)
		return nil
	case point.Batch > 0:
		if err := errors.Join(r.store.Close(), r.setAside(errors.New("everything is rebuilt"))); err != nil {
			return err
		}
		if err := r.openState(ctx); err != nil {
			return err
		}
	}
	// A batch may have been decided on and not written.
	if err := r.openJournal(ctx); err != nil {
		return err
	}
	first := max(last, point.Batch, r.journal.Newest()) + 1
	r.closeJournal(ctx)
	if err := r.tables.Unsquash(ctx); err != nil {
		return err
	}
	r.log.Info("rebuilding everything from the topics", "batch", first)
	return r.store.Begin(state.Point{Batch: first - 1, Rebuild: first, Installation: r.installation})
}

// endRebuild takes away the rows that the rebuild did not write again.
func (r *pipelineRun) endRebuild(ctx context.Context) error {
	first := r.store.Point().Rebuild
	if err := r.tables.Prune(ctx, first); err != nil {
		return err
	}
	point := r.store.Point()
	point.Rebuild = 0
	if err := r.store.Begin(point); err != nil {
		return err
	}
	r.log.Info("rebuilt; older rows are gone", "batches", point.Batch-first+1)
	return nil
}

// errDifferent makes a comparison that found something end with exit code 1.
var errDifferent = errors.New("the rebuild differs from the tables")

// replayCompare rebuilds into a database beside, up to where the tables stand, and compares.
func replayCompare(ctx context.Context, s *settings, opt *replayOptions) (err error) {
	stand, err := clickhouse.Standing(ctx, s.ClickHouse, s.PipelineID)
	if err != nil {
		return err
	}
	if len(stand.Positions) == 0 {
		return fmt.Errorf("database %s holds no batch of pipeline %s", s.ClickHouse.Database, s.PipelineID)
	}
	beside := *s
	beside.ClickHouse.Database, beside.HTTPAddr, beside.BackupEvery = s.ClickHouse.Database+"_replay", "", 0
	beside.ClickHouse.SquashEvery = 0
	if beside.StateDir, err = os.MkdirTemp(filepath.Dir(filepath.Clean(s.StateDir)), "seamline-replay-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside.StateDir)) }()
	drop := func() error { return clickhouse.Drop(context.WithoutCancel(ctx), beside.ClickHouse) }
	if err := drop(); err != nil {
		return err
	}
	if !opt.keep {
		defer func() { err = errors.Join(err, drop()) }()
	}
	run := opt.runOptions
	run.untilCaughtUp, run.until, run.silent, run.strict = false, stand.Positions, true, stand.Latest == 0
	run.now, run.advanceTo = stand.Now, stand.Clock
	opt.log.Info("rebuilding beside", "database", beside.ClickHouse.Database, "up_to_batch", stand.Batch)
	if err := runPipeline(ctx, &beside, run); err != nil {
		return err
	}
	differences, err := clickhouse.Compare(ctx, s.ClickHouse, beside.ClickHouse)
	if err != nil {
		return err
	}
	return printDifferences(opt.out, differences)
}

// printDifferences lists what differs, and fails where something does.
func printDifferences(out io.Writer, differences []clickhouse.Difference) error {
	found := false
	for i := range differences {
		d := &differences[i]
		if d.IsNone() {
			fmt.Fprintf(out, "%-20s %d rows, all equal\n", d.Table, d.Rows)
			continue
		}
		found = true
		fmt.Fprintf(out, "%-20s %d rows equal, %d only in the tables, %d only in the rebuild, %d different\n", d.Table, d.Rows, d.LiveOnly, d.OtherOnly, d.Changed)
		for _, e := range d.Examples {
			fmt.Fprintf(out, "    %s: %s\n", e.Kind, e.Key)
			for _, c := range e.Columns {
				fmt.Fprintf(out, "        %s: %s in the tables, %s in the rebuild\n", c.Name, c.Live, c.Other)
			}
		}
	}
	if found {
		return errDifferent
	}
	return nil
}

var _ = time.Second
