package clickhouse

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// forward accepts on l and connects what comes to addr, until the test ends.
func forward(t testing.TB, l net.Listener, addr string) {
	t.Helper()
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { join(ctx, in, addr) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		all.Wait()
	})
}

// join copies between a connection and addr until either end closes.
func join(ctx context.Context, in net.Conn, addr string) {
	defer in.Close()
	out, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer out.Close()
	defer context.AfterFunc(ctx, func() { in.Close(); out.Close() })()
	var both sync.WaitGroup
	both.Go(func() { io.Copy(out, in); out.Close() })
	both.Go(func() { io.Copy(in, out); in.Close() })
	both.Wait()
}

func listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// deadAddr is an address that nobody listens on.
func deadAddr(t testing.TB) string {
	l := listen(t, "127.0.0.1:0")
	defer l.Close()
	return l.Addr().String()
}

func TestOpenWaitsForTheServer(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	server := cfg.Addr
	cfg.Addr = deadAddr(t)
	reports := make(chan error, 100)
	opened := make(chan error, 1)
	go func() {
		s, err := Open(t.Context(), cfg, Options{PipelineID: "main", Report: func(err error) { reports <- err }})
		if err == nil {
			err = errors.Join(s.Write(t.Context(), s.sample()), s.Close())
		}
		opened <- err
	}()
	err := <-reports
	if err == nil || !strings.Contains(err.Error(), "waiting for ClickHouse at "+cfg.Addr) {
		t.Errorf("the first report is %v, want what is waited for", err)
	}
	forward(t, listen(t, cfg.Addr), server)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	var last error
	for len(reports) > 0 {
		last = <-reports
	}
	if last != nil {
		t.Errorf("the last report is %v, want that the wait is over", last)
	}
}

func TestOpenStopsWaitingWhenTold(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Addr = deadAddr(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := Open(ctx, cfg, Options{PipelineID: "main", Report: func(error) { cancel(errors.New("told to stop")) }})
	if err == nil || !strings.Contains(err.Error(), "told to stop") || !strings.Contains(err.Error(), cfg.Addr) {
		t.Errorf("Open gives %v", err)
	}
}

func TestSecondHostIsUsed(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	live := cfg.Addr
	// The first host refuses, the second takes connections and closes them.
	rude := listen(t, "127.0.0.1:0")
	defer rude.Close()
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	cfg.Addr = deadAddr(t) + " , " + rude.Addr().String() + "," + live
	s := open(t, cfg)
	write(t, s, s.sample())
	if got := s.pool.host.Load(); got != 2 {
		t.Errorf("the pool stays at host %d, want the one that answers", got)
	}
	if n := one(t, cfg, "SELECT count() FROM events"); n != "1" {
		t.Errorf("%s events, want 1", n)
	}
}

func TestBrokenConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	write(t, s, s.sample())
	// The server or something between closes connections that nobody uses.
	for range cfg.Connections {
		c := <-s.pool.lanes
		if c.client != nil {
			c.client.Close()
		}
		s.pool.lanes <- c
	}
	b := s.sample()
	b.Number = 2
	write(t, s, b)
}

// authority issues certificates for tests.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name+".pem") }

