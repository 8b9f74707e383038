package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/encoding/json"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/pipeline/explain"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// order is one command as it stands in the topic of commands.
type order struct {
	ID     string              `json:"id"`
	Kind   string              `json:"kind"`
	A      schemas.Identifier  `json:"a"`
	B      *schemas.Identifier `json:"b,omitempty"`
	Forbid bool                `json:"forbid,omitempty"`
	Reason string              `json:"reason,omitempty"`
	isNew  bool                // the id is a random one that nobody has used
}

// newOrderID gives a command that has no id a random one.
func (o *order) newOrderID() {
	if o.ID == "" {
		o.ID, o.isNew = uuid.NewString(), true
	}
}

// orderIDBytesMax is what the decoder accepts.
const orderIDBytesMax = 128

// check finds what the decoder would refuse, and what leaves no reason behind.
func (o *order) check() error {
	switch {
	case strings.TrimSpace(o.Reason) == "":
		return errors.New("a reason is missing: it stands in the identity log for ever")
	case len(o.Reason) > schemas.CommandReasonMax:
		return fmt.Errorf("the reason is longer than %d bytes", schemas.CommandReasonMax)
	case o.ID == "" || len(o.ID) > orderIDBytesMax:
		return fmt.Errorf("the id must have between 1 and %d bytes", orderIDBytesMax)
	case o.Forbid && o.B == nil:
		return errors.New("only a link can be forbidden: name both of its ends")
	case o.B != nil && *o.B == o.A:
		return errors.New("both ends of the link are the same identifier")
	}
	return nil
}

// identityOrder makes the subcommand that gives a command of a kind.
func identityOrder(kind schemas.CommandKind) func(ctx context.Context, args []string) error {
	return func(ctx context.Context, args []string) error {
		s := defaultSettings()
		fs := flag.NewFlagSet("identity "+kind.String(), flag.ContinueOnError)
		o, opt := order{Kind: kind.String()}, waitOptions{out: os.Stderr}
		fs.StringVar(&o.Reason, "reason", "", "why, for the identity log; name no customer in it")
		fs.StringVar(&o.ID, "id", "", "id of the command, such as a ticket's: one that was carried out is not carried out again; empty for a random one")
		fs.DurationVar(&opt.timeout, "timeout", time.Minute, "how long to wait until the command was carried out")
		noWait := fs.Bool("no-wait", false, "do not wait")
		asJSON := fs.Bool("json", false, "print JSON")
		most := 1
		if kind == schemas.CommandRetract {
			fs.BoolVar(&o.Forbid, "forbid", false, "of a link: no event makes it again")
			most = 2
		}
		if err := s.parseMixed(fs, args); err != nil {
			return err
		}
		ids, err := parseIdentifiers(fs.Args(), 1, most)
		if err != nil {
			return usageError{fmt.Errorf("identity %s: %w", kind, err)}
		}
		if o.A = ids[0]; len(ids) > 1 {
			o.B = &ids[1]
		}
		o.newOrderID()
		if err := errors.Join(o.check(), s.ClickHouse.Validate(), s.Kafka.Validate()); err != nil {
			return usageError{fmt.Errorf("identity %s: %w", kind, err)}
		}
		desk, err := openDesk(&s)
		if err != nil {
			return err
		}
		defer desk.reader.Close()
		given, err := desk.give(ctx, &s, &o)
		if err != nil {
			return err
		}
		if *noWait {
			return show(os.Stdout, *asJSON, &outcome{ID: o.ID, Kind: o.Kind})
		}
		done, err := desk.await(ctx, &s, given, opt)
		if err != nil {
			return err
		}
		return show(os.Stdout, *asJSON, done)
	}
}

// givenOrder is a command in its topic.
type givenOrder struct {
	order
	place    clickhouse.CommandPlace
	batch    uint64 // the pipeline's newest before it was given
	position uint64 // of the identity log before it was given
	isOld    bool   // its id was carried out before: nothing was given
}

// give checks a command against the tables, and puts it into the topic of commands. One whose id was carried out before is not given again.
func (d *identityDesk) give(ctx context.Context, s *settings, o *order) (*givenOrder, error) {
	given := &givenOrder{order: *o}
	if !o.isNew {
		rows, err := d.reader.DecisionsOf(ctx, o.ID, 0)
		if err != nil {
			return nil, err
		}
		if given.isOld = slices.ContainsFunc(rows, isOrdered); given.isOld {
			return given, nil
		}
	}
	if err := d.checkOrder(ctx, o); err != nil {
		return nil, err
	}
	var err error
	if given.batch, given.position, err = d.reader.Newest(ctx, s.PipelineID); err != nil {
		return nil, err
	}
	given.place, err = publishOrder(ctx, &s.Kafka, o)
	return given, err
}

// isOrdered tells whether a row of the identity log is there since an operator said so, and not since an event has the same id.
func isOrdered(d schemas.Decision) bool {
	return slices.ContainsFunc([]string{"command: ", "erase: ", "release"}, func(prefix string) bool { return strings.HasPrefix(d.Rule, prefix) })
}

