package clickhouse

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/seamline/seamline/schemas/tables"
)

// Config is how to reach ClickHouse and how to keep data there.
type Config struct {
	Addr     string // host:port, comma separated: several hosts of one cluster, tried in order
	User     string
	Password string
	Database string
	Cluster  string // tables are replicated over it; empty for tables of one server

	TLS           bool
	TLSCA         string
	TLSCert       string
	TLSKey        string
	TLSServerName string
	TLSSkipVerify bool

	Compression  string // auto, none, lz4 or zstd
	Properties   string // string or json
	Roles        string // auto, on or off: whether roles are made for those who read
	DialTimeout  time.Duration
	WriteTimeout time.Duration // of one INSERT
	Connections  int           // INSERTs at the same time
	SquashEvery  time.Duration // how often old rows are given the person that they belong to by now; 0 for never
	SquashMin    int           // but not for fewer aliases and leaves
	SquashGrace  time.Duration // how long a query may take and still be right then
	Fsync        bool          // tables of one server flush rows to disk before they say that they have them

	Retention Retention
}

// Retention says for how many days rows are kept, by table; 0 keeps them for ever. Tables that hold what is now have none, since
// a row of theirs that went away would be as if the person had never been; nor have aliases, which resolve for ever.
type Retention struct {
	EventsDays, OrderLinesDays, IdentityLogDays, AudienceChangesDays, DeadLettersDays, CommitsDays int
	JourneyChangesDays, ConsentsDays, SurveyAnswersDays                                            int
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config {
	return Config{Addr: "127.0.0.1:9000", User: "default", Database: "seamline", Compression: "auto", Properties: "string", Roles: rolesAuto,
		DialTimeout: 10 * time.Second, WriteTimeout: 5 * time.Minute, Connections: 4, Fsync: true,
		SquashEvery: 10 * time.Minute, SquashMin: 20_000, SquashGrace: 5 * time.Minute}
}

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Addr, "clickhouse.addr", c.Addr, "ClickHouse servers, host:port of the native protocol, comma separated; tried in order")
	fs.StringVar(&c.User, "clickhouse.user", c.User, "ClickHouse user")
	fs.StringVar(&c.Password, "clickhouse.password", c.Password, "ClickHouse password")
	fs.StringVar(&c.Database, "clickhouse.database", c.Database, "database that holds the tables; created when missing")
	fs.StringVar(&c.Cluster, "clickhouse.cluster", c.Cluster, "cluster that tables are created on and replicated over; empty for one server")
	fs.BoolVar(&c.TLS, "clickhouse.tls.enabled", c.TLS, "talk TLS to ClickHouse")
	fs.StringVar(&c.TLSCA, "clickhouse.tls.ca", c.TLSCA, "PEM file of the authority that signed the servers' certificates; empty for the system's")
	fs.StringVar(&c.TLSCert, "clickhouse.tls.cert", c.TLSCert, "PEM file of the client's certificate")
	fs.StringVar(&c.TLSKey, "clickhouse.tls.key", c.TLSKey, "PEM file of the client's key")
	fs.StringVar(&c.TLSServerName, "clickhouse.tls.server-name", c.TLSServerName, "name that the servers' certificates must bear, where it is not the host's")
	fs.BoolVar(&c.TLSSkipVerify, "clickhouse.tls.skip-verify", c.TLSSkipVerify, "accept any certificate (insecure)")
	fs.StringVar(&c.Compression, "clickhouse.compression", c.Compression, "none, lz4 or zstd on the wire; auto is none on loopback and lz4 elsewhere")
	fs.StringVar(&c.Properties, "clickhouse.properties", c.Properties, "type of events.properties when the table is created: string or json")
	fs.StringVar(&c.Roles, "clickhouse.roles", c.Roles, "make roles for analysts, marketers, exports and clear contact data: on, off, or auto for where the server lets us")
	fs.DurationVar(&c.DialTimeout, "clickhouse.dial-timeout", c.DialTimeout, "longest time to connect and log in")
	fs.DurationVar(&c.WriteTimeout, "clickhouse.write-timeout", c.WriteTimeout, "longest time for one INSERT, after which it is tried again")
	fs.IntVar(&c.Connections, "clickhouse.connections", c.Connections, "most INSERTs at the same time")
	fs.DurationVar(&c.SquashEvery, "clickhouse.squash.every", c.SquashEvery, "how often merges and unmerges are written into old rows, so that queries need not look them up any more; 0 for never")
	fs.IntVar(&c.SquashMin, "clickhouse.squash.min", c.SquashMin, "least number of merges and unmerges that are worth rewriting rows for, unless one waits for a day")
	fs.DurationVar(&c.SquashGrace, "clickhouse.squash.grace", c.SquashGrace, "longest query that is still right about people while rows are rewritten")
	fs.BoolVar(&c.Fsync, "clickhouse.fsync", c.Fsync, "rows are on disk before a batch counts as written, so that a power cut loses none; tables of a cluster rely on their replicas instead")
	fs.IntVar(&c.Retention.EventsDays, "clickhouse.retention.events", c.Retention.EventsDays, "days that events are kept; 0 for ever")
	fs.IntVar(&c.Retention.OrderLinesDays, "clickhouse.retention.order-lines", c.Retention.OrderLinesDays, "days that order lines are kept; 0 for ever")
	fs.IntVar(&c.Retention.IdentityLogDays, "clickhouse.retention.identity-log", c.Retention.IdentityLogDays, "days that decisions about identity are kept; 0 for ever")
	fs.IntVar(&c.Retention.AudienceChangesDays, "clickhouse.retention.audience-changes", c.Retention.AudienceChangesDays, "days that entries and exits are kept; 0 for ever")
	fs.IntVar(&c.Retention.DeadLettersDays, "clickhouse.retention.dead-letters", c.Retention.DeadLettersDays, "days that refused records are kept; 0 for ever")
	fs.IntVar(&c.Retention.CommitsDays, "clickhouse.retention.commits", c.Retention.CommitsDays, "days that the rows of batches are kept; 0 for ever")
	fs.IntVar(&c.Retention.JourneyChangesDays, "clickhouse.retention.journey-changes", c.Retention.JourneyChangesDays, "days that steps of journeys are kept; 0 for ever")
	fs.IntVar(&c.Retention.ConsentsDays, "clickhouse.retention.consents", c.Retention.ConsentsDays, "days that answers about consent are kept, which prove what was agreed to; 0 for ever")
	fs.IntVar(&c.Retention.SurveyAnswersDays, "clickhouse.retention.survey-answers", c.Retention.SurveyAnswersDays, "days that answers to surveys are kept; 0 for ever")
}

