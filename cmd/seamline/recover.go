package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// decisive are the prefixes of the settings that results depend on.
var decisive = []string{"decode.", "clickstream.", "email.", "pos.", "catalog.", "consent.", "survey.", "dedup.", "identity.", "score.", "audiences.", "timers."}

// rules is a digest of everything but the topics that results depend on: settings, and the contents of files that they name.
func (s *settings) rules() (string, error) {
	d := sha256.New()
	fs := flag.NewFlagSet("rules", flag.ContinueOnError)
	effective := *s
	effective.Identity.Rules, effective.Identity.KeyFile, effective.Audiences.Rules, effective.Score.LoyaltyRules = "", "", "", ""
	key, _, err := s.Identity.Secret()
	if err != nil {
		return "", err
	}
	effective.Identity.Key = hex.EncodeToString(key)
	effective.flags(fs)
	fs.VisitAll(func(f *flag.Flag) {
		if slices.ContainsFunc(decisive, func(prefix string) bool { return strings.HasPrefix(f.Name, prefix) }) {
			fmt.Fprintf(d, "%s=%s\n", f.Name, f.DefValue) // the values of effective became the defaults when they were registered
		}
	})
	if sealed, err := s.Contacts.digest(); err != nil {
		return "", err
	} else if sealed != "" { // as without the setting, where nothing is kept
		fmt.Fprintf(d, "contacts %s\n", sealed)
	}
	for _, path := range []string{s.Identity.Rules, s.Audiences.Rules, s.Score.LoyaltyRules} {
		text := []byte("shipped")
		if path != "" {
			if text, err = os.ReadFile(path); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(d, "%d %s\n", len(text), text)
	}
	return hex.EncodeToString(d.Sum(nil)[:16]), nil
}

// lockWait is how often a standby over the same directory looks whether it is free.
const lockWait = 250 * time.Millisecond

// openState opens the state directory. A live instance waits for one that is in use; a directory that is damaged, or of an older
// format, is kept aside and replaced by an empty one.
func (r *pipelineRun) openState(ctx context.Context) error {
	cfg := state.Config{Dir: r.StateDir, PipelineID: r.PipelineID, Log: r.log}
	for told := false; ; {
		var err error
		if r.store, err = state.Open(cfg); err == nil {
			if err = r.store.Verify(); err != nil {
				err = errors.Join(err, r.store.Close())
			}
		}
		switch {
		case err == nil:
			r.health.Set("state directory", nil)
			return nil
		case errors.Is(err, state.ErrLocked) && !r.once():
			if !told {
				told = true
				r.log.Info("standby: another process uses the state directory; waiting for its end", "state_dir", r.StateDir)
			}
			r.health.Set("state directory", err)
			select {
			case <-time.After(lockWait):
			case <-ctx.Done():
				return ctx.Err()
			}
		case errors.Is(err, schemas.ErrDamaged), errors.Is(err, state.ErrOlder):
			if err := r.setAside(err); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// once tells whether the run ends by itself, so that waiting for another instance's end is not what was asked for.
func (r *pipelineRun) once() bool { return r.untilCaughtUp || r.until != nil }

// setAside keeps a state directory that cannot be used, and makes room for a new one.
func (r *pipelineRun) setAside(why error) error {
	dir := strings.TrimRight(r.StateDir, string(os.PathSeparator))
	kept := dir + ".unusable-" + time.Now().UTC().Format("20060102T150405.000")
	if err := os.Rename(dir, kept); err != nil {
		return fmt.Errorf("%w; and it could not be set aside: %w", why, err)
	}
	r.log.Warn("the state directory cannot be used; it is kept aside, and the state is restored", "kept", kept, "err", why)
	return nil
}

// errLost says that the tables lack batches that the state stands for.
var errLost = errors.New("the tables are not those that the state stands for")

// restore sees to it that the state and the intents behind it join up with what the tables hold, and opens the journal.
func (r *pipelineRun) restore(ctx context.Context) error {
	last, err := r.tables.LastBatch(ctx)
	if err != nil {
		return err
	}
	point := r.store.Point()
	if point.Rebuild != 0 || r.rebuild {
		if err := r.beginRebuild(ctx, last); err != nil {
			return err
		}
		return r.openJournal(ctx)
	}
	if point.Batch > 0 && point.Installation != "" && point.Installation != r.installation ||
		last > 0 && last < point.Batch {
		return fmt.Errorf("%w: the state in %s is at batch %d, and database %s at batch %d of this pipeline. "+
			"Name the right clickhouse.database or state.dir, or rebuild everything with seamline replay --from-start",
			errLost, r.StateDir, point.Batch, r.ClickHouse.Database, last)
	}
	if point.Batch == 0 && last > 0 {
		r.isRestored = true
		if err := r.restoreCopy(ctx, last); err != nil {
			return err
		}
	}
	if err := r.openJournal(ctx); err != nil {
		return err
	}
	joined, err := r.join(ctx, last)
	if err != nil || joined {
		return err
	}
	if point.Batch == 0 {
		return fmt.Errorf("neither the journal nor the table commits says what batch %d of the tables consists of, and there is no copy of the state "+
			"behind it: rebuild everything with seamline replay --from-start", r.store.Point().Batch+1)
	}
	// The directory is too old a copy.
	r.closeJournal(ctx)
	if err := errors.Join(r.store.Close(), r.setAside(fmt.Errorf("the journal begins after batch %d", point.Batch))); err != nil {
		return err
	}
	if err := r.openState(ctx); err != nil {
		return err
	}
	return r.restore(ctx)
}

// restoreCopy fills an empty state from its copy in ClickHouse. Without one, everything is processed again from the first batch on.
func (r *pipelineRun) restoreCopy(ctx context.Context, last uint64) error {
	start, parts, bytes, told := time.Now(), 0, 0, time.Now()
	found := false
	err := r.store.Restore(func(apply func([]byte) error) error {
		var err error
		found, err = r.tables.LoadState(ctx, func(p schemas.StatePart) error {
			fault.At(fault.PointRestorePart)
			parts, bytes = parts+1, bytes+len(p.Data)
			if time.Since(told) > progressEvery {
				told = time.Now()
				r.log.Info("restoring the state from ClickHouse", "batch", p.Batch, "bytes", bytes, "bytes_per_second", int(float64(bytes)/time.Since(start).Seconds()))
			}
			return apply(p.Data)
		})
		return err
	})
	if errors.Is(err, state.ErrOlder) {
		return fmt.Errorf("the copy of the state in ClickHouse is of an older build, too: build the state anew with seamline replay --from-start: %w", err)
	}
	if err != nil {
		return err
	}
	if !found {
		r.log.Warn("the state directory is new and there is no copy of the state: every batch is processed again", "batches", last)
		return nil
	}
	r.log.Info("the state was restored from ClickHouse", "batch", r.store.Point().Batch, "of", last, "parts", parts, "bytes", bytes,
		"took_ms", time.Since(start).Milliseconds())
	return nil
}

// progressEvery is how often long work says how far it is.
const progressEvery = 5 * time.Second

func (r *pipelineRun) openJournal(ctx context.Context) (err error) {
	point := r.store.Point()
	r.journal, err = consumer.OpenJournal(ctx, r.Kafka, consumer.JournalOptions{Key: r.PipelineID + "/" + r.installation, Instance: r.store.Instance(),
		After: point.Batch, Once: r.once(), Now: time.Now, Log: r.log, Report: r.report("kafka"), Lost: r.lost,
		Waiting: func(leader string) {
			r.log.Info("standby: another instance leads; following it", "leader", leader, "takeover_after", r.Kafka.TakeoverAfter)
			r.health.Set("lead", fmt.Errorf("standby: %s leads", leader))
		}}, point.Journal)
	return err
}

func (r *pipelineRun) closeJournal(ctx context.Context) {
	if r.journal == nil {
		return
	}
	if err := r.journal.Close(context.WithoutCancel(ctx)); err != nil {
		r.log.Warn("could not resign from the lead; a standby takes over later", "err", err)
	}
	r.journal = nil
}

// join fills what the journal has forgotten between the state and its first intent from the table commits.
func (r *pipelineRun) join(ctx context.Context, last uint64) (bool, error) {
	after, first := r.store.Point().Batch, r.journal.First()
	if first == after+1 || first == 0 && last <= after {
		return true, nil
	}
	intents, err := r.tables.Intents(ctx, after)
	if errors.Is(err, clickhouse.ErrForgotten) {
		if after > 0 && !r.isRestored {
			return false, nil // the copy of the state may be newer
		}
		return false, fmt.Errorf("%w. There is no copy of the state behind it either: rebuild everything with seamline replay --from-start", err)
	}
	if err != nil {
		return false, err
	}
	intents = slices.DeleteFunc(intents, func(i schemas.Intent) bool { return first != 0 && i.Batch >= first })
	if len(intents) == 0 || first != 0 && intents[len(intents)-1].Batch+1 != first {
		return false, nil
	}
	r.journal.Prepend(intents)
	return true, nil
}

// replaying gives the line the intents, says how far it is, and notes when this instance begins to lead.
type replaying struct {
	r       *pipelineRun
	start   time.Time
	told    time.Time
	batches int
	records int64
	last    uint64
}

// Next implements the gatherer's Intents.
func (p *replaying) Next(ctx context.Context) (*schemas.Intent, bool, error) {
	intent, written, err := p.r.journal.Next(ctx)
	now := time.Now()
	if err != nil {
		return nil, false, err
	}
	if intent == nil {
		return nil, false, p.led(ctx)
	}
	if p.batches == 0 {
		p.start, p.told = now, now
	}
	p.batches, p.last = p.batches+1, intent.Batch
	for _, r := range intent.Ranges {
		p.records += r.To - r.From
	}
	if now.Sub(p.told) > progressEvery {
		p.told = now
		p.say("replaying batches")
	}
	return intent, written, nil
}

func (p *replaying) say(what string) {
	took := time.Since(p.start)
	p.r.log.Info(what, "batch", p.last, "batches", p.batches, "records", p.records, "records_per_second", int(float64(p.records)/max(took.Seconds(), 0.001)))
}

// led is called when this instance leads and everything that was decided before is replayed.
func (p *replaying) led(ctx context.Context) error {
	r := p.r
	if p.batches > 0 {
		p.say("replayed what was decided before the last stop")
	}
	r.health.Set("lead", nil)
	if r.isRestored {
		// A batch whose intent was lost with the journal has left rows that the next batches write again under other numbers.
		if err := r.tables.Orphans(ctx, max(p.last, r.store.Point().Batch)); err != nil {
			return err
		}
	}
	return nil
}
