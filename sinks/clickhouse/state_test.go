package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"github.com/seamline/seamline/schemas"
	"slices"
	"strings"
	"testing"
	"time"
)

// save stores a checkpoint in parts.
func save(t testing.TB, s *Sink, generation, after, batch uint64, parts ...string) {
	t.Helper()
	for i, data := range parts {
		savePart(t, s, schemas.StatePart{Generation: generation, After: after, Batch: batch, Part: uint32(i), Parts: uint32(len(parts)), Data: []byte(data), Format: 3})
	}
}

func savePart(t testing.TB, s *Sink, p schemas.StatePart) {
	t.Helper()
	if err := s.SaveState(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// load gives what LoadState does, as batch:data.
func load(t testing.TB, s *Sink) string {
	t.Helper()
	var parts []string
	found, err := s.LoadState(t.Context(), func(p schemas.StatePart) error {
		if p.Format != 3 {
			t.Errorf("a part of batch %d has format %d", p.Batch, p.Format)
		}
		parts = append(parts, fmt.Sprintf("%d:%s", p.Batch, p.Data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found != (len(parts) > 0) {
		t.Errorf("found is %v with %d parts", found, len(parts))
	}
	return strings.Join(parts, " ")
}

func TestStateComesBack(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	expect := func(when, want string) {
		t.Helper()
		if got := load(t, open(t, cfg)); got != want {
			t.Errorf("%s: loaded %q, want %q", when, got, want)
		}
	}
	expect("nothing saved", "")
	save(t, s, 10, 0, 10, "a", "b\x00\xff", "c")
	expect("a base", "10:a 10:b\x00\xff 10:c")
	save(t, s, 10, 10, 12, "d")
	save(t, s, 10, 12, 20, "e", "")
	whole := "10:a 10:b\x00\xff 10:c 12:d 20:e 20:"
	expect("two deltas", whole)
	save(t, s, 10, 10, 12, "d") // an unknown outcome is tried again
	expect("a delta twice", whole)
	if n := one(t, cfg, "SELECT count() FROM state_backups WHERE batch = 12"); n != "1" {
		t.Errorf("a part that was saved twice has %s rows", n)
	}

	torn := schemas.StatePart{Generation: 10, After: 20, Batch: 30, Parts: 2, Data: []byte("f"), Format: 3}
	savePart(t, s, torn)
	expect("a torn tail", whole)
	save(t, s, 10, 30, 40, "g") // goes on from what is not there
	expect("a delta after a torn one", whole)
	save(t, s, 10, 20, 35, "h") // the instance came back, and its next checkpoint is another one
	expect("another way on", whole+" 35:h")

	save(t, s, 50, 0, 50, "A", "B")
	expect("a second generation", "50:A 50:B")
	savePart(t, s, schemas.StatePart{Generation: 60, Batch: 60, Parts: 2, Data: []byte("x"), Format: 3})
	expect("a torn base", "50:A 50:B")
	exec(t, cfg, "ALTER TABLE state_backups UPDATE data = 'Z' WHERE data = 'B' SETTINGS mutations_sync = 2")
	expect("a damaged base", whole+" 35:h")
	exec(t, cfg, "ALTER TABLE state_backups UPDATE data = 'Z' WHERE data = 'e' SETTINGS mutations_sync = 2")
	expect("a damaged delta", "10:a 10:b\x00\xff 10:c 12:d")
	exec(t, cfg, "OPTIMIZE TABLE state_backups FINAL")
	expect("merged", "10:a 10:b\x00\xff 10:c 12:d")

	other, err := Open(t.Context(), cfg, Options{PipelineID: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	save(t, other, 1, 0, 1, "other")
	if err := s.DropState(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	expect("dropped", "")
	if got := load(t, other); got != "1:other" {
		t.Errorf("another pipeline has %q", got)
	}
	if got := one(t, cfg, "SELECT groupConcat(',')(generation) FROM (SELECT DISTINCT generation FROM state_backups WHERE pipeline = 'main' ORDER BY 1)"); got != text("50,60") {
		t.Errorf("generations left: %s", got)
	}
}

// Two attempts at a checkpoint, of which the second was cut short, are no checkpoint together.
func TestStateOfTwoAttemptsDoesNotMix(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	save(t, s, 1, 0, 1, "base")
	save(t, s, 1, 1, 5, "one", "two")
	savePart(t, open(t, cfg), schemas.StatePart{Generation: 1, After: 1, Batch: 5, Parts: 2, Data: []byte("uno"), Format: 3})
	if got := load(t, s); got != "1:base" {
		t.Errorf("loaded %q of a mixed checkpoint", got)
	}
	save(t, open(t, cfg), 1, 1, 5, "uno", "due")
	if got := load(t, s); got != "1:base 5:uno 5:due" {
		t.Errorf("loaded %q of the second attempt", got)
	}
}

func TestStateRefusesNonsense(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	for want, p := range map[string]schemas.StatePart{
		"part 2 of 2":                 {Batch: 1, Generation: 1, Part: 2, Parts: 2},
		"part 0 of 0":                 {Batch: 1, Generation: 1},
		"does not come after":         {Batch: 1, Generation: 1, Part: 1, Parts: 2},
		"the most are":                {Batch: 1, Generation: 1, Parts: 1, Data: make([]byte, StatePartBytesMax+1)},
		"goes on from batch 0":        {Batch: 5, Generation: 1, Parts: 1},
		"goes on from batch 7":        {Batch: 7, Generation: 1, After: 7, Parts: 1},
		"base of generation 1 goes":   {Batch: 1, Generation: 1, After: 1, Parts: 1},
		"format 65536 does not exist": {Batch: 1, Generation: 1, Parts: 1, Format: 1 << 16},
	} {
		if err := s.SaveState(t.Context(), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	save(t, s, 1, 0, 1, "a", "b")
	stop := errors.New("enough")
	calls := 0
	if _, err := s.LoadState(t.Context(), func(schemas.StatePart) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("an error of the callback gives %v after %d calls", err, calls)
	}
}

// Parts of the largest size go through memory one by one, here and in the server.
func TestStateOfManyLargeParts(t *testing.T) {
	t.Parallel()
	server := ownServer(t, "")
	cfg := DefaultConfig()
	cfg.Addr = server.Addr()
	s := open(t, cfg)
	r := random(t)
	const count = 12
	data := make([]byte, StatePartBytesMax)
	begun := time.Now()
	for part := range uint32(count) {
		for i := 0; i < len(data); i += 1 + r.IntN(64) {
			data[i] = byte(r.Uint32())
		}
		data[0] = byte(part)
		savePart(t, s, schemas.StatePart{Generation: 7, Batch: 7, Part: part, Parts: count, Data: data, Format: 3})
	}
	saved := time.Since(begun)
	exec(t, cfg, "OPTIMIZE TABLE state_backups FINAL")
	begun = time.Now()
	var order []byte
	found, err := s.LoadState(t.Context(), func(p schemas.StatePart) error {
		order = append(order, p.Data[0])
		if len(p.Data) != StatePartBytesMax {
			t.Errorf("part %d has %d bytes", p.Part, len(p.Data))
		}
		return nil
	})
	if err != nil || !found || len(order) != count || !slices.IsSorted(order) {
		t.Errorf("%d parts in the order %v, found %v, %v", len(order), order, found, err)
	}
	t.Logf("%d parts saved in %s, loaded in %s", count, saved, time.Since(begun))
}

// A backup does not wait for a batch that is being written.
func TestSaveStateBesideWrite(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	s.writing.Lock() // a write that never ends
	defer s.writing.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.SaveState(ctx, schemas.StatePart{Generation: 1, Batch: 1, Parts: 1, Data: []byte("a"), Format: 3}); err != nil {
		t.Error(err)
	}
	if got := load(t, s); got != "1:a" {
		t.Errorf("loaded %q", got)
	}
}

// A part whose token the server knows, and whose row it lost, is stored again.
func TestLostStateIsSentAgain(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	for range 3 {
		save(t, s, 1, 0, 1, "base", "more")
		if got := load(t, s); got != "1:base 1:more" {
			t.Errorf("loaded %q", got)
		}
		exec(t, cfg, "ALTER TABLE state_backups DELETE WHERE 1 SETTINGS mutations_sync = 2")
	}
}
