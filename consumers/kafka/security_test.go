package kafka

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/seamline/seamline/schemas"
)

// secured starts a broker with options of its own.
func secured(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(2, "pos", "seamline.audiences", "seamline.dead_letters"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

// reach tells whether the topics can be seen with the settings, and why not.
func reach(t *testing.T, cfg Config) error {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var reported error
	err := EnsureTopics(ctx, cfg, TopicOptions{Feeds: []schemas.Feed{schemas.FeedPOS}, Log: quiet, Report: func(err error) {
		if err != nil && ctx.Err() == nil {
			reported = err
			cancel() // the first failure is enough
		}
	}})
	if err != nil && reported != nil {
		return reported
	}
	return err
}

func TestSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig()
			cfg.Brokers = secured(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "reader", "right"))
			cfg.SASL, cfg.User, cfg.Password = strings.ToLower(mechanism), "reader", "right"
			if err := reach(t, cfg); err != nil {
				t.Errorf("with the right password: %v", err)
			}
			cfg.Password = "wrong"
			if err := reach(t, cfg); err == nil || strings.Contains(err.Error(), "wrong") {
				t.Errorf("with a wrong password: got error %v, want one that does not show it", err)
			}
			cfg.SASL = ""
			if err := reach(t, cfg); err == nil {
				t.Error("without SASL: the broker let us in")
			}
		})
	}
}

func TestOAuthTokenFileIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	c := DefaultConfig()
	c.OAuthFile = file
	for _, token := range []string{"first", "renewed"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if auth, err := c.oauth(); err != nil || auth.Token != token {
			t.Errorf("got token %q, error %v; want %q", auth.Token, err, token)
		}
	}
	c.OAuthFile = file + ".missing"
	if _, err := c.oauth(); err == nil || !strings.Contains(err.Error(), "kafka.sasl.token-file") {
		t.Errorf("a missing file: got error %v", err)
	}
}

// certificate makes an authority-signed pair for 127.0.0.1 and writes the authority, certificate and key as PEM files.
func certificate(t *testing.T) (pair tls.Certificate, ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, write("ca.pem", "CERTIFICATE", der),
		write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	pair, ca, cert, key := certificate(t)
	authority := x509.NewCertPool()
	text, err := os.ReadFile(ca)
	if err != nil || !authority.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	addr := secured(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority}))
	f := func(name string, works bool, change func(c *Config)) {
		t.Helper()
		c := DefaultConfig()
		c.Brokers, c.TLS, c.TLSCA, c.TLSCert, c.TLSKey = addr, true, ca, cert, key
		change(&c)
		if err := reach(t, c); (err == nil) != works {
			t.Errorf("%s: got error %v, want success %v", name, err, works)
		}
	}
	f("mutual TLS", true, func(*Config) {})
	f("without a client certificate", false, func(c *Config) { c.TLSCert, c.TLSKey = "", "" })
	f("without the authority", false, func(c *Config) { c.TLSCA = "" })
	f("any certificate", true, func(c *Config) { c.TLSCA, c.TLSSkipVerify = "", true })
	f("another name", false, func(c *Config) { c.TLSServerName = "kafka.example.com" })
	f("no TLS", false, func(c *Config) { c.TLS = false })
	f("an authority that is no certificate", false, func(c *Config) { c.TLSCA = key })
}

// cutter dials, and can cut every connection that it made.
type cutter struct {
	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func (c *cutter) dial(ctx context.Context, network, host string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, host)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// TestExpiredCredentialsAreSatOut: where the brokers refuse at a reconnection what they took before, gathering and the journal wait
// until it is renewed, and go on by themselves.
func TestExpiredCredentialsAreSatOut(t *testing.T) {
	t.Parallel()
	var expired atomic.Bool
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "pos", "seamline.intents"), kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "reader", "right"), kfake.Superuser("PLAIN", "producer", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	refused := atomic.Int64{}
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.SASLAuthenticateRequest)
		if !expired.Load() || !bytes.Contains(req.SASLAuthBytes, []byte("reader")) {
			return nil, nil, false
		}
		refused.Add(1)
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return resp, nil, true
	})
	var wires cutter
	cfg := DefaultConfig()
	cfg.Brokers, cfg.Wait, cfg.Tick = cluster.ListenAddrs()[0], 20*time.Millisecond, 50*time.Millisecond
	cfg.SASL, cfg.User, cfg.Password, cfg.Extra = "plain", "reader", "right", []kgo.Opt{kgo.Dialer(wires.dial)}
	g, err := Open(t.Context(), cfg, Options{Feeds: []schemas.Feed{schemas.FeedPOS}, Group: "test", Log: quiet, Now: time.Now,
		Report: func(error) {}, Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	j, err := OpenJournal(t.Context(), cfg, JournalOptions{Key: "k", Instance: "i", Now: time.Now, Log: quiet, Waiting: func(string) {},
		Lost: func(error) {}, Report: func(error) {}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer j.abandon()
	if _, _, err := j.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	expired.Store(true)
	wires.cut()
	written := make(chan error, 1)
	go func() { written <- j.Write(t.Context(), &schemas.Intent{Format: schemas.IntentFormat, Batch: 1}) }()
	producer, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers), kgo.SASL(plain.Auth{User: "producer", Pass: "right"}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "pos", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for isRenewed := false; ; {
		var b schemas.Batch
		if err := g.Next(ctx, &b); err != nil {
			t.Fatalf("gathering ended: %v", err)
		}
		if len(b.Records) > 0 {
			if !isRenewed {
				t.Error("records came although the credentials had expired")
			}
			break
		}
		if refused.Load() > 2 && !isRenewed {
			isRenewed = true
			expired.Store(false)
		}
	}
	if err := <-written; err != nil {
		t.Errorf("the journal: %v", err)
	}
}