// plainName is what names of databases and clusters may be, so that they need no quotes anywhere.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	hosts := c.hosts()
	if len(hosts) == 0 {
		return errors.New("clickhouse.addr is empty: name a server as host:port")
	}
	for _, h := range hosts {
		if host, port, err := net.SplitHostPort(h); err != nil || host == "" || port == "" {
			return fmt.Errorf("clickhouse.addr: %q is not host:port", h)
		}
	}
	switch {
	case c.User == "":
		return errors.New("clickhouse.user is empty")
	case !plainName.MatchString(c.Database):
		return fmt.Errorf("clickhouse.database %q: use letters, digits and underscores, not beginning with a digit", c.Database)
	case c.Cluster != "" && !plainName.MatchString(c.Cluster):
		return fmt.Errorf("clickhouse.cluster %q: use letters, digits and underscores, not beginning with a digit", c.Cluster)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("clickhouse.tls.cert and clickhouse.tls.key belong together")
	case !c.TLS && (c.TLSCA != "" || c.TLSCert != "" || c.TLSServerName != "" || c.TLSSkipVerify):
		return errors.New("clickhouse.tls.* is set, but clickhouse.tls.enabled is not")
	case c.DialTimeout <= 0 || c.WriteTimeout <= 0:
		return errors.New("clickhouse.dial-timeout and clickhouse.write-timeout must be longer than nothing")
	case c.Connections < 1 || c.Connections > connectionsMax:
		return fmt.Errorf("clickhouse.connections must be between 1 and %d", connectionsMax)
	case c.SquashEvery < 0 || c.SquashGrace < 0 || c.SquashMin < 0:
		return errors.New("clickhouse.squash.every, clickhouse.squash.min and clickhouse.squash.grace must not be negative")
	case !slices.Contains([]string{rolesAuto, rolesOn, rolesOff}, c.Roles):
		return fmt.Errorf("clickhouse.roles %q is unknown; use auto, on or off", c.Roles)
	case c.Properties != "string" && c.Properties != "json":
		return fmt.Errorf("clickhouse.properties %q is unknown; use string or json", c.Properties)
	}
	if _, err := c.compression(); err != nil {
		return err
	}
	return c.Retention.validate()
}