// sign issues a certificate and writes it and its key to files.
func (a *authority) sign(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	keyBytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name: {Type: "CERTIFICATE", Bytes: der}, name + "-key": {Type: "EC PRIVATE KEY", Bytes: keyBytes}} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	server := cfg.Addr
	ca := newAuthority(t)
	ca.sign("server", &x509.Certificate{DNSNames: []string{"clickhouse.example.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	ca.sign("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.LoadX509KeyPair(ca.path("server"), ca.path("server-key"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	forward(t, l, server)

	cfg.Addr = l.Addr().String()
	cfg.TLS, cfg.TLSCA, cfg.TLSCert, cfg.TLSKey, cfg.TLSServerName = true, ca.path("ca"), ca.path("client"), ca.path("client-key"), "clickhouse.example.com"
	for _, compression := range []string{"none", "lz4", "zstd"} {
		cfg.Compression = compression
		s := open(t, cfg)
		b := (&builder{Rand: random(t), events: 100, months: 1, words: 4}).batch(1)
		exec(t, cfg, "TRUNCATE TABLE events")
		write(t, s, b)
		same(t, "events over TLS with "+compression, stored(t, cfg, "events"), expected(b)["events"])
	}

	refused := func(what, want string, change func(*Config)) {
		t.Helper()
		c := cfg
		change(&c)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := Open(ctx, c, Options{PipelineID: "main"}); err == nil || !strings.Contains(err.Error(), want) || ctx.Err() != nil {
			t.Errorf("%s gives %v, want %q at once", what, err, want)
		}
	}
	refused("a foreign authority", "certificate", func(c *Config) { c.TLSCA = newAuthority(t).path("ca") })
	refused("another name", "certificate", func(c *Config) { c.TLSServerName = "elsewhere.example.com" })
	refused("a server without TLS", "tls:", func(c *Config) { c.Addr = answering(t, []byte("this is no TLS")) })
	refused("a missing file", "clickhouse.tls.ca", func(c *Config) { c.TLSCA = ca.path("nothing") })
	refused("a file without a certificate", "no certificate", func(c *Config) { c.TLSCA = ca.path("client-key") })
	refused("a key of another certificate", "clickhouse.tls.cert", func(c *Config) { c.TLSKey = ca.path("server-key") })

	cfg.TLSCA, cfg.TLSServerName, cfg.TLSSkipVerify = "", "", true
	if n := one(t, cfg, "SELECT count() FROM commits FINAL"); n != "1" {
		t.Errorf("%s commits without verification, want 1", n)
	}
}

const usersOverlay = `<clickhouse><users><writer>
  <password><![CDATA[PASSWORD]]></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
  <grants>
    <query>GRANT SELECT, INSERT, ALTER, CREATE, DROP, dictGet ON shop.*</query><query>GRANT SYSTEM RELOAD DICTIONARY ON *.*</query>
    <query>GRANT SELECT ON system.*</query><query>GRANT TABLE ENGINE ON ReplacingMergeTree</query>
  </grants>
</writer></users></clickhouse>`

func TestUserAndPassword(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	setPassword := func(password string) {
		overlay := filepath.Join(dir, "users.d", "writer.xml")
		if err := errors.Join(os.MkdirAll(filepath.Dir(overlay), 0o700), os.WriteFile(overlay, []byte(strings.ReplaceAll(usersOverlay, "PASSWORD", password)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = `it's "a" \secret`, `another\'one`
	setPassword(first)
	server := ownServer(t, dir)
	cfg := DefaultConfig()
	cfg.Addr, cfg.User, cfg.Password, cfg.Database = server.Addr(), "writer", first, "shop"
	merge := func(s *Sink, number uint64) {
		t.Helper()
		from := id(byte(number))
		write(t, s, &schemas.Batch{Number: number, Now: start, Events: []*schemas.Event{event("a", start, schemas.TypeCustom, from)},
			Aliases: []schemas.Alias{{AliasID: from, ProfileID: id(9), Since: start}}})
		if got := one(t, cfg, "SELECT toString(profile_id) FROM events_resolved"); got != text(id(9).String()) {
			t.Errorf("batch %d: the event is of %s, want the profile that it was merged into", number, got)
		}
	}
	s, err := Open(t.Context(), cfg, Options{PipelineID: "main"})
	if err != nil {
		t.Fatal(err)
	}
	merge(s, 1)
	needNoMoreRights(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}

	// The password changes. The dictionary was made with the old one.
	setPassword(second)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Password = second
	var log strings.Builder
	s, err = Open(t.Context(), cfg, Options{PipelineID: "main", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	merge(s, 2)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), second) {
		t.Errorf("the log names the password:\n%s", log.String())
	}
}

// answering is the address of a server that answers the first bytes of a client with its own and hangs up. The embedded engine
// cannot stand in for it, since it does not survive clients that it refuses.
func answering(t testing.TB, words []byte) string {
	l := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := c.Read(make([]byte, 4096)); err == nil {
				c.Write(words)
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestWrongPasswordIsToldAtOnce(t *testing.T) {
	t.Parallel()
	var refusal proto.Buffer
	proto.ServerCodeException.Encode(&refusal)
	e := proto.Exception{Code: proto.ErrAuthenticationFailed, Name: "DB::Exception", Message: "writer: Authentication failed"}
	e.EncodeAware(&refusal, proto.Version)
	cfg := DefaultConfig()
	cfg.Addr, cfg.Password = answering(t, refusal.Buf), "wrong"
	waits := 0
	_, err := Open(t.Context(), cfg, Options{PipelineID: "main", Report: func(error) { waits++ }})
	if err == nil || !strings.Contains(err.Error(), "Authentication failed") || waits > 0 {
		t.Errorf("a wrong password gives %v after %d waits, want an error at once", err, waits)
	}
}

func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	cause := errors.New("syntax error near PASSWORD 'hunter2'")
	err := withoutSecret(cause, "hunter2")
	if strings.Contains(err.Error(), "hunter2") || !errors.Is(err, cause) {
		t.Errorf("got %q", err)
	}
	if err := withoutSecret(cause, ""); err != cause {
		t.Errorf("without a secret the error is %v", err)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	columns, rows, err := Query(t.Context(), cfg, "SELECT number AS n, ? AS s, CAST(NULL AS Nullable(Int8)) AS nothing FROM numbers(2)", "it's")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(columns, " "); got != "n s nothing" {
		t.Errorf("columns %s", got)
	}
	if len(rows) != 2 || rows[1][0] != uint64(1) || rows[1][1] != "it's" || text(rows[1][2]) != "NULL" {
		t.Errorf("rows %v", rows)
	}
	if _, _, err := Query(t.Context(), cfg, "SELECT throwIf(number = 70000, 'half-way') FROM numbers(100000)"); err == nil || !strings.Contains(err.Error(), "half-way") {
		t.Errorf("a query that fails half-way gives %v", err)
	}
	missing := cfg
	missing.Database = "nowhere"
	if _, _, err := Query(t.Context(), missing, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a missing database gives %v", err)
	}
	if _, _, err := Query(t.Context(), cfg, "SELEC 1"); err == nil || !strings.Contains(err.Error(), "Syntax error") {
		t.Errorf("nonsense gives %v", err)
	}
}
