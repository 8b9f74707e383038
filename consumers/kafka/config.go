// Package kafka gathers records from Kafka into batches. Settings and a start position come in, batches of records in canonical
// order go out. It never commits a position as truth, never resets one silently, and never looks into a record.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/seamline/seamline/schemas"
)

// Config is how to reach Kafka and what to read there.
type Config struct {
	Brokers string // comma separated

	Clickstream, Email, POS, Catalog, Consent, Survey string // topic names
	Identity                                          string
	Activations, Audiences, DeadLetters, Intents      string

	CreateTopics bool
	Partitions   int
	Replication  int

	TLS           bool
	TLSCA         string
	TLSCert       string
	TLSKey        string
	TLSSkipVerify bool
	TLSServerName string

	SASL       string // "", plain, scram-sha-256, scram-sha-512, oauthbearer
	User       string
	Password   string
	OAuthToken string
	OAuthFile  string

	MessageBytesMax int // of what is produced

	RecordsMax    int
	BytesMax      int
	Wait          time.Duration
	Tick          time.Duration
	RecheckTopics time.Duration
	OrderWait     time.Duration
	Grace         time.Duration

	TakeoverAfter time.Duration

	Extra []kgo.Opt // for every client, such as a dialer; not a setting
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config {
	return Config{
		Clickstream: "clickstream", Email: "email", POS: "pos", Catalog: "catalog", Consent: "consent", Survey: "survey",
		Identity:    "seamline.identity",
		Activations: "seamline.activations", Audiences: "seamline.audiences", DeadLetters: "seamline.dead_letters",
		Intents:    "seamline.intents",
		Partitions: 6, Replication: 1,
		MessageBytesMax: 1_000_012,
		RecordsMax:      150_000, BytesMax: 192 << 20, Wait: 500 * time.Millisecond, Tick: time.Second, RecheckTopics: time.Minute,
		OrderWait: 5 * time.Second, Grace: 5 * time.Second, TakeoverAfter: 10 * time.Second,
	}
}

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Brokers, "kafka.brokers", c.Brokers, "Kafka seed brokers, host:port, comma separated")
	fs.StringVar(&c.Clickstream, "kafka.topics.clickstream", c.Clickstream, "topic of web and app behaviour")
	fs.StringVar(&c.Email, "kafka.topics.email", c.Email, "topic of message events")
	fs.StringVar(&c.POS, "kafka.topics.pos", c.POS, "topic of till receipts")
	fs.StringVar(&c.Catalog, "kafka.topics.catalog", c.Catalog, "topic of SKUs, prices and stock")
	fs.StringVar(&c.Consent, "kafka.topics.consent", c.Consent, "topic of consent and preferences")
	fs.StringVar(&c.Survey, "kafka.topics.survey", c.Survey, "topic of survey answers")
	fs.StringVar(&c.Identity, "kafka.topics.identity", c.Identity, "topic of operators' commands to the identity graph, which seamline identity writes and the line reads")
	fs.StringVar(&c.Activations, "kafka.topics.activations", c.Activations, "topic that activations go to")
	fs.StringVar(&c.Audiences, "kafka.topics.audiences", c.Audiences, "topic that audience entries and exits go to")
	fs.StringVar(&c.DeadLetters, "kafka.topics.dead-letters", c.DeadLetters, "topic that refused records go to")
	fs.StringVar(&c.Intents, "kafka.topics.intents", c.Intents, "topic that each batch's intent is written to before the batch; created when missing")
	fs.BoolVar(&c.CreateTopics, "kafka.topics.create", c.CreateTopics, "create missing topics")
	fs.IntVar(&c.Partitions, "kafka.topics.partitions", c.Partitions, "partitions of topics that Seamline creates")
	fs.IntVar(&c.Replication, "kafka.topics.replication", c.Replication, "replication factor of topics that Seamline creates")
	fs.BoolVar(&c.TLS, "kafka.tls.enabled", c.TLS, "talk TLS to the brokers")
	fs.StringVar(&c.TLSCA, "kafka.tls.ca", c.TLSCA, "PEM file of the authority that signed the brokers' certificates; empty for the system's")
	fs.StringVar(&c.TLSCert, "kafka.tls.cert", c.TLSCert, "PEM file of the client's certificate")
	fs.StringVar(&c.TLSKey, "kafka.tls.key", c.TLSKey, "PEM file of the client's key")
	fs.StringVar(&c.TLSServerName, "kafka.tls.server-name", c.TLSServerName, "name that the brokers' certificates must bear, where it is not the host's")
	fs.BoolVar(&c.TLSSkipVerify, "kafka.tls.skip-verify", c.TLSSkipVerify, "accept any certificate (insecure)")
	fs.StringVar(&c.SASL, "kafka.sasl.mechanism", c.SASL, "plain, scram-sha-256, scram-sha-512 or oauthbearer; empty for none")
	fs.StringVar(&c.User, "kafka.sasl.user", c.User, "SASL user")
	fs.StringVar(&c.Password, "kafka.sasl.password", c.Password, "SASL password")
	fs.StringVar(&c.OAuthToken, "kafka.sasl.token", c.OAuthToken, "OAUTHBEARER token")
	fs.StringVar(&c.OAuthFile, "kafka.sasl.token-file", c.OAuthFile, "file that holds the OAUTHBEARER token; read again at each login, so that it may be renewed")
	fs.IntVar(&c.MessageBytesMax, "kafka.message-bytes-max", c.MessageBytesMax, "largest record batch that is produced; at most the topics' max.message.bytes")
	fs.IntVar(&c.RecordsMax, "batch.records", c.RecordsMax, "most records per batch")
	fs.IntVar(&c.BytesMax, "batch.bytes", c.BytesMax, "bytes of record values after which a batch is closed")
	fs.DurationVar(&c.Wait, "batch.wait", c.Wait, "longest time that a batch waits for more records after its first")
	fs.DurationVar(&c.Tick, "batch.tick", c.Tick, "how often time passes when no records arrive")
	fs.DurationVar(&c.RecheckTopics, "kafka.topics.recheck", c.RecheckTopics, "how often new partitions are looked for")
	fs.DurationVar(&c.OrderWait, "kafka.order.wait", c.OrderWait, "how long a live line waits for a partition that does not deliver before it goes on without keeping the canonical order")
	fs.DurationVar(&c.Grace, "timers.grace", c.Grace, "how long behind the wall clock time passes while no events come, so that events under way are not late")
	fs.DurationVar(&c.TakeoverAfter, "takeover.after", c.TakeoverAfter, "silence of the leading instance after which a standby takes over")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	switch {
	case strings.TrimSpace(c.Brokers) == "":
		return errors.New("kafka.brokers is empty: name the seed brokers, or start everything embedded with `seamline demo`")
	case c.RecordsMax < 1:
		return errors.New("batch.records must be at least 1")
	case c.BytesMax < 1<<20:
		return errors.New("batch.bytes must be at least 1 MiB")
	case c.MessageBytesMax < 10_000 || c.MessageBytesMax > 100<<20:
		return errors.New("kafka.message-bytes-max must be between 10 kB and 100 MiB")
	case c.Wait <= 0 || c.Tick <= 0:
		return errors.New("batch.wait and batch.tick must be longer than nothing")
	case c.OrderWait < 0 || c.Grace < 0:
		return errors.New("kafka.order.wait and timers.grace must not be negative")
	case c.TakeoverAfter < time.Second:
		return errors.New("takeover.after must be at least 1s")
	case c.Partitions < 1 || c.Replication < 1:
		return errors.New("kafka.topics.partitions and kafka.topics.replication must be at least 1")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("kafka.tls.cert and kafka.tls.key belong together")
	}
	if _, err := c.sasl(); err != nil {
		return err
	}
	keys := map[string]string{} // by topic
	for key, name := range c.topicKeys() {
		if name == "" {
			return fmt.Errorf("%s is empty", key)
		}
		if other, taken := keys[name]; taken {
			return fmt.Errorf("%s and %s both name topic %q", min(key, other), max(key, other), name)
		}
		keys[name] = key
	}
	return nil
}

