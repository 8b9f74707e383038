package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

func TestWriteErrorsHaveAClass(t *testing.T) {
	t.Parallel()
	f := func(err error, isFatal bool) {
		t.Helper()
		got := writeError("write", fmt.Errorf("send: %w", err))
		if errors.Is(got, schemas.ErrFatal) != isFatal || !errors.Is(got, err) {
			t.Errorf("%v gives %v, fatal should be %v", err, got, isFatal)
		}
	}
	for _, code := range []int{159, 209, 210, 236, 241, 242, 243, 252, 279, 999, 75} {
		f(&ch.Exception{Code: proto.Error(code)}, false)
	}
	for _, code := range []int{7, 8, 10, 16, 20, 43, 44, 47, 50, 53, 60, 62, 70, 81} {
		f(&ch.Exception{Code: proto.Error(code)}, true)
	}
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, context.DeadlineExceeded, os.ErrDeadlineExceeded} {
		f(err, false)
	}
	if err := writeError("write", nil); err != nil {
		t.Errorf("no error gives %v", err)
	}
	// At the start as well, all of this is worth waiting for.
	for _, code := range []int{159, 210, 241, 243, 252, 279, 75} {
		if !mayPass(fmt.Errorf("migrate: %w", &ch.Exception{Code: proto.Error(code)})) {
			t.Errorf("code %d ends the start", code)
		}
	}
	for _, err := range []error{io.EOF, syscall.ECONNRESET} {
		if !mayPass(err) {
			t.Errorf("%v ends the start", err)
		}
	}
	if mayPass(&ch.Exception{Code: proto.ErrUnknownType}) {
		t.Error("a schema error is waited for")
	}
}

// bulky makes a batch with so many bytes that do not compress.
func bulky(r *rand.Rand, number uint64, bytesTotal int) *schemas.Batch {
	b := &schemas.Batch{Number: number, Now: start}
	const size = 100_000
	for i := range bytesTotal / size {
		noise := make([]byte, size)
		for j := range noise {
			noise[j] = byte(' ' + r.IntN(90))
		}
		e := event(fmt.Sprint(number, "-", i), start+schemas.Time(i), schemas.TypeCustom, id(1))
		e.PageURL = string(noise)
		b.Events = append(b.Events, e)
	}
	return b
}

// refusedFor fails unless err is worth a retry and says why.
func refusedFor(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil || errors.Is(err, schemas.ErrFatal) {
		t.Fatalf("got %v, want an error worth a retry", err)
	}
	for _, word := range words {
		if strings.Contains(err.Error(), word) {
			return
		}
	}
	t.Errorf("got %.300v, want one of %q", err, words)
}

func TestMemoryLimitIsRetried(t *testing.T) {
	t.Parallel()
	server := ownServer(t, "")
	cfg := DefaultConfig()
	cfg.Addr = server.Addr()
	s := open(t, cfg)
	conn, err := cfg.open()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(t.Context(), "CREATE TABLE seamline.hog (s String) ENGINE = Memory"); err != nil {
		t.Fatal(err)
	}
	// Somebody else's data takes all memory but a little: a login without any ends the embedded library's process.
	for piece := 0; ; piece++ {
		left, err := strconv.ParseInt(one(t, cfg, "SELECT 1073741824 - value FROM system.metrics WHERE metric = 'MemoryTracking'"), 10, 64)
		if err != nil || piece == 100 {
			t.Fatalf("after %d pieces %d bytes are left: %v", piece, left, err)
		}
		if left < 100<<20 {
			break
		}
		if err := conn.Exec(t.Context(), "INSERT INTO seamline.hog SELECT repeat('x', 1000000) FROM numbers(20)"); err != nil {
			t.Fatalf("after %d pieces: %v", piece, err)
		}
	}
	b := bulky(random(t), 1, 120<<20)
	refusedFor(t, s.Write(t.Context(), b), "MEMORY_LIMIT_EXCEEDED", "EOF", "connection reset")
	if err := conn.Exec(t.Context(), "DROP TABLE seamline.hog SYNC"); err != nil {
		t.Fatal(err)
	}
	write(t, s, b)
	if n := one(t, cfg, "SELECT count() FROM events"); n != fmt.Sprint(len(b.Events)) {
		t.Errorf("%s events, want %d", n, len(b.Events))
	}
}

func TestFullDiskIsRetried(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "size=200m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 80<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	server := ownServer(t, filepath.Join(dir, "data"))
	cfg := DefaultConfig()
	cfg.Addr = server.Addr()
	s := open(t, cfg)
	r := random(t)
	total := 0
	for number := uint64(1); ; number++ {
		b := bulky(r, number, 8<<20)
		total += len(b.Events)
		err := s.Write(t.Context(), b)
		if err == nil {
			if number == 40 {
				t.Fatal("the disk takes more than it can hold")
			}
			continue
		}
		refusedFor(t, err, "NOT_ENOUGH_SPACE", "No space left")
		if err := s.Write(t.Context(), b); err == nil || errors.Is(err, schemas.ErrFatal) {
			t.Fatalf("the second try gives %v", err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		write(t, s, b)
		break
	}
	if n := one(t, cfg, "SELECT count() FROM events"); n != fmt.Sprint(total) {
		t.Errorf("%s events without FINAL, want %d", n, total)
	}
}
