package export

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/seamline/seamline/schemas"
)

// Names of files in the directory of a list.
const (
	nameState   = "state"   // who is on the list with which keys
	nameAdds    = "adds"    // while it is made
	nameRemoves = "removes" // while it is made
)

// diff compares a list that comes in order of people with the standing one, and writes the new one and what changed.
type diff struct {
	dir           string
	before        string // path of the standing list's state; empty for none
	old           *recordReader
	state         *recordWriter
	adds, removes *recordWriter
	people        int
}

// newDiff begins to write into an empty directory.
func newDiff(dir, before string) (*diff, error) {
	d := &diff{dir: dir, before: before}
	var err error
	if d.old, err = openRecords(before); err != nil {
		return nil, err
	}
	if d.state, err = createRecords(filepath.Join(dir, nameState)); err == nil {
		if d.adds, err = createRecords(filepath.Join(dir, nameAdds)); err == nil {
			d.removes, err = createRecords(filepath.Join(dir, nameRemoves))
		}
	}
	if err != nil {
		d.abandon()
		return nil, err
	}
	return d, nil
}

// want puts a person on the list. A person whose keys changed is removed with the old and added with the new ones.
func (d *diff) want(id schemas.ProfileID, record []byte) error {
	if err := d.drop(&id); err != nil {
		return err
	}
	d.people++
	isSame := d.old.has && d.old.id == id && bytes.Equal(d.old.record, record)
	if d.old.has && d.old.id == id {
		if !isSame {
			if err := d.removes.add(id, d.old.record); err != nil {
				return err
			}
		}
		if err := d.old.next(); err != nil {
			return err
		}
	}
	if !isSame {
		if err := d.adds.add(id, record); err != nil {
			return err
		}
	}
	return d.state.add(id, record)
}

// drop removes those who stand before a person on the standing list, or all for nil.
func (d *diff) drop(upTo *schemas.ProfileID) error {
	for d.old.has && (upTo == nil || before(d.old.id, *upTo)) {
		if err := d.removes.add(d.old.id, d.old.record); err != nil {
			return err
		}
		if err := d.old.next(); err != nil {
			return err
		}
	}
	return nil
}

// end completes the files. A list of fewer people than it must have becomes one of nobody, and all who were on it are removed.
func (d *diff) end(minSize int) (isSmall bool, err error) {
	defer d.abandon()
	if d.people >= minSize {
		if err := d.drop(nil); err != nil {
			return false, err
		}
		return false, errors.Join(d.state.close(), d.adds.close(), d.removes.close())
	}
	d.abandon()
	empty, err := newDiff(d.dir, d.before)
	if err != nil {
		return true, err
	}
	defer empty.abandon()
	d.people = 0
	*d = *empty
	if err := d.drop(nil); err != nil {
		return true, err
	}
	return true, errors.Join(d.state.close(), d.adds.close(), d.removes.close())
}

func (d *diff) abandon() {
	if d.old != nil {
		d.old.close()
		d.old = &recordReader{}
	}
	for _, w := range []*recordWriter{d.state, d.adds, d.removes} {
		if w != nil {
			w.abandon()
		}
	}
}

// changed tells how many people were added and removed; it is valid after end.
func (d *diff) changed() (adds, removes uint64) { return d.adds.count, d.removes.count }

// clean takes away what is no part of the list.
func (d *diff) clean() error {
	return errors.Join(os.Remove(filepath.Join(d.dir, nameAdds)), os.Remove(filepath.Join(d.dir, nameRemoves)))
}
