//go:build !linux

package slab

import (
	"errors"
	"os"
)

// fileBacked tells that this system has anonymous memory only.
const fileBacked = false

type hand struct{ others int64 }

func mapFile(*os.File, string, int64, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func adviseAnonymous([]byte) {}

func sharedResident() int64 { return 0 }

// keepCeiling is never called: no space has a file.
func (s *Space) keepCeiling(bool) error { return nil }

// Resident is at most what was taken; this system does not tell more.
func (s *Space) Resident() int64 { return s.Bytes() }
