package state

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seamline/seamline/schemas"
)

// shelf is a keeper of named values.
type shelf struct {
	name    string
	values  map[string]string
	changed []string
	fail    error
}

func (s *shelf) Name() string               { return s.name }
func (s *shelf) Apply(*schemas.Batch) error { return nil }

func (s *shelf) Save(w schemas.StateWriter) error {
	for _, k := range s.changed {
		if v, ok := s.values[k]; !ok {
			if err := w.Delete([]byte(k)); err != nil {
				return err
			}
		} else if err := w.Put([]byte(k), []byte(v)); err != nil {
			return err
		}
	}
	s.changed = nil
	return s.fail
}

func (s *shelf) Load(r schemas.StateReader) error {
	s.values = map[string]string{}
	return r.Each(func(k, v []byte) error { s.values[string(k)] = string(v); return s.fail })
}

func (s *shelf) set(k, v string) {
	s.values[k] = v
	s.changed = append(s.changed, k)
}

func open(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(t *testing.T, s *Store, batch uint64, keepers ...schemas.Keeper) {
	t.Helper()
	c, err := s.Collect(keepers, batch, []schemas.Range{{Topic: "t", Partition: 1, To: int64(batch) * 10}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckpointAndIntents(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	a, b := &shelf{name: "a", values: map[string]string{}}, &shelf{name: "b", values: map[string]string{}}
	a.set("x", "1")
	a.set("y", "2")
	b.set("x", "3")
	for n := uint64(1); n <= 5; n++ {
		if err := s.WriteIntent(&schemas.Batch{Number: n, Now: schemas.Time(n), Ranges: []schemas.Range{{Topic: "t", From: int64(n), To: int64(n) + 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, 2, a, b)
	delete(a.values, "y")
	a.changed = append(a.changed, "y")
	commit(t, s, 3, a, b)
	// Collected and not committed: lost, as it must be.
	b.set("z", "lost")
	if _, err := s.Collect([]schemas.Keeper{b}, 4, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil && !strings.Contains(err.Error(), "leaked") {
		t.Fatal(err)
	}

	s = open(t, fs)
	defer s.Close()
	a2, b2 := &shelf{name: "a"}, &shelf{name: "b"}
	if err := s.Load([]schemas.Keeper{a2, b2}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(a2.values, b2.values); got != "map[x:1] map[x:3]" {
		t.Errorf("loaded %s", got)
	}
	if p := s.Point(); p.Batch != 3 || p.Positions[0].To != 30 {
		t.Errorf("the point is %+v", p)
	}
	intents, err := s.Intents()
	if err != nil || len(intents) != 2 || intents[0].Batch != 4 || intents[1].Now != 5 || intents[1].Ranges[0].To != 6 {
		t.Errorf("intents are %+v, error %v", intents, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	if _, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second holder: got error %v, want ErrLocked", err)
	}
	commit(t, s, 1)
	if err := s.WriteIntent(&schemas.Batch{Number: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Intents(); err == nil || !strings.Contains(err.Error(), "batch 3 follows where batch 2 must") {
		t.Errorf("a missing intent: got error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: "d", PipelineID: "other", FS: fs}); err == nil || !strings.Contains(err.Error(), `pipeline "p", not "other"`) {
		t.Errorf("another pipeline: got error %v", err)
	}
	s = open(t, fs)
	if err := s.db.Set(keyPoint, []byte(`{"format":2,"pipeline_id":"p"}`), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs}); !errors.Is(err, ErrFormat) {
		t.Errorf("a newer format: got error %v, want ErrFormat", err)
	}
}

func TestKeepersFailures(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	defer s.Close()
	bad := errors.New("bad")
	k := &shelf{name: "k", values: map[string]string{}}
	k.set("x", "1")
	commit(t, s, 1, k)
	k.fail = bad
	if _, err := s.Collect([]schemas.Keeper{k}, 2, nil); !errors.Is(err, bad) {
		t.Errorf("Save fails: got error %v", err)
	}
	if err := s.Load([]schemas.Keeper{k}); !errors.Is(err, bad) {
		t.Errorf("Load fails: got error %v", err)
	}
	if s.Point().Batch != 1 {
		t.Errorf("a failed Collect moved the point to %d", s.Point().Batch)
	}
}
