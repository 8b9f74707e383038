package shoppers

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// row is one line of a truth file: exactly one member is set.
type row struct {
	Run        *Truth      `json:"run,omitempty"`
	Person     *Person     `json:"person,omitempty"`
	Identifier *Identifier `json:"identifier,omitempty"`
	Cart       *Cart       `json:"cart,omitempty"`
	Event      *eventRow   `json:"event,omitempty"`
}

// eventRow is one event: the hash of its id in hexadecimal digits, and whose it is.
type eventRow struct {
	Hash       string `json:"hash"`
	Person     int    `json:"person"`
	Identified bool   `json:"identified"`
}

// WriteTo writes the truth as JSON lines: the run, then persons, identifiers, carts and events. Equal truths are equal bytes.
func (t *Truth) WriteTo(out io.Writer) (int64, error) {
	counter := &countingWriter{out: out}
	buffered := bufio.NewWriterSize(counter, 64<<10)
	encoder := json.NewEncoder(buffered)
	write := func(r row) error {
		if err := encoder.Encode(r); err != nil {
			return fmt.Errorf("write truth: %w", err)
		}
		return nil
	}
	if err := t.writeRows(write); err != nil {
		return counter.n, err
	}
	if err := buffered.Flush(); err != nil {
		return counter.n, fmt.Errorf("write truth: %w", err)
	}
	return counter.n, nil
}

func (t *Truth) writeRows(write func(row) error) error {
	if err := write(row{Run: t}); err != nil {
		return err
	}
	for i := range t.Persons {
		if err := write(row{Person: &t.Persons[i]}); err != nil {
			return err
		}
	}
	for i := range t.Identifiers {
		if err := write(row{Identifier: &t.Identifiers[i]}); err != nil {
			return err
		}
	}
	for i := range t.Carts {
		if err := write(row{Cart: &t.Carts[i]}); err != nil {
			return err
		}
	}
	for _, hash := range slices.Sorted(maps.Keys(t.events)) {
		entry := t.events[hash]
		e := eventRow{Hash: strconv.FormatUint(hash, 16), Person: int(entry >> 1), Identified: entry&1 == 1}
		if e.Person == nobody {
			e.Person = -1
		}
		if err := write(row{Event: &e}); err != nil {
			return err
		}
	}
	return nil
}

// countingWriter counts what arrives.
type countingWriter struct {
	out io.Writer
	n   int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.out.Write(b)
	c.n += int64(n)
	return n, err
}

// ReadTruth reads what WriteTo wrote.
func ReadTruth(in io.Reader) (*Truth, error) {
	decoder := json.NewDecoder(bufio.NewReaderSize(in, 64<<10))
	var t *Truth
	for line := 1; ; line++ {
		var r row
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) && t != nil {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read line %d of truth: %w", line, err)
		}
		if t == nil {
			if t = r.Run; t == nil {
				return nil, errors.New("read line 1 of truth: it does not describe a run")
			}
			continue
		}
		if err := t.take(r); err != nil {
			return nil, fmt.Errorf("read line %d of truth: %w", line, err)
		}
	}
}

// take adds a line to the truth.
func (t *Truth) take(r row) error {
	switch {
	case r.Person != nil:
		t.Persons = append(t.Persons, *r.Person)
	case r.Identifier != nil:
		t.Identifiers = append(t.Identifiers, *r.Identifier)
	case r.Cart != nil:
		t.Carts = append(t.Carts, *r.Cart)
	case r.Event != nil:
		hash, err := strconv.ParseUint(r.Event.Hash, 16, 64)
		if err != nil {
			return fmt.Errorf("hash of an event: %w", err)
		}
		person := r.Event.Person
		if person < 0 {
			person = nobody
		}
		entry := uint32(person) << 1
		if r.Event.Identified {
			entry |= 1
		}
		if t.events == nil {
			t.events = map[uint64]uint32{}
		}
		t.events[hash] = entry
	default:
		return errors.New("no member that is known")
	}
	return nil
}
