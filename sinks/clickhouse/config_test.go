package clickhouse

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/seamline/seamline/schemas"
)

func parse(t testing.TB, args ...string) Config {
	t.Helper()
	c := DefaultConfig()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	c.Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFlags(t *testing.T) {
	t.Parallel()
	got := parse(t, "-clickhouse.addr", "a:1,b:2", "-clickhouse.user", "u", "-clickhouse.password", "p", "-clickhouse.database", "shop",
		"-clickhouse.cluster", "c", "-clickhouse.tls.enabled", "-clickhouse.tls.ca", "ca", "-clickhouse.tls.cert", "cert", "-clickhouse.tls.key", "key",
		"-clickhouse.tls.server-name", "name", "-clickhouse.tls.skip-verify", "-clickhouse.compression", "zstd", "-clickhouse.properties", "json", "-clickhouse.roles", "on",
		"-clickhouse.dial-timeout", "3s", "-clickhouse.write-timeout", "4s", "-clickhouse.connections", "5", "-clickhouse.fsync=false", "-clickhouse.squash.every", "6s", "-clickhouse.squash.min", "7", "-clickhouse.squash.grace", "8s", "-clickhouse.retention.events", "6",
		"-clickhouse.retention.order-lines", "7", "-clickhouse.retention.identity-log", "8", "-clickhouse.retention.audience-changes", "9",
		"-clickhouse.retention.dead-letters", "10", "-clickhouse.retention.commits", "11", "-clickhouse.retention.journey-changes", "12",
		"-clickhouse.retention.consents", "13", "-clickhouse.retention.survey-answers", "14")
	want := Config{Addr: "a:1,b:2", User: "u", Password: "p", Database: "shop", Cluster: "c", TLS: true, TLSCA: "ca", TLSCert: "cert", TLSKey: "key",
		TLSServerName: "name", TLSSkipVerify: true, Compression: "zstd", Properties: "json", Roles: "on", DialTimeout: 3e9, WriteTimeout: 4e9, Connections: 5, SquashEvery: 6e9, SquashMin: 7, SquashGrace: 8e9,
		Retention: Retention{6, 7, 8, 9, 10, 11, 12, 13, 14}}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	if c := parse(t); c != DefaultConfig() || c.Validate() != nil || c.Addr != "127.0.0.1:9000" || c.Database != "seamline" || c.User != "default" {
		t.Errorf("defaults %+v", c)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	f := func(want string, args ...string) {
		t.Helper()
		c := parse(t, args...)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v gives %v, want %q", args, err, want)
		}
	}
	f("clickhouse.addr is empty", "-clickhouse.addr", " , ")
	f(`"b" is not host:port`, "-clickhouse.addr", "a:1,b")
	f(`":9000" is not host:port`, "-clickhouse.addr", ":9000")
	f("clickhouse.user", "-clickhouse.user", "")
	f("clickhouse.database", "-clickhouse.database", "a-b")
	f("clickhouse.database", "-clickhouse.database", "")
	f("clickhouse.database", "-clickhouse.database", "x; DROP TABLE y")
	f("clickhouse.cluster", "-clickhouse.cluster", "a`b")
	f("belong together", "-clickhouse.tls.enabled", "-clickhouse.tls.cert", "x")
	f("clickhouse.tls.enabled is not", "-clickhouse.tls.ca", "x")
	f("clickhouse.dial-timeout", "-clickhouse.dial-timeout", "0s")
	f("clickhouse.write-timeout", "-clickhouse.write-timeout", "-1s")
	f("clickhouse.connections", "-clickhouse.connections", "0")
	f("clickhouse.connections", "-clickhouse.connections", "65")
	f("clickhouse.squash", "-clickhouse.squash.every", "-1s")
	f("clickhouse.squash", "-clickhouse.squash.grace", "-1s")
	f("clickhouse.squash", "-clickhouse.squash.min", "-1")
	f("clickhouse.properties", "-clickhouse.properties", "xml")
	f("clickhouse.roles", "-clickhouse.roles", "yes")
	f("clickhouse.compression", "-clickhouse.compression", "gzip")
	f("clickhouse.retention.dead-letters", "-clickhouse.retention.dead-letters", "-1")
	f("clickhouse.retention.events", "-clickhouse.retention.events", "10001")
}

func TestCompressionIsForTheNetwork(t *testing.T) {
	t.Parallel()
	f := func(addr, setting string, want ch.Compression) {
		t.Helper()
		c := parse(t, "-clickhouse.addr", addr, "-clickhouse.compression", setting)
		if got, err := c.compression(); got != want || err != nil {
			t.Errorf("%s %s: got %v, %v", addr, setting, got, err)
		}
	}
	f("127.0.0.1:9000", "auto", ch.CompressionDisabled)
	f("localhost:9000,[::1]:9000", "auto", ch.CompressionDisabled)
	f("localhost:9000,db.example.com:9000", "auto", ch.CompressionLZ4)
	f("10.0.0.1:9000", "auto", ch.CompressionLZ4)
	f("10.0.0.1:9000", "none", ch.CompressionDisabled)
	f("127.0.0.1:9000", "zstd", ch.CompressionZSTD)
}

func TestAnswersHaveClasses(t *testing.T) {
	t.Parallel()
	f := func(code proto.Error, isFatal, waits bool) {
		t.Helper()
		err := writeError("write", fmt.Errorf("wrapped: %w", &ch.Exception{Code: code, Name: "DB::Exception", Message: "m"}))
		if got := errors.Is(err, schemas.ErrFatal); got != isFatal {
			t.Errorf("code %d while writing: fatal %v, want %v", code, got, isFatal)
		}
		if got := mayPass(fmt.Errorf("wrapped: %w", &driver.Exception{Code: int32(code)})); got != waits {
			t.Errorf("code %d at the start: waits %v, want %v", code, got, waits)
		}
	}
	f(proto.ErrNoSuchColumnInTable, true, false)
	f(proto.ErrTypeMismatch, true, false)
	f(proto.ErrSyntaxError, true, false)
	f(proto.ErrUnknownTable, true, false)
	f(proto.ErrMemoryLimitExceeded, false, true)
	f(proto.ErrTooManyParts, false, true)
	f(proto.ErrTimeoutExceeded, false, true)
	f(proto.ErrNotEnoughSpace, false, true)
	f(proto.ErrKeeperException, false, true)
	// Somebody may still give the right; but who starts with the wrong password wants to know at once.
	f(proto.ErrAccessDenied, false, false)
	f(proto.ErrAuthenticationFailed, false, false)
	if !mayPass(io.EOF) || errors.Is(writeError("write", io.EOF), schemas.ErrFatal) {
		t.Error("a broken connection is not worth a retry")
	}
	if writeError("write", nil) != nil {
		t.Error("no error became one")
	}
}
