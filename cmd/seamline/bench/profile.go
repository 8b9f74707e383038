package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CPUShares reads a CPU profile and gives, for each of several prefixes, the share of its samples, by time, in functions whose names
// begin so, or in what these called.
func CPUShares(file []byte, prefixes ...string) ([]float64, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("read CPU profile: %w", err)
	}
	raw, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, fmt.Errorf("read CPU profile: %w", err)
	}
	var p cpuProfile
	if err := p.read(raw); err != nil {
		return nil, fmt.Errorf("read CPU profile: %w", err)
	}
	shares := make([]float64, len(prefixes))
	for i, prefix := range prefixes {
		if shares[i], err = p.share(prefix); err != nil {
			return nil, err
		}
	}
	return shares, nil
}

// cpuProfile is what counts of the message Profile in pprof's profile.proto.
type cpuProfile struct {
	samples   []cpuSample
	functions map[uint64][]uint64 // of a location, inlined ones too
	names     map[uint64]uint64   // of a function: index in text
	text      []string
}

type cpuSample struct {
	locations, values []uint64
}

// Fields of the messages.
const (
	profileSample, profileLocation, profileFunction, profileText = 2, 4, 5, 6
	sampleLocations, sampleValues                                = 1, 2
	locationID, locationLine, lineFunction                       = 1, 4, 1
	functionID, functionName                                     = 1, 2
)

func (p *cpuProfile) read(raw []byte) error {
	p.functions, p.names = map[uint64][]uint64{}, map[uint64]uint64{}
	return eachField(raw, func(field int, _ uint64, inner []byte) error {
		switch field {
		case profileSample:
			var s cpuSample
			p.samples = append(p.samples, s)
			return p.samples[len(p.samples)-1].read(inner)
		case profileLocation:
			return p.readLocation(inner)
		case profileFunction:
			var id, name uint64
			err := eachField(inner, func(field int, v uint64, _ []byte) error {
				switch field {
				case functionID:
					id = v
				case functionName:
					name = v
				}
				return nil
			})
			p.names[id] = name
			return err
		case profileText:
			p.text = append(p.text, string(inner))
		}
		return nil
	})
}

func (s *cpuSample) read(raw []byte) error {
	return eachField(raw, func(field int, v uint64, packed []byte) error {
		into := &s.locations
		switch field {
		case sampleLocations:
		case sampleValues:
			into = &s.values
		default:
			return nil
		}
		if packed == nil {
			*into = append(*into, v)
		}
		for len(packed) > 0 {
			v, n := binary.Uvarint(packed)
			if n <= 0 {
				return errCutProfile
			}
			*into, packed = append(*into, v), packed[n:]
		}
		return nil
	})
}

func (p *cpuProfile) readLocation(raw []byte) error {
	var id uint64
	var functions []uint64
	err := eachField(raw, func(field int, v uint64, line []byte) error {
		switch field {
		case locationID:
			id = v
		case locationLine:
			return eachField(line, func(field int, v uint64, _ []byte) error {
				if field == lineFunction {
					functions = append(functions, v)
				}
				return nil
			})
		}
		return nil
	})
	p.functions[id] = functions
	return err
}

func (p *cpuProfile) share(prefix string) (float64, error) {
	var all, some uint64
	for _, s := range p.samples {
		if len(s.values) == 0 {
			return 0, errCutProfile
		}
		took := s.values[len(s.values)-1] // nanoseconds; before them stands how often
		all += took
		if p.isWithin(s.locations, prefix) {
			some += took
		}
	}
	if all == 0 {
		return 0, errors.New("the CPU profile has no samples")
	}
	return float64(some) / float64(all), nil
}

func (p *cpuProfile) isWithin(locations []uint64, prefix string) bool {
	for _, l := range locations {
		for _, f := range p.functions[l] {
			if name := p.names[f]; name < uint64(len(p.text)) && strings.HasPrefix(p.text[name], prefix) {
				return true
			}
		}
	}
	return false
}

var errCutProfile = errors.New("the CPU profile is damaged")

// eachField calls f for each field of a protocol buffer: with its number, or with its bytes.
func eachField(raw []byte, f func(field int, value uint64, inner []byte) error) error {
	for len(raw) > 0 {
		key, n := binary.Uvarint(raw)
		if n <= 0 {
			return errCutProfile
		}
		raw = raw[n:]
		v, n := binary.Uvarint(raw)
		if n <= 0 {
			return errCutProfile
		}
		raw = raw[n:]
		var inner []byte
		switch key & 7 {
		case 0:
		case 2:
			if v > uint64(len(raw)) {
				return errCutProfile
			}
			inner, raw = raw[:v:v], raw[v:]
		default:
			return errCutProfile // the format uses no others
		}
		if err := f(int(key>>3), v, inner); err != nil {
			return err
		}
	}
	return nil
}
