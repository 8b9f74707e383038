package timers

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// shelf is what a stage saved, by key.
type shelf map[string][]byte

func (s shelf) Put(key, value []byte) error {
	s[string(key)] = slices.Clone(value)
	return nil
}

func (s shelf) Delete(key []byte) error {
	delete(s, string(key))
	return nil
}

func (s shelf) DeleteRange(from, to []byte) error {
	for key := range s {
		if key >= string(from) && key < string(to) {
			delete(s, key)
		}
	}
	return nil
}

func (s shelf) Each(f func(key, value []byte) error) error {
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

// restart saves what changed and loads all of it into a new stage.
func (s shelf) restart(t *testing.T, old, fresh schemas.Keeper) {
	t.Helper()
	if err := old.Save(s); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Load(s); err != nil {
		t.Fatal(err)
	}
}

// save saves what changed. It lets a first try fail after some entries, unless there are fewer.
func (s shelf) save(t *testing.T, rng *rand.Rand, k schemas.Keeper) {
	t.Helper()
	torn := &tornShelf{shelf: maps.Clone(s), left: rng.IntN(30)}
	if k.Save(torn) == nil {
		clear(s)
		maps.Copy(s, torn.shelf)
		return
	}
	if err := k.Save(s); err != nil {
		t.Fatal(err)
	}
}

// tornShelf fails after some entries.
type tornShelf struct {
	shelf
	left int
}

var errTorn = errors.New("torn")

func (s *tornShelf) Put(key, value []byte) error {
	if s.left--; s.left < 0 {
		return errTorn
	}
	return s.shelf.Put(key, value)
}

func (s *tornShelf) Delete(key []byte) error {
	if s.left--; s.left < 0 {
		return errTorn
	}
	return s.shelf.Delete(key)
}

func (s shelf) equal(other shelf) bool {
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
