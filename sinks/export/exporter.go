package export

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/client_golang/prometheus"
)

// Options are what an exporter is given beside its settings.
type Options struct {
	Dial     Dial
	Database string
	Pipeline string // whose commits tell what is whole
	Secret   []byte // that cursors are authenticated with
	Clock    func() time.Time
	Log      *slog.Logger
	Registry prometheus.Registerer // nil for none

	Open Opener // of contacts_clear; nil where none of it is to be exported
	Seal Closer // of what was opened, while it stands in the ledger; nil where Open is
}

// Exporter makes lists and gives them out.
type Exporter struct {
	cfg       Config
	opt       Options
	platforms map[string]*Platform
	unset     unsetRules
	ledger    *ledger
	store     *store
	vault     vault
	metrics   *metrics
	cursorKey []byte
	idle      chan *ch.Client // that small questions use
	wake      chan struct{}   // a list was asked for that is not there
	step      func(name string) error

	mu        sync.Mutex         // guards the following
	standing  map[List]*Snapshot // whose files are here
	known     map[List]bool      // that are kept up
	floors    map[List]floor
	audiences map[string]Audience
	looked    time.Time // when audiences were read
}

// Audience is one audience as it is now.
type Audience struct {
	Name        string
	Description string
	MinSize     int // of its rule
	IsActive    bool
	IsHeldOut   bool // it is there to compare with, and never exported
	Size        uint64
	Changed     time.Time // when somebody entered or left last
}

// New makes an exporter. It connects when it is first used.
func New(cfg Config, opt Options) (*Exporter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("exports.dir is empty")
	}
	platforms, err := ReadPlatforms(cfg.Platforms)
	if err != nil {
		return nil, err
	}
	if (opt.Open == nil) != (opt.Seal == nil) {
		return nil, errors.New("what is opened must be sealed: the exporter needs Open and Seal, or none of them")
	}
	rules, err := parseUnset(cfg.Unset)
	if err != nil {
		return nil, err
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	mac := hmac.New(sha256.New, opt.Secret)
	mac.Write([]byte("seamline export cursors 1"))
	x := &Exporter{cfg: cfg, opt: opt, platforms: platforms, unset: rules, ledger: &ledger{dial: opt.Dial, database: opt.Database}, vault: vault{opt.Open, opt.Seal},
		metrics: newMetrics(opt.Registry), cursorKey: mac.Sum(nil), idle: make(chan *ch.Client, idleMax), wake: make(chan struct{}, 1), step: func(string) error { return nil },
		standing: map[List]*Snapshot{}, floors: map[List]floor{}, known: map[List]bool{}}
	x.store = &store{dir: cfg.Dir, vault: &x.vault}
	return x, nil
}

// Platforms gives the platforms in order of their names.
func (x *Exporter) Platforms() []*Platform {
	var list []*Platform
	for _, name := range slices.Sorted(maps.Keys(x.platforms)) {
		list = append(list, x.platforms[name])
	}
	return list
}

// Platform gives one platform; nil for an unknown one.
func (x *Exporter) Platform(name string) *Platform { return x.platforms[name] }

// Errors of lists.
var (
	ErrUnknown  = errors.New("there is no such audience or platform")
	ErrNotYet   = errors.New("the list is being made for the first time")
	ErrTooSmall = errors.New("fewer people would be on the list than it must have")
	ErrGone     = errors.New("the cursor is older than the changes that are kept")
	ErrCursor   = errors.New("this is no cursor of this list")
)

// Standing gives the list that stands. A list that was never made is made in the background: ask again.
func (x *Exporter) Standing(ctx context.Context, list List) (*Snapshot, error) {
	if x.platforms[list.Platform] == nil || !audienceName.MatchString(list.Audience) {
		return nil, ErrUnknown
	}
	x.mu.Lock()
	s := x.standing[list]
	x.mu.Unlock()
	if s == nil {
		return nil, x.askFor(ctx, list)
	}
	if s.IsSmall {
		return s, ErrTooSmall
	}
	return s, nil
}