// linksLookedAt is how many of an identifier's newest rows are looked at for a link.
const linksLookedAt = 1000

// Errors of commands that would change nothing.
var (
	errAlready    = errors.New("there is nothing to do")
	errNoLinks    = fmt.Errorf("%w: the identifier has no links", errAlready)
	errRetracted  = fmt.Errorf("%w: the link is retracted already", errAlready)
	errInQuarant  = fmt.Errorf("%w: the identifier is quarantined already", errAlready)
	errNotInQuara = fmt.Errorf("%w: the identifier is not quarantined", errAlready)
)

// checkOrder finds commands that would change nothing.
func (d *identityDesk) checkOrder(ctx context.Context, o *order) error {
	a, err := d.find(ctx, "a ("+o.A.Namespace+")", o.A)
	if err != nil {
		return err
	}
	switch {
	case o.B != nil:
		b, err := d.find(ctx, "b ("+o.B.Namespace+")", *o.B)
		if err != nil {
			return err
		}
		return d.checkLink(ctx, o, a, b)
	case o.Kind == schemas.CommandQuarantine.String() && a.Quarantined:
		return errInQuarant
	case o.Kind == schemas.CommandRelease.String() && !a.Quarantined:
		return errNotInQuara
	case o.Kind == schemas.CommandRetract.String():
		rows, _, err := d.reader.Decisions(ctx, clickhouse.DecisionQuery{Identifiers: []uint64{a.ID}, Newest: true, Max: linksLookedAt})
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].B != 0 {
				return nil
			}
		}
		return errNoLinks
	}
	return nil
}

// checkLink finds that there is no link to retract, and says what joins the two instead.
func (d *identityDesk) checkLink(ctx context.Context, o *order, a, b schemas.IdentifierRow) error {
	search, err := d.search(ctx, a.ID, b.ID, 0)
	if err != nil {
		return err
	}
	step, linked := search.Pair(a.ID, b.ID)
	switch {
	case linked && (step.State != explain.Retracted || o.Forbid):
		return nil
	case linked:
		return errRetracted
	}
	found := search.Answer()
	if !found.Together {
		return fmt.Errorf("%w, and they are not one person", errNoLink)
	}
	chain, err := d.chain(ctx, found.Chain, 0)
	if err != nil {
		return err
	}
	names := []string{chain[0].From.text()}
	for i := range chain {
		names = append(names, chain[i].To.text())
	}
	return fmt.Errorf("%w: they are joined by the chain %s; retract one of its links", errNoLink, strings.Join(names, " - "))
}

// publishOrder puts a command into its topic and tells where it stands.
func publishOrder(ctx context.Context, cfg *consumer.Config, o *order) (place clickhouse.CommandPlace, err error) {
	value, err := json.Marshal(o)
	if err != nil {
		return place, err
	}
	place.Topic = cfg.Identity
	place.Partition, place.Offset, err = consumer.Command(ctx, *cfg, value)
	return place, err
}

// waitOptions say how a command is waited for.
type waitOptions struct {
	timeout time.Duration
	out     io.Writer // of progress; nil for none
}

// errNotYet says that a command was given and not carried out yet.
var errNotYet = errors.New("the command was given and not carried out yet")

// await waits until the pipeline has carried a command out, and tells what came of it.
func (d *identityDesk) await(ctx context.Context, s *settings, given *givenOrder, opt waitOptions) (*outcome, error) {
	if given.isOld {
		return d.outcome(ctx, given)
	}
	progress := newWaiting(opt.out)
	defer progress.end()
	began := time.Now()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		p, err := d.reader.Progress(ctx, s.PipelineID, given.batch, given.place)
		if err != nil {
			return nil, err
		}
		if p.Batch != 0 {
			if err := d.reader.Refused(ctx, given.place); err != nil {
				return nil, err
			}
			return d.outcome(ctx, given)
		}
		waited := time.Since(began)
		switch {
		case waited < opt.timeout:
		case p.Newest == given.batch:
			return nil, fmt.Errorf("%w: nobody processes topic %s, since pipeline %s has written no batch for %s. Command %s stays in the topic, and seamline run carries it out",
				errNotYet, given.place.Topic, s.PipelineID, waited.Round(time.Second), given.ID)
		default:
			return nil, fmt.Errorf("%w: pipeline %s wrote %d batches in %s and has not come to it; see seamline_consumers_lag_records. The command's id is %s",
				errNotYet, s.PipelineID, p.Newest-given.batch, waited.Round(time.Second), given.ID)
		}
		progress.update(fmt.Sprintf("waiting for pipeline %s, which is at batch %d, %.0f s", s.PipelineID, p.Newest, waited.Seconds()))
		select {
		case <-time.After(min(pause, opt.timeout-waited)):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: its id is %s", errNotYet, given.ID)
		}
	}
}
