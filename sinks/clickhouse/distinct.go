package clickhouse

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/seamline/seamline/schemas"
)

// distinct tells whether the keys of a block's rows all differ, by fingerprints. Where they do, the server need not look for rows of one
// key itself, which costs it as much as all else about an INSERT. Different keys may share a fingerprint: then the server looks.
type distinct struct{ prints []uint64 }

func (d *distinct) reset() { d.prints = d.prints[:0] }

func (d *distinct) add(print uint64) { d.prints = append(d.prints, print) }

// differ sorts the fingerprints, so that it is asked once per block.
func (d *distinct) differ() bool {
	slices.Sort(d.prints)
	for i := 1; i < len(d.prints); i++ {
		if d.prints[i] == d.prints[i-1] {
			return false
		}
	}
	return true
}

// printFactor spreads what is added to a fingerprint over all of its bits.
const printFactor = 0x9e3779b97f4a7c15

// addTo makes another fingerprint of one and a further part of the key.
func addTo(print, part uint64) uint64 { return print*printFactor + part }

func printID(id schemas.ProfileID) uint64 {
	return addTo(binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:]))
}

func printText(s string) uint64 { return xxhash.Sum64String(s) }