// askFor has a list made that does not stand, where there is such an audience.
func (x *Exporter) askFor(ctx context.Context, list List) error {
	audiences, err := x.Audiences(ctx)
	if err != nil {
		return err
	}
	if a, isThere := audiences[list.Audience]; !isThere || a.IsHeldOut {
		return ErrUnknown
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known[list] = true
	select {
	case x.wake <- struct{}{}:
	default: // it is woken already
	}
	return ErrNotYet
}

// Open gives a file of a standing list, which the caller closes.
func (x *Exporter) Open(ctx context.Context, s *Snapshot, format string, isZipped bool) (*Artefact, error) {
	p := x.platforms[s.Platform]
	if !slices.Contains(p.Formats, format) {
		return nil, ErrUnknown
	}
	return x.store.open(ctx, s, p, format, isZipped)
}

// audiencesKeep is how long sizes of audiences are taken from memory.
const audiencesKeep = 10 * time.Second

// Audiences gives all audiences by name, as of some seconds ago.
func (x *Exporter) Audiences(ctx context.Context) (map[string]Audience, error) {
	x.mu.Lock()
	found, age := x.audiences, x.opt.Clock().Sub(x.looked)
	x.mu.Unlock()
	if found != nil && age < audiencesKeep {
		return found, nil
	}
	found, err := x.readAudiences(ctx)
	if err != nil {
		return nil, fmt.Errorf("read audiences: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.audiences, x.looked = found, x.opt.Clock()
	return found, nil
}

func (x *Exporter) readAudiences(ctx context.Context) (map[string]Audience, error) {
	found := map[string]Audience{}
	var name, about proto.ColStr
	var size, minSize proto.ColUInt64
	var active, heldOut proto.ColUInt8
	var changed proto.ColInt64
	sql := fmt.Sprintf("SELECT CAST(audience AS String) AS a, members AS n, toUnixTimestamp64Milli(last_change) AS t FROM %s.audience_sizes", x.opt.Database)
	err := each(ctx, x.opt.Dial, sql, proto.Results{{Name: "a", Data: &name}, {Name: "n", Data: &size}, {Name: "t", Data: &changed}}, func(row int) error {
		found[name.Row(row)] = Audience{Name: name.Row(row), Size: size.Row(row), Changed: time.UnixMilli(changed.Row(row)).UTC()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sql = fmt.Sprintf("SELECT CAST(audience AS String) AS a, description AS d, toUInt64(min_size) AS m, toUInt8(active AND empty(CAST(holdout_of AS String))) AS i, toUInt8(notEmpty(CAST(holdout_of AS String))) AS h FROM %s.audiences FINAL", x.opt.Database)
	err = each(ctx, x.opt.Dial, sql, proto.Results{{Name: "a", Data: &name}, {Name: "d", Data: &about}, {Name: "m", Data: &minSize}, {Name: "i", Data: &active}, {Name: "h", Data: &heldOut}}, func(row int) error {
		a := found[name.Row(row)]
		a.Name, a.Description, a.MinSize, a.IsActive = name.Row(row), about.Row(row), int(minSize.Row(row)), active.Row(row) == 1
		a.IsHeldOut = heldOut.Row(row) == 1
		found[a.Name] = a
		return nil
	})
	return found, err
}

// wakeGap is how far apart turns are that somebody's question began, at least: a list that fails is not tried all the time.
const wakeGap = time.Second

// Run keeps lists up until ctx ends: those that were asked for, those of the ledger, and those that settings write to files. Only a process that
// leads makes them; others take over what the ledger says.
func (x *Exporter) Run(ctx context.Context, leads func() bool) {
	every := time.NewTicker(x.cfg.Every)
	defer every.Stop()
	var files time.Time
	isAll := true
	for {
		began := time.Now()
		if err := x.turn(ctx, leads(), isAll); err != nil && ctx.Err() == nil {
			x.opt.Log.Warn("could not make lists of audiences; those that stand stay", "err", err)
		}
		if now := x.opt.Clock(); x.cfg.FilesDir != "" && leads() && ctx.Err() == nil && (files.IsZero() || now.Sub(files) >= x.cfg.FilesEvery) {
			files = now
			if err := x.WriteFiles(ctx); err != nil && ctx.Err() == nil {
				x.opt.Log.Warn("could not write lists of audiences to files", "err", err)
			}
		}
		select {
		case <-every.C:
			isAll = true
		case <-x.wake:
			isAll = false
			select {
			case <-time.After(wakeGap - time.Since(began)):
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// turn takes over what the ledger says and, where the process leads, makes lists anew: all that are kept up, or those that do not stand yet.
func (x *Exporter) turn(ctx context.Context, isLeading, isAll bool) error {
	return x.locked(ctx, isLeading, func() []List {
		if !isLeading {
			return nil
		}
		return x.keptUp(isAll)
	})
}

// locked makes the lists anew that wanted gives, while no other process uses the directory, and removes what is not needed any more. A list that
// cannot be taken over does not keep others from being made.
func (x *Exporter) locked(ctx context.Context, isLeading bool, wanted func() []List) error {
	unlock, err := lockDir(ctx, x.cfg.Dir, isLeading)
	if err != nil {
		return fmt.Errorf("exports.dir: %w", err)
	}
	defer unlock()
	if isLeading {
		if err := remove(filepath.Join(x.cfg.Dir, nameRebuild)); err != nil { // of a rebuild that was given up: its line runs again
			return err
		}
	}
	defer x.sweep()
	failed, err := x.takeOver(ctx)
	if err != nil && len(failed) == 0 {
		return err
	}
	lists := slices.DeleteFunc(wanted(), func(l List) bool { return slices.Contains(failed, l) })
	if len(lists) == 0 {
		return err
	}
	return errors.Join(err, x.refreshAll(ctx, lists))
}

// sweep removes what standing lists have replaced long enough ago.
func (x *Exporter) sweep() {
	x.mu.Lock()
	standing := slices.Collect(maps.Values(x.standing))
	x.mu.Unlock()
	before := x.opt.Clock().Add(-x.cfg.Keep)
	for _, s := range standing {
		if err := x.store.sweep(s, before); err != nil {
			x.opt.Log.Warn("could not remove old lists", "audience", s.Audience, "platform", s.Platform, "err", err)
		}
	}
}

// keptUp gives the lists that are kept up, in order, or those of them that do not stand yet.
func (x *Exporter) keptUp(isAll bool) []List {
	x.mu.Lock()
	defer x.mu.Unlock()
	lists := slices.SortedFunc(maps.Keys(x.known), compareLists)
	return slices.DeleteFunc(lists, func(l List) bool { return !isAll && x.standing[l] != nil })
}

// Refresh makes lists anew now, whether they were known or not.
func (x *Exporter) Refresh(ctx context.Context, lists []List) error {
	for _, l := range lists {
		if x.platforms[l.Platform] == nil || !audienceName.MatchString(l.Audience) {
			return fmt.Errorf("%s: %w", l, ErrUnknown)
		}
	}
	return x.locked(ctx, false, func() []List { return slices.SortedFunc(slices.Values(lists), compareLists) })
}

// takeOver makes the snapshots stand that the ledger has, and makes those anew from it whose files are not here. It tells of which lists that failed.
func (x *Exporter) takeOver(ctx context.Context) (failed []List, err error) {
	newest, err := x.ledger.newest(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, s := range newest {
		if x.platforms[s.Platform] == nil || !audienceName.MatchString(s.Audience) {
			continue // of a setting that is gone
		}
		x.mu.Lock()
		x.known[s.List] = true
		old := x.standing[s.List]
		x.mu.Unlock()
		if old != nil && old.ID == s.ID && x.store.has(s) {
			continue
		}
		if !x.store.has(s) {
			if wrong := x.rebuild(ctx, s); wrong != nil {
				failed, err = append(failed, s.List), errors.Join(err, wrong)
				continue
			}
		}
		if old != nil && old.ID != s.ID {
			x.store.replaced(old, x.opt.Clock())
		}
		x.stand(s)
	}
	return failed, err
}

// stand makes a snapshot the one that is given out.
func (x *Exporter) stand(s *Snapshot) {
	x.mu.Lock()
	x.known[s.List], x.standing[s.List] = true, s
	x.mu.Unlock()
	x.metrics.people.WithLabelValues(s.Audience, s.Platform).Set(float64(s.People))
}

// rebuild makes the files of a snapshot from the ledger.
func (x *Exporter) rebuild(ctx context.Context, s *Snapshot) error {
	dir, err := x.store.temporary(s.List)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := createRecords(filepath.Join(dir, nameState))
	if err != nil {
		return err
	}
	defer w.abandon()
	if err := x.ledger.fold(ctx, s, w); err != nil {
		return err
	}
	if err := w.close(); err != nil {
		return err
	}
	if w.count != s.People {
		return fmt.Errorf("the ledger of %s gives %d people for a list of %d", s.List, w.count, s.People)
	}
	x.opt.Log.Info("made a list anew from the ledger", "audience", s.Audience, "platform", s.Platform, "people", w.count)
	return x.store.keep(dir, s)
}

func compareLists(a, b List) int {
	if a.Audience != b.Audience {
		return compareText(a.Audience, b.Audience)
	}
	return compareText(a.Platform, b.Platform)
}
