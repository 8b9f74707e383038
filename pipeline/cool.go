package pipeline

import "github.com/seamline/seamline/schemas"

// coolEvery is after how many moments or entries of state the ceiling of memory is kept. Each may come back to some dozen cold pages.
const coolEvery = 32

// cooler keeps the ceiling every few steps of something that walks through the state, so that it does not depend on how soon another
// goroutine gets its turn.
type cooler struct {
	cool  func() error // nil for nothing
	steps int
}

func (c *cooler) step() error {
	if c.steps++; c.cool == nil || c.steps%coolEvery != 0 {
		return nil
	}
	return c.cool()
}

// cooled is a keeper under the ceiling while it is saved and loaded.
type cooled struct {
	schemas.Keeper
	cooler *cooler
}

// Save implements schemas.Keeper.
func (k cooled) Save(w schemas.StateWriter) error {
	return k.Keeper.Save(cooledWriter{StateWriter: w, cooler: k.cooler})
}

// Load implements schemas.Keeper.
func (k cooled) Load(r schemas.StateReader) error {
	return k.Keeper.Load(cooledReader{StateReader: r, cooler: k.cooler})
}

type cooledWriter struct {
	schemas.StateWriter
	cooler *cooler
}

// Put implements schemas.StateWriter.
func (w cooledWriter) Put(key, value []byte) error {
	if err := w.cooler.step(); err != nil {
		return err
	}
	return w.StateWriter.Put(key, value)
}

type cooledReader struct {
	schemas.StateReader
	cooler *cooler
}

// Each implements schemas.StateReader.
func (r cooledReader) Each(f func(key, value []byte) error) error {
	return r.StateReader.Each(func(key, value []byte) error {
		if err := r.cooler.step(); err != nil {
			return err
		}
		return f(key, value)
	})
}
