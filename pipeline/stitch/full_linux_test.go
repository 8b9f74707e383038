package stitch

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// TestFullDiskIsAnErrorBeforeTheBatch: where the state's file cannot grow, Begin fails and the graph is what it was.
func TestFullDiskIsAnErrorBeforeTheBatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	space, err := slab.NewSpace(slab.Config{Dir: dir, CeilingBytes: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	s := tell(t, "")
	s.space, s.stage = space, New(DefaultRules(), []byte("test"), space, prometheus.NewRegistry())
	first := s.play("1 user_id:first")
	for n := 0; ; n++ {
		b := &schemas.Batch{}
		for i := range 3_000 {
			e := &schemas.Event{ID: "e", Time: schemas.Day * 20_000}
			e.Identify("user_id", fmt.Sprint(n, "-", i))
			b.Events = append(b.Events, e)
		}
		if err := s.stage.Begin(b); err != nil {
			t.Fatal(err)
		}
		// Some events at a time are prepared, the last of which find no room.
		err := error(nil)
		before := s.sizes()
		for i, e := range b.Events {
			if i%preparedEvents == 0 {
				before = s.sizes()
			}
			if err = s.stage.Step(b, &schemas.Moment{Event: e}); err != nil {
				break
			}
		}
		if err != nil {
			if !errors.Is(err, slab.ErrFull) || n == 0 {
				t.Errorf("batch %d fails with %v, want %v later", n, err, slab.ErrFull)
			}
			if after := s.sizes(); after != before {
				t.Errorf("the failed batch changed the graph from %v to %v", before, after)
			}
			break
		}
		if err := s.stage.Apply(b); err != nil {
			t.Fatal(err)
		}
		if err := space.Trim(); err != nil {
			t.Fatal(err)
		}
	}
	b := &schemas.Batch{}
	e := &schemas.Event{ID: "e", Time: schemas.Day * 20_000}
	e.Identify("user_id", "first")
	b.Events = append(b.Events, e)
	if err := s.stage.Step(b, &schemas.Moment{Event: e}); err != nil || e.ProfileID != first[0] {
		t.Errorf("a known person is %s, %v, want %s", e.ProfileID, err, first[0])
	}
}

// sizes gives how much the graph holds.
func (s *story) sizes() [5]int {
	g := s.stage.g
	return [5]int{g.nodes.Len(), g.leaves.Len(), g.profiles.Len(), g.links.Len(), int(g.position)}
}
