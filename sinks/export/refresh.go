package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// listsPerPass is how many lists are made in one pass over their people. It bounds memory and open files.
const listsPerPass = 64

// making is one list while it is made.
type making struct {
	List
	platform *Platform
	minSize  int
	audience int   // index in the pass; -1 for one that is gone
	purposes []int // indexes in the pass
	before   *Snapshot
	dir      string
	diff     *diff
	record   []byte
	made     *Snapshot // nil where nothing changed
}

// refreshAll makes lists anew, some in each pass. What fails leaves the list that stands.
func (x *Exporter) refreshAll(ctx context.Context, lists []List) error {
	x.mu.Lock()
	x.audiences = nil // minimum sizes may have changed
	x.mu.Unlock()
	audiences, err := x.Audiences(ctx)
	if err != nil {
		return err
	}
	var failed error
	for some := range slices.Chunk(lists, listsPerPass) {
		if err := x.refreshMended(ctx, audiences, some); err != nil {
			failed = errors.Join(failed, err)
			x.metrics.failures.Add(float64(len(some)))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return failed
}

// listError tells which list of a pass could not be made.
type listError struct {
	list List
	err  error
}

// Error says what failed.
func (e *listError) Error() string { return fmt.Sprintf("make %s: %v", e.list, e.err) }

// Unwrap gives the cause.
func (e *listError) Unwrap() error { return e.err }

// refreshMended makes some lists in one pass. Where the standing one of a list is damaged it is made anew from the ledger, and the pass begins
// again; a list of which that fails is left out.
func (x *Exporter) refreshMended(ctx context.Context, audiences map[string]Audience, lists []List) error {
	lists = slices.Clone(lists)
	tried := map[List]bool{}
	var failed error
	for len(lists) > 0 {
		err := x.refresh(ctx, audiences, lists)
		var of *listError
		if !errors.Is(err, errDamaged) || !errors.As(err, &of) {
			return errors.Join(failed, err)
		}
		x.opt.Log.Warn("the standing list is damaged and is made anew from the ledger", "audience", of.list.Audience, "platform", of.list.Platform, "err", err)
		if !tried[of.list] {
			if err = x.mend(ctx, of.list); err == nil {
				tried[of.list] = true
				continue
			}
		}
		failed = errors.Join(failed, err)
		lists = slices.DeleteFunc(lists, func(l List) bool { return l == of.list })
	}
	return failed
}

// mend makes the files of a standing list anew from the ledger.
func (x *Exporter) mend(ctx context.Context, list List) error {
	x.mu.Lock()
	s := x.standing[list]
	x.mu.Unlock()
	if s == nil {
		return nil
	}
	if err := os.RemoveAll(x.store.path(s)); err != nil {
		return err
	}
	return x.rebuild(ctx, s)
}

// refresh makes some lists in one pass.
func (x *Exporter) refresh(ctx context.Context, audiences map[string]Audience, lists []List) error {
	began := x.opt.Clock()
	p := &pass{dial: x.opt.Dial, database: x.opt.Database, pipeline: x.opt.Pipeline, open: x.opt.Open, forms: map[Form]bool{}}
	all, err := x.prepare(p, audiences, lists)
	defer func() {
		for _, m := range all {
			m.diff.abandon()
			_ = os.RemoveAll(m.dir) // the next sweep takes what stays
		}
	}()
	if err != nil {
		return err
	}
	if err := x.step("prepared"); err != nil {
		return err
	}
	byAudience := make([][]*making, len(p.audiences))
	for _, m := range all {
		if m.audience >= 0 {
			byAudience[m.audience] = append(byAudience[m.audience], m)
		}
	}
	err = p.each(ctx, func(who *person) error {
		for _, at := range who.audiences {
			for _, m := range byAudience[at] {
				if err := x.offer(m, who); err != nil {
					return &listError{m.List, err}
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the people of %s: %w", strings.Join(p.audiences, ", "), err)
	}
	if p.unread > 0 {
		x.opt.Log.Warn("contact data could not be decrypted and is left out", "values", p.unread, "err", p.unreadWhy)
	}
	if err := x.step("read"); err != nil {
		return err
	}
	if err := x.finish(ctx, all, p.batch); err != nil {
		return err
	}
	x.metrics.seconds.Observe(x.opt.Clock().Sub(began).Seconds())
	return nil
}

// prepare opens what a pass reads and writes.
func (x *Exporter) prepare(p *pass, audiences map[string]Audience, lists []List) ([]*making, error) {
	var all []*making
	kinds, sealed := kindSet(0), kindSet(0)
	for _, l := range lists {
		platform, audience := x.platforms[l.Platform], audiences[l.Audience]
		m := &making{List: l, platform: platform, minSize: max(platform.MinSize, audience.MinSize), audience: -1}
		if audience.IsActive {
			m.audience = indexOrAdd(&p.audiences, l.Audience)
		}
		purposes := platform.Purposes
		if len(purposes) == 0 {
			purposes = words(x.cfg.Purposes)
		}
		for _, purpose := range purposes {
			m.purposes = append(m.purposes, indexOrAdd(&p.purposes, purpose))
		}
		for k, form := range platform.forms {
			if form != "" && kind(k) != kindProfileID {
				kinds |= 1 << k
				p.forms[form] = true
			}
			if form == FormDecrypted {
				sealed |= 1 << k
			}
		}
		before := ""
		x.mu.Lock()
		m.before = x.standing[l]
		x.mu.Unlock()
		if m.before != nil {
			before = filepath.Join(x.store.path(m.before), nameState)
		}
		var err error
		if m.dir, err = x.store.temporary(l); err == nil {
			m.diff, err = newDiff(m.dir, before)
		}
		if err != nil {
			_ = os.RemoveAll(m.dir) // the error before counts
			return all, &listError{l, err}
		}
		all = append(all, m)
	}
	for k := range kindCount {
		if kinds.has(kind(k)) {
			p.kinds = append(p.kinds, kind(k))
		}
		if sealed.has(kind(k)) {
			p.sealed = append(p.sealed, kind(k))
		}
	}
	if len(p.audiences) == 0 {
		p.audiences = []string{""} // nobody is in it
	}
	return all, nil
}

func indexOrAdd(list *[]string, s string) int {
	at := slices.Index(*list, s)
	if at < 0 {
		at = len(*list)
		*list = append(*list, s)
	}
	return at
}

// offer puts a person on a list, where consent and keys allow.
func (x *Exporter) offer(m *making, who *person) error {
	if !who.isKnown {
		return nil
	}
	var answers [16]answer
	given := answers[:0]
	for _, i := range m.purposes {
		given = append(given, who.answers[i])
	}
	if !x.unset.consents(given, who.country) {
		return nil
	}
	record, ok, err := m.platform.appendKeys(m.record[:0], &x.vault, who.id, who.contacts)
	m.record = record
	if !ok || err != nil {
		return err
	}
	return m.diff.want(who.id, record)
}

// finish writes the ledger and the files of lists, and makes them stand. Nothing is done about those of which nothing changed.
func (x *Exporter) finish(ctx context.Context, all []*making, batch uint64) error {
	var changed []*making
	for _, m := range all {
		if err := x.end(ctx, m, batch); err != nil {
			return &listError{m.List, err}
		}
		if m.made != nil {
			changed = append(changed, m)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	both, together := errgroup.WithContext(ctx)
	both.Go(func() error { return x.ledger.write(together, changed) })
	both.Go(func() error { return x.render(together, changed) })
	if err := both.Wait(); err != nil {
		return err
	}
	return x.publish(ctx, changed)
}

// render writes the files of lists that are given out most.
func (x *Exporter) render(ctx context.Context, changed []*making) error {
	writing, ctx := errgroup.WithContext(ctx)
	writing.SetLimit(keepAtOnce)
	for _, m := range changed {
		writing.Go(func() (err error) {
			m.made.SHA256, err = writeArtefact(filepath.Join(m.dir, "list."+FormatCSV), modeStore, func(out io.Writer) error {
				return renderState(ctx, filepath.Join(m.dir, nameState), newRenderer(m.platform, FormatCSV, &x.vault), out)
			})
			if err != nil {
				return fmt.Errorf("write the list %s: %w", m.List, err)
			}
			return nil
		})
	}
	return writing.Wait()
}

// end completes what a pass has collected for a list, and says what the new snapshot is, where there is to be one.
func (x *Exporter) end(ctx context.Context, m *making, batch uint64) error {
	isSmall, err := m.diff.end(m.minSize)
	if err != nil {
		return err
	}
	adds, removes := m.diff.changed()
	old := m.before
	if old != nil && adds == 0 && removes == 0 && old.IsSmall == isSmall && old.MinSize == m.minSize && old.SHA256 == x.same(ctx, m, old) {
		return nil
	}
	s := &Snapshot{List: m.List, Number: 1, ID: uuid.New(), First: 1, People: uint64(m.diff.people), Adds: adds, Removes: removes, MinSize: m.minSize, IsSmall: isSmall,
		Time: x.opt.Clock().UTC().Truncate(time.Millisecond), Batch: batch}
	if old != nil {
		s.Number, s.First = old.Number+1, old.Sequence+1
		if later := old.Time.Truncate(time.Second).Add(time.Second); s.Time.Before(later) {
			s.Time = later // Last-Modified has whole seconds, and tells apart what changed
		}
	}
	s.Sequence = s.First + adds + removes - 1
	m.made = s
	return nil
}

// same gives the checksum of what the standing list's CSV would be today: it differs where the platform's columns have changed.
func (x *Exporter) same(ctx context.Context, m *making, old *Snapshot) string {
	found, err := openArtefact(filepath.Join(x.store.path(old), "list."+FormatCSV))
	if err == nil {
		defer found.Close()
		if header := newRenderer(m.platform, FormatCSV, &x.vault).header(nil); beginsWith(found, header) {
			return found.SHA256
		}
		return ""
	}
	made, err := x.store.open(ctx, old, m.platform, FormatCSV, false)
	if err != nil {
		return ""
	}
	defer made.Close()
	return made.SHA256
}

// beginsWith tells whether a file has a header.
func beginsWith(in io.Reader, header []byte) bool {
	begin := make([]byte, len(header))
	_, err := io.ReadFull(in, begin)
	return err == nil && string(begin) == string(header)
}

// keepAtOnce is how many lists are flushed to disk at the same time.
const keepAtOnce = 16

// publish gives the files their place, commits, and makes the snapshots stand, in this order: a crash before the commit leaves rows and files that
// nobody counts, and one after it snapshots that takeOver finds.
func (x *Exporter) publish(ctx context.Context, changed []*making) error {
	if err := x.step("written"); err != nil {
		return err
	}
	var keeping errgroup.Group
	keeping.SetLimit(keepAtOnce)
	for _, m := range changed {
		keeping.Go(func() error {
			if err := errors.Join(m.diff.clean(), x.store.keep(m.dir, m.made)); err != nil {
				return fmt.Errorf("keep %s: %w", m.List, err)
			}
			return nil
		})
	}
	if err := keeping.Wait(); err != nil {
		return err
	}
	if err := x.step("kept"); err != nil {
		return err
	}
	if err := x.ledger.commit(ctx, changed); err != nil {
		return err
	}
	if err := x.step("committed"); err != nil {
		return err
	}
	for _, m := range changed {
		x.succeed(m)
	}
	return nil
}

// succeed makes a committed snapshot stand.
func (x *Exporter) succeed(m *making) {
	s := m.made
	x.stand(s)
	x.metrics.changes.WithLabelValues(opAdd).Add(float64(s.Adds))
	x.metrics.changes.WithLabelValues(opRemove).Add(float64(s.Removes))
	if limit := m.platform.ListRowsMax; limit > 0 && s.People > uint64(limit) {
		x.opt.Log.Warn("a list is longer than the platform takes", "audience", s.Audience, "platform", s.Platform, "people", s.People, "limit", limit)
	}
	x.opt.Log.Info("made a list", "audience", s.Audience, "platform", s.Platform, "people", s.People, "adds", s.Adds, "removes", s.Removes, "batch", s.Batch)
	now := x.opt.Clock()
	if m.before != nil {
		x.store.replaced(m.before, now)
	}
}
