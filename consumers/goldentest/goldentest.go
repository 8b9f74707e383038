// Package goldentest puts decoders to the tests that all of them must pass: golden files, promises, memory, bad and hostile input.
// A decoder and the folder of its payloads come in; errors of the test come out, or new golden files where -update asks for them.
// It never becomes part of the program: only tests import it.
package goldentest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// RecordTime is the time of every record in these tests, and so of the records that the golden files were made of.
const RecordTime = schemas.Time(1772370000000) // 2026-03-01T13:00:00Z

// Suite is a decoder with what it is tested on.
type Suite struct {
	// New gives a decoder with default settings.
	New func() schemas.Decoder
	// Feed is the feed that it reads.
	Feed schemas.Feed
	// Folder holds the golden payloads, each the value of one record, and beside each what must come of it in a file .golden.
	Folder string
	// Endings are those of the payloads' names, such as .json.
	Endings []string
	// PayloadsMin is how many payloads there are at least, so that none gets lost.
	PayloadsMin int
	// JSONOnly says that nothing but JSON gives events.
	JSONOnly bool
	// Nameless says that events are about things and name nobody.
	Nameless bool
	// Promise checks what the decoder promises of every event beyond what all decoders do. It may be nil.
	Promise func(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage)
}

// record gives a record of the feed.
func (s *Suite) record(value []byte) *schemas.Record {
	return &schemas.Record{Topic: string(s.Feed), Feed: s.Feed, Time: RecordTime, Value: value}
}

// Decode gives what a decoder makes of a value, and checks it.
func (s *Suite) Decode(t testing.TB, decoder schemas.Decoder, value []byte) *schemas.Decoded {
	t.Helper()
	record, out := s.record(value), new(schemas.Decoded)
	out.Begin(record)
	decoder.Decode(record, value, out)
	s.Check(t, out)
	return out
}

// Files lists the golden payloads.
func (s *Suite) Files(t testing.TB) (files []string) {
	t.Helper()
	for _, ending := range s.Endings {
		found, err := filepath.Glob(filepath.Join(s.Folder, "*"+ending))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < s.PayloadsMin {
		t.Fatalf("found %d payloads, fewer than %d", len(files), s.PayloadsMin)
	}
	return files
}

// Read gives the content of a file in the folder.
func (s *Suite) Read(t testing.TB, name string) []byte {
	t.Helper()
	return Read(t, filepath.Join(s.Folder, name))
}

// Compact gives the JSON in a file of the folder as producers send it, without white space.
func (s *Suite) Compact(t testing.TB, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, s.Read(t, name)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Read gives the content of a file.
func Read(t testing.TB, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Golden decodes every payload, and compares what comes of it with its golden file. It does so twice, since the same input must give
// the same result, and must still be what it was.
func (s *Suite) Golden(t *testing.T) {
	for _, file := range s.Files(t) {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value := Read(t, file)
			if start, end, found := field.CardNumber(value); found {
				t.Errorf("takes %s for a card number", value[start:end])
			}
			before := bytes.Clone(value)
			got := render(t, s.Decode(t, s.New(), value))
			if !bytes.Equal(before, value) {
				t.Error("the decoder changed the payload")
			}
			if again := render(t, s.Decode(t, s.New(), value)); !bytes.Equal(got, again) {
				t.Error("decoding twice gives different results")
			}
			goldenFile := filepath.Join(s.Folder, name+".golden")
			if *update {
				if err := os.WriteFile(goldenFile, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := Read(t, goldenFile); !bytes.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", name, got, want)
			}
		})
	}
}

// The goroutines that share a decoder, and how often each of them uses it.
const (
	sharersMin   = 4
	sharedRounds = 200
)

// Shared lets several goroutines decode payloads with one decoder, each into its own output; all must find what a fresh decoder finds.
func (s *Suite) Shared(t *testing.T, names ...string) {
	decoder := s.New()
	var group sync.WaitGroup
	for i := range max(sharersMin, len(names)) {
		value := s.Read(t, names[i%len(names)])
		want := render(t, s.Decode(t, s.New(), value))
		group.Go(func() {
			record, out := s.record(value), new(schemas.Decoded)
			for range sharedRounds {
				out.Reset()
				out.Begin(record)
				decoder.Decode(record, value, out)
				if got := render(t, out); !bytes.Equal(got, want) {
					t.Errorf("got %s\nwant %s", got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

// Fuzz decodes anything, from the golden payloads on: something must come of it, and all events must keep the promise.
func (s *Suite) Fuzz(f *testing.F) {
	for _, file := range s.Files(f) {
		f.Add(Read(f, file))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		out := s.Decode(t, s.New(), value)
		if len(out.Events)+len(out.Rejects)+len(out.Dropped) == 0 {
			t.Errorf("nothing came of %q", value)
		}
		if s.JSONOnly && len(out.Events) > 0 && !json.Valid(value) {
			t.Errorf("events came of %q, which is no JSON", value)
		}
	})
}
