package slab

import (
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"unsafe"
)

// chunkBytesMax is the size of a slab's chunks, unless a record is larger.
const chunkBytesMax = 256 << 10

// Slab is a list of records that grows at its end. Records never move. It is not safe for concurrent writing.
type Slab[T any] struct {
	space  *Space
	chunks [][]T // each is as long as records are in it, and has room for mask+1
	count  int
	shift  uint
	mask   uint32
}

// NewSlab makes an empty slab. It panics where T holds pointers: the garbage collector would not see them.
func NewSlab[T any](space *Space) *Slab[T] {
	size := int(sizeOf[T]())
	if size == 0 {
		panic(fmt.Sprintf("slab: records of type %s have no size", reflect.TypeFor[T]()))
	}
	s := &Slab[T]{shift: uint(bits.Len(uint(max(chunkBytesMax/size, 1))) - 1)}
	s.mask = 1<<s.shift - 1
	s.space = space.join(int64(size) << s.shift)
	return s
}

// sizeOf gives the size of a type, and panics where it holds pointers.
func sizeOf[T any]() uintptr {
	t := reflect.TypeFor[T]()
	if !pointerFree(t) {
		panic(fmt.Sprintf("slab: type %s holds pointers", t))
	}
	return t.Size()
}

func pointerFree(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return pointerFree(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !pointerFree(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Complex128
}

// Len is the number of records.
func (s *Slab[T]) Len() int { return s.count }

// At gives a record, to read or to change. The pointer stays valid as long as the space. It panics where there is no such record.
func (s *Slab[T]) At(i uint32) *T { return &s.chunks[i>>s.shift][i&s.mask] }

// Append adds a record and gives its index.
func (s *Slab[T]) Append(record T) uint32 {
	i := uint32(s.count)
	s.Extend(s.count + 1)
	*s.At(i) = record
	return i
}

// Extend makes the slab at least n records long. New records are zero.
func (s *Slab[T]) Extend(n int) {
	if n > math.MaxUint32 {
		panic(fmt.Errorf("slab: %d records: %w", n, ErrFull))
	}
	size := int(s.mask) + 1
	for s.count < n {
		if s.count == len(s.chunks)*size {
			var zero T
			memory := s.space.take(int64(size) * int64(unsafe.Sizeof(zero)))
			s.chunks = append(s.chunks, unsafe.Slice((*T)(memory), size)[:0])
		}
		last := &s.chunks[len(s.chunks)-1]
		more := min(n-s.count, size-len(*last))
		*last = (*last)[:len(*last)+more]
		s.count += more
	}
}