const (
	connectionsMax = 64
	// ClickHouse reckons the end of a row in seconds that end in 2106, and a sum beyond wraps around: the row would go at once.
	retentionDaysMax = 10_000
)

func (r *Retention) validate() error {
	for _, k := range r.tables() {
		if k.days < 0 || k.days > retentionDaysMax {
			return fmt.Errorf("clickhouse.retention.%s must be between 0 and %d days", strings.ReplaceAll(k.table, "_", "-"), retentionDaysMax)
		}
	}
	return nil
}

// kept is how long a table's rows are kept, by which of their times.
type kept struct {
	table, column string
	days          int
}

func (r *Retention) tables() []kept {
	return []kept{
		{"events", "event_time", r.EventsDays}, {"order_lines", "time", r.OrderLinesDays}, {"identity_log", "time", r.IdentityLogDays},
		{"audience_changes", "time", r.AudienceChangesDays}, {"dead_letters", "time", r.DeadLettersDays}, {"commits", "time", r.CommitsDays},
		{"journey_changes", "time", r.JourneyChangesDays}, {"consents", "time", r.ConsentsDays}, {"survey_answers", "time", r.SurveyAnswersDays},
	}
}

func (c *Config) hosts() []string {
	var hosts []string
	for h := range strings.SplitSeq(c.Addr, ",") {
		if h = strings.TrimSpace(h); h != "" {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func (c *Config) isLoopback() bool {
	for _, h := range c.hosts() {
		host, _, err := net.SplitHostPort(h)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// compression on the wire. On loopback, compressing costs more than all else that the client does.
func (c *Config) compression() (ch.Compression, error) {
	switch c.Compression {
	case "auto":
		if c.isLoopback() {
			return ch.CompressionDisabled, nil
		}
		return ch.CompressionLZ4, nil
	case "none":
		return ch.CompressionDisabled, nil
	case "lz4":
		return ch.CompressionLZ4, nil
	case "zstd":
		return ch.CompressionZSTD, nil
	}
	return 0, fmt.Errorf("clickhouse.compression %q is unknown; use auto, none, lz4 or zstd", c.Compression)
}

func (c *Config) tls() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName, InsecureSkipVerify: c.TLSSkipVerify}
	if c.TLSCA != "" {
		pem, err := os.ReadFile(c.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("clickhouse.tls.ca: no certificate in %s", c.TLSCA)
		}
	}
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.tls.cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// anyDatabase is one that every server has. Nobody logs in to a database that may be missing: statements name theirs, and the
// embedded engine does not survive such a login.
const anyDatabase = "system"

// open makes a driver for statements and queries, with one connection. It connects when it is first used.
func (c *Config) open() (driver.Conn, error) {
	tls, err := c.tls()
	if err != nil {
		return nil, err
	}
	return driver.Open(&driver.Options{
		Addr: c.hosts(), ConnOpenStrategy: driver.ConnOpenInOrder, TLS: tls, DialTimeout: c.DialTimeout, ReadTimeout: c.WriteTimeout,
		Auth:         driver.Auth{Database: anyDatabase, Username: c.User, Password: c.Password},
		Settings:     driver.Settings{"async_insert": 0},
		MaxIdleConns: 1, MaxOpenConns: 1,
	})
}

// values fill the places of the schema's statements.
func (c *Config) values() tables.Values {
	v := tables.Values{Database: c.Database, Cluster: c.Cluster, Properties: "String"}
	if c.Properties == "json" {
		v.Properties = "JSON"
	}
	if c.User != "default" || c.Password != "" {
		v.Credentials = fmt.Sprintf("USER %s PASSWORD %s ", quote(c.User), quote(c.Password))
	}
	return v
}

// quote makes an SQL string.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
