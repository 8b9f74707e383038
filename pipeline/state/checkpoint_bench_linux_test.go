package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// traffic is a keeper that changes what a checkpoint's worth of events changes: entries of people, some of them often, and pages that
// come once.
type traffic struct {
	rng     *rand.Rand
	touched []uint64 // people, sorted
	pages   uint64
	events  int
}

func (*traffic) Name() string                   { return "traffic" }
func (*traffic) Apply(*schemas.Batch) error     { return nil }
func (*traffic) Load(schemas.StateReader) error { return nil }
func (k *traffic) Save(w schemas.StateWriter) error {
	var key [9]byte
	value := make([]byte, 240)
	for range k.events / 15 {
		k.pages++
		key[0] = 'p'
		binary.BigEndian.PutUint64(key[1:], k.pages)
		for i := 0; i < len(value); i += 8 {
			binary.LittleEndian.PutUint64(value[i:], k.rng.Uint64())
		}
		if err := w.Put(key[:], value); err != nil {
			return err
		}
	}
	for _, kind := range "abcd" {
		for _, p := range k.touched {
			key[0] = byte(kind)
			binary.BigEndian.PutUint64(key[1:], p)
			binary.LittleEndian.PutUint64(value, k.rng.Uint64())
			binary.LittleEndian.PutUint64(value[40:], k.rng.Uint64())
			if err := w.Put(key[:], value[:80]); err != nil {
				return err
			}
		}
	}
	return nil
}

// BenchmarkCheckpoints stores a checkpoint for every so many events, and tells what that costs per event, with what goes on in the
// background.
func BenchmarkCheckpoints(b *testing.B) {
	for _, events := range []int{100_000, 400_000} {
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			k := &traffic{rng: rng, events: events}
			people := rand.NewZipf(rng, 1.2, 100, 200_000)
			for range events {
				k.touched = append(k.touched, people.Uint64())
			}
			slices.Sort(k.touched)
			k.touched = slices.Compact(k.touched)
			before := cpu()
			s, err := Open(Config{Dir: b.TempDir(), PipelineID: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			total := 0
			b.Logf("%d people", len(k.touched))
			for n := uint64(1); b.Loop(); n++ {
				c, err := s.Collect([]schemas.Keeper{k}, n, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Commit(false); err != nil {
					b.Fatal(err)
				}
				total += events
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpu()-before)*1000/float64(total), "CPU-ns/event")
		})
	}
}

// cpu gives the processor time of the process in microseconds.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return (u.Utime.Sec+u.Stime.Sec)*1e6 + u.Utime.Usec + u.Stime.Usec
}
