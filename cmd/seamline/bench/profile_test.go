package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"testing"
)

// TestCPUShares reads a profile of two functions, of which one calls the other in a part of its samples.
func TestCPUShares(t *testing.T) {
	t.Parallel()
	number := func(field int, v uint64) []byte { return binary.AppendUvarint([]byte{byte(field << 3)}, v) }
	message := func(field int, parts ...[]byte) []byte {
		inner := bytes.Join(parts, nil)
		return append(binary.AppendUvarint([]byte{byte(field<<3 | 2)}, uint64(len(inner))), inner...)
	}
	sample := func(took uint64, locations ...byte) []byte {
		return message(profileSample, message(sampleLocations, locations), message(sampleValues, binary.AppendUvarint([]byte{1}, took)))
	}
	location := func(id, function uint64) []byte {
		return message(profileLocation, number(locationID, id), message(locationLine, number(lineFunction, function)))
	}
	function := func(id, name uint64) []byte {
		return message(profileFunction, number(functionID, id), number(functionName, name))
	}
	raw := bytes.Join([][]byte{
		sample(1000, 1), sample(500, 2, 1), sample(2500, 2),
		location(1, 7), location(2, 8), function(7, 1), function(8, 2),
		message(profileText), message(profileText, []byte("house/stitch.Step")), message(profileText, []byte("house/slab.Get")),
	}, nil)
	zip := func(raw []byte) []byte {
		var file bytes.Buffer
		w := gzip.NewWriter(&file)
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	f := func(prefix string, want float64) {
		t.Helper()
		if got, err := CPUShares(zip(raw), "elsewhere/", prefix); err != nil || math.Abs(got[1]-want) > 1e-9 || got[0] != 0 {
			t.Errorf("share of %s is %v, %v; want %v", prefix, got, err, want)
		}
	}
	f("house/stitch.", 0.375)
	f("house/slab.", 0.75)
	f("house/", 1)
	f("elsewhere/", 0)
	for _, damaged := range [][]byte{nil, []byte("no gzip"), zip(raw[:len(raw)-3]), zip(nil), zip(sample(0, 1))} {
		if share, err := CPUShares(damaged, "house/"); err == nil {
			t.Errorf("a damaged profile of %d bytes gives %v", len(damaged), share)
		}
	}
}
