package kafka

import (
	"encoding/binary"
	"errors"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// decompressor unpacks fetched batches of records into memory of the pool. LZ4, which most producers use, it unpacks block by block to
// where the text is read from; a stream, as the client has it, copies the text twice and computes a checksum over it, although the batch
// has one of its own, which the client checks. Everything else it leaves to the client.
type decompressor struct {
	pool  *pool
	other kgo.Decompressor
}

func newDecompressor(p *pool) *decompressor {
	return &decompressor{pool: p, other: kgo.DefaultDecompressor(p)}
}

// Decompress gives the text of compressed bytes.
func (d *decompressor) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec != kgo.CodecLz4 {
		return d.other.Decompress(src, codec)
	}
	blocks, ok := blocksOf(src)
	if !ok {
		return d.other.Decompress(src, codec)
	}
	dst, err := uncompress(d.pool.GetDecompressBytes(src, codec)[:0], blocks)
	if err != nil {
		d.pool.PutDecompressBytes(dst[:cap(dst)])
		return nil, err
	}
	d.pool.expanded(len(src), len(dst))
	return dst, nil
}

// The frame of LZ4: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md.
const (
	frameMagic       = 0x184D2204
	frameVersion     = 0b0100_0000
	frameVersionMask = 0b1100_0000
	frameIndependent = 0b0010_0000 // blocks do not refer to each other
	frameBlockSum    = 0b0001_0000 // blocks have checksums
	frameSize        = 0b0000_1000 // the header has the size of the text
	frameSum         = 0b0000_0100 // the text has a checksum
	frameDictionary  = 0b0000_0001
	frameHeaderBytes = 7 // magic, flags, size of blocks, checksum
	plainBlock       = 1 << 31
)

// blocks walks over the blocks of a frame.
type blocks struct {
	rest []byte
	max  int // bytes of a block's text
}

// blocksOf gives the blocks of a frame whose form is the usual one; false for any other.
func blocksOf(src []byte) (blocks, bool) {
	if len(src) < frameHeaderBytes || binary.LittleEndian.Uint32(src) != frameMagic {
		return blocks{}, false
	}
	flags, size := src[4], int(src[5]>>4&7)
	const unusual = frameVersionMask | frameIndependent | frameBlockSum | frameDictionary
	if flags&unusual != frameVersion|frameIndependent || size < 4 {
		return blocks{}, false
	}
	header := frameHeaderBytes
	if flags&frameSize != 0 {
		header += 8
	}
	if len(src) < header {
		return blocks{}, false
	}
	return blocks{rest: src[header:], max: 1 << (8 + 2*size)}, true
}

var errFrame = errors.New("lz4: the frame ends too early")

// next gives the next block and whether it is compressed; nil behind the last.
func (b *blocks) next() (block []byte, isPacked bool, err error) {
	if len(b.rest) < 4 {
		return nil, false, errFrame
	}
	head := binary.LittleEndian.Uint32(b.rest)
	b.rest = b.rest[4:]
	n := int(head &^ plainBlock)
	switch {
	case head == 0:
		return nil, false, nil
	case n > len(b.rest):
		return nil, false, errFrame
	}
	block, b.rest = b.rest[:n], b.rest[n:]
	return block, head&plainBlock == 0, nil
}

// textMax bounds the text of a fetched batch, as the client does.
const textMax = 1 << 30

// uncompress appends the text of all blocks to dst.
func uncompress(dst []byte, from blocks) ([]byte, error) {
	for {
		block, isPacked, err := from.next()
		if block == nil || err != nil {
			return dst, err
		}
		if len(dst) > textMax {
			return dst, kgo.ErrMaxDecompress
		}
		if !isPacked {
			dst = append(dst, block...)
			continue
		}
		for {
			room := dst[len(dst):min(cap(dst), len(dst)+from.max)]
			n, err := lz4.UncompressBlock(block, room)
			if err == nil {
				dst = dst[:len(dst)+n]
				break
			}
			if len(room) == from.max {
				return dst, err
			}
			dst = grow(dst, from.max)
		}
	}
}

// growMin is how much room at least is added.
const growMin = 4 << 10

// grow gives dst more room, at most so much as a block can take.
func grow(dst []byte, most int) []byte {
	return append(make([]byte, 0, min(len(dst)+most, 2*cap(dst)+growMin)), dst...)
}
