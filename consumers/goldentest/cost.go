package goldentest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// run decodes one value over and over into the same memory, as the line does.
type run struct {
	decoder schemas.Decoder
	record  *schemas.Record
	out     schemas.Decoded
}

// warm gives a run whose memory has grown to its size. The value must give events.
func (s *Suite) warm(t testing.TB, value []byte) *run {
	t.Helper()
	r := &run{decoder: s.New(), record: s.record(value)}
	for range 3 {
		r.decode()
	}
	if len(r.out.Events) == 0 {
		t.Fatalf("no event comes of %s", value)
	}
	return r
}

func (r *run) decode() {
	r.out.Reset()
	r.out.Begin(r.record)
	r.decoder.Decode(r.record, r.record.Value, &r.out)
}

// Allocations checks how often a warm decoder asks for memory to decode a value.
func (s *Suite) Allocations(t *testing.T, name string, value []byte, allocationsMax float64) {
	t.Helper()
	if raceDetector {
		t.Skip("pools lose memory on purpose under the race detector")
	}
	if got := testing.AllocsPerRun(200, s.warm(t, value).decode); got > allocationsMax {
		t.Errorf("%s: %v allocations; want at most %v", name, got, allocationsMax)
	}
}

// Benchmark measures a warm decoder, and tells the time per event beside that per record.
func (s *Suite) Benchmark(b *testing.B, value []byte) {
	r := s.warm(b, value)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		r.decode()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(r.out.Events)), "ns/event")
}

// hostileBytes is the size of hostile input: with it, whatever costs the square of its length takes minutes.
const hostileBytes = 1 << 20

// Fill gives hostile input of one MiB: pieces between head and tail.
func Fill(head, piece, tail string) string {
	return head + strings.Repeat(piece, hostileBytes/len(piece)) + tail
}

// ManyKeys gives one MiB of members of a JSON object, each with a name of its own and a comma behind it.
func ManyKeys() string {
	var b strings.Builder
	for i := 0; b.Len() < hostileBytes; i++ {
		fmt.Fprintf(&b, `"key%d":%d,`, i, i)
	}
	return b.String()
}

// Hostile decodes input that is made to cost much: it must cost little more than its length, and something must come of it.
func (s *Suite) Hostile(t *testing.T, inputs map[string]string, tookMax time.Duration) {
	t.Helper()
	for name, input := range inputs {
		start := time.Now()
		out := s.Decode(t, s.New(), []byte(input))
		if took := time.Since(start); took > tookMax {
			t.Errorf("%s: %d bytes took %v", name, len(input), took)
		}
		if len(out.Events)+len(out.Rejects)+len(out.Dropped) == 0 {
			t.Errorf("nothing came of %s", name)
		}
	}
}
