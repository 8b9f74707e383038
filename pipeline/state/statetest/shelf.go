// Package statetest holds what tests of stages with state share. A keeper saves into a Shelf and a new one loads from it; nothing goes out.
// It is in memory only, and never for production.
package statetest

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// Shelf is what a stage saved, by key.
type Shelf map[string][]byte

// Put implements schemas.StateWriter.
func (s Shelf) Put(key, value []byte) error {
	s[string(key)] = slices.Clone(value)
	return nil
}

// Delete implements schemas.StateWriter.
func (s Shelf) Delete(key []byte) error {
	delete(s, string(key))
	return nil
}

// DeleteRange implements schemas.StateWriter.
func (s Shelf) DeleteRange(from, to []byte) error {
	for key := range s {
		if key >= string(from) && key < string(to) {
			delete(s, key)
		}
	}
	return nil
}

// Each implements schemas.StateReader.
func (s Shelf) Each(f func(key, value []byte) error) error {
	keys := make([]string, 0, len(s))
	for key := range s {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := f([]byte(key), s[key]); err != nil {
			return err
		}
	}
	return nil
}

// Restart saves what changed and loads all of it into a new stage.
func (s Shelf) Restart(t testing.TB, old, fresh schemas.Keeper) {
	t.Helper()
	if err := old.Save(s); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Load(s); err != nil {
		t.Fatal(err)
	}
}

// Save saves what changed. It lets a first try fail after some entries, unless there are fewer.
func (s Shelf) Save(t testing.TB, rng *rand.Rand, k schemas.Keeper) {
	t.Helper()
	torn := &tornShelf{Shelf: maps.Clone(s), left: rng.IntN(30)}
	if k.Save(torn) == nil {
		clear(s)
		maps.Copy(s, torn.Shelf)
		return
	}
	if err := k.Save(s); err != nil {
		t.Fatal(err)
	}
}

// tornShelf fails after some entries.
type tornShelf struct {
	Shelf
	left int
}

var errTorn = errors.New("torn")

func (s *tornShelf) Put(key, value []byte) error {
	if s.left--; s.left < 0 {
		return errTorn
	}
	return s.Shelf.Put(key, value)
}

func (s *tornShelf) Delete(key []byte) error {
	if s.left--; s.left < 0 {
		return errTorn
	}
	return s.Shelf.Delete(key)
}

// Equal tells whether two shelves hold the same.
func (s Shelf) Equal(other Shelf) bool {
	if len(s) != len(other) {
		return false
	}
	for key, value := range s {
		if v, ok := other[key]; !ok || !bytes.Equal(v, value) {
			return false
		}
	}
	return true
}