// topicKeys gives the topics by the settings that name them.
func (c *Config) topicKeys() map[string]string {
	return map[string]string{
		"kafka.topics.clickstream": c.Clickstream, "kafka.topics.email": c.Email, "kafka.topics.pos": c.POS,
		"kafka.topics.catalog": c.Catalog, "kafka.topics.consent": c.Consent, "kafka.topics.survey": c.Survey,
		"kafka.topics.activations": c.Activations, "kafka.topics.audiences": c.Audiences, "kafka.topics.dead-letters": c.DeadLetters,
		"kafka.topics.intents": c.Intents, "kafka.topics.identity": c.Identity,
	}
}

// Topics lists every topic that is read or written, sorted.
func (c *Config) Topics() []string {
	return slices.Sorted(maps.Values(c.topicKeys()))
}

// Topic gives the name of a feed's topic.
func (c *Config) Topic(feed schemas.Feed) string {
	switch feed {
	case schemas.FeedClickstream:
		return c.Clickstream
	case schemas.FeedEmail:
		return c.Email
	case schemas.FeedPOS:
		return c.POS
	case schemas.FeedCatalog:
		return c.Catalog
	case schemas.FeedConsent:
		return c.Consent
	case schemas.FeedSurvey:
		return c.Survey
	case schemas.FeedIdentity:
		return c.Identity
	}
	return ""
}

// Options are the connection settings, for every client that talks to these brokers.
func (c *Config) Options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(c.brokers()...), kgo.ClientID("seamline"), kgo.ProducerBatchMaxBytes(int32(c.MessageBytesMax))}
	if c.TLS {
		config, err := c.tls()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	mechanism, err := c.sasl()
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return append(opts, c.Extra...), nil
}

func (c *Config) brokers() []string {
	var brokers []string
	for b := range strings.SplitSeq(c.Brokers, ",") {
		if b = strings.TrimSpace(b); b != "" {
			brokers = append(brokers, b)
		}
	}
	return brokers
}

func (c *Config) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName, InsecureSkipVerify: c.TLSSkipVerify}
	if c.TLSCA != "" {
		pem, err := os.ReadFile(c.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca: no certificate in %s", c.TLSCA)
		}
	}
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (c *Config) sasl() (sasl.Mechanism, error) {
	switch strings.ToLower(c.SASL) {
	case "":
		return nil, nil
	case "plain":
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism(), nil
	case "oauthbearer":
		if c.OAuthToken == "" && c.OAuthFile == "" {
			return nil, errors.New("kafka.sasl.mechanism oauthbearer needs kafka.sasl.token or kafka.sasl.token-file")
		}
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) { return c.oauth() }), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism %q is unknown; use plain, scram-sha-256, scram-sha-512 or oauthbearer", c.SASL)
}

func (c *Config) oauth() (oauth.Auth, error) {
	if c.OAuthFile == "" {
		return oauth.Auth{Token: c.OAuthToken}, nil
	}
	token, err := os.ReadFile(c.OAuthFile)
	if err != nil {
		return oauth.Auth{}, fmt.Errorf("kafka.sasl.token-file: %w", err)
	}
	return oauth.Auth{Token: strings.TrimSpace(string(token))}, nil
}
