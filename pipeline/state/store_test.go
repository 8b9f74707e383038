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
	if _, err := c.Commit(false); err != nil {
		t.Fatal(err)
	}
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	instance := s.Instance()
	a, b := &shelf{name: "a", values: map[string]string{}}, &shelf{name: "b", values: map[string]string{}}
	a.set("x", "1")
	a.set("y", "2")
	b.set("x", "3")
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
	if got := dump(t, s); got != "map[x:1] map[x:3]" {
		t.Errorf("loaded %s", got)
	}
	if p := s.Point(); p.Batch != 3 || p.Positions[0].To != 30 || s.Instance() != instance || instance == "" {
		t.Errorf("the point is %+v, the instance %q, before %q", p, s.Instance(), instance)
	}
}

// dump gives what the keepers a and b would load.
func dump(t *testing.T, s *Store) string {
	t.Helper()
	a, b := &shelf{name: "a"}, &shelf{name: "b"}
	if err := s.Load([]schemas.Keeper{a, b}); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(a.values, b.values)
}

// TestCopies: a base and the changes after it restore the same state elsewhere, under another name; half a restore is no state.
func TestCopies(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	defer s.Close()
	a, b := &shelf{name: "a", values: map[string]string{}}, &shelf{name: "b", values: map[string]string{}}
	for i := range 3000 {
		a.set(fmt.Sprint("key-", i), strings.Repeat("v", 4000)) // several parts
	}
	commit(t, s, 1, a)
	var parts [][]byte
	keep := func(part []byte) error { parts = append(parts, part); return nil }
	export, err := s.BeginExport()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, 2, b) // not in the export
	if err := errors.Join(export.Each(keep), export.Close()); err != nil || export.Batch() != 1 || len(parts) < 3 {
		t.Fatalf("the export of batch %d has %d parts, error %v", export.Batch(), len(parts), err)
	}
	for n := uint64(3); n < 6; n++ {
		a.set("key-1", fmt.Sprint("batch ", n))
		delete(a.values, fmt.Sprint("key-", n))
		a.changed = append(a.changed, fmt.Sprint("key-", n))
		b.set("z", fmt.Sprint(n))
		c, err := s.Collect([]schemas.Keeper{a, b}, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := c.Commit(true)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, data...)
	}
	fs := vfs.NewMem()
	restored := open(t, fs)
	each := func(apply func([]byte) error) error {
		for _, p := range parts {
			if err := apply(p); err != nil {
				return err
			}
		}
		return nil
	}
	if err := restored.Restore(each); err != nil {
		t.Fatal(err)
	}
	if dump(t, restored) != dump(t, s) || restored.Point().Batch != 5 || restored.Instance() == s.Instance() {
		t.Errorf("restored batch %d under the name %s", restored.Point().Batch, restored.Instance())
	}
	commit(t, restored, 6)
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, fs)
	if again.Point().Batch != 6 {
		t.Errorf("after the restore the point is %d", again.Point().Batch)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}

	half := vfs.NewMem()
	broken := open(t, half)
	bad := errors.New("cut off")
	err = broken.Restore(func(apply func([]byte) error) error { return errors.Join(apply(parts[0]), bad) })
	if !errors.Is(err, bad) {
		t.Errorf("got error %v", err)
	}
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: "d", PipelineID: "p", FS: half}); !errors.Is(err, schemas.ErrDamaged) {
		t.Errorf("half a restore: got error %v, want ErrDamaged", err)
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
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: "d", PipelineID: "other", FS: fs}); err == nil || !strings.Contains(err.Error(), `pipeline "p", not "other"`) {
		t.Errorf("another pipeline: got error %v", err)
	}
	for format, want := range map[int]error{1: ErrOlder, Format + 1: ErrNewer} {
		s = open(t, fs)
		if err := s.db.Set(keyPoint, fmt.Appendf(nil, `{"format":%d,"pipeline_id":"p"}`, format), pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs}); !errors.Is(err, want) {
			t.Errorf("format %d: got error %v, want %v", format, err, want)
		}
		fs = vfs.NewMem()
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
