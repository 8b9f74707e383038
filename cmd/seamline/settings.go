package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/consumers/catalog"
	"github.com/seamline/seamline/consumers/clickstream"
	"github.com/seamline/seamline/consumers/consent"
	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/consumers/email"
	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/consumers/pos"
	"github.com/seamline/seamline/consumers/survey"
	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/sinks/clickhouse"
	"github.com/seamline/seamline/sinks/export"
)

// settings are all settings of a running Seamline. Each is a YAML key, a flag and an environment variable of one name.
type settings struct {
	Kafka       consumer.Config
	ClickHouse  clickhouse.Config
	Decode      decode.Config
	Clickstream clickstream.Config
	Email       email.Config
	POS         pos.Config
	Catalog     catalog.Config
	Consent     consent.Config
	Survey      survey.Config
	Dedup       dedup.Config
	Identity    stitch.Config
	Score       score.Config
	Audiences   audience.Config
	Contacts    contactsConfig
	Exports     export.Config

	PipelineID      string
	StateDir        string
	StateMemory     byteSize
	CheckpointEvery time.Duration
	BackupEvery     time.Duration
	HTTPAddr        string
	HTTPPprof       bool
	HTTPToken       string
	HTTPTokenFile   string
	LogLevel        string
	LogFormat       string
}

// stateMemoryMin is what batches and the store need in any case.
const stateMemoryMin = 256 << 20

func defaultSettings() settings {
	cache := os.Getenv("XDG_STATE_HOME")
	if cache == "" {
		if home, err := os.UserHomeDir(); err == nil {
			cache = filepath.Join(home, ".local", "state")
		}
	}
	return settings{
		Kafka: consumer.DefaultConfig(), ClickHouse: clickhouse.DefaultConfig(), Decode: decode.DefaultConfig(), Clickstream: clickstream.DefaultConfig(),
		Email: email.DefaultConfig(), POS: pos.DefaultConfig(), Catalog: catalog.DefaultConfig(), Consent: consent.DefaultConfig(), Survey: survey.DefaultConfig(),
		Dedup: dedup.DefaultConfig(), Identity: stitch.DefaultConfig(), Score: score.DefaultConfig(), Audiences: audience.DefaultConfig(),
		Exports:    export.DefaultConfig(),
		PipelineID: "main", StateDir: filepath.Join(cache, "seamline"), CheckpointEvery: 5 * time.Second, BackupEvery: 30 * time.Second,
		HTTPAddr: ":8080", LogLevel: "info", LogFormat: "text",
	}
}

// flags registers every setting. It is the one list that files, environment, flags and `seamline check` share.
func (s *settings) flags(fs *flag.FlagSet) {
	s.Kafka.Flags(fs)
	s.ClickHouse.Flags(fs)
	s.Decode.Flags(fs)
	s.Clickstream.Flags(fs)
	s.Email.Flags(fs)
	s.POS.Flags(fs)
	s.Catalog.Flags(fs)
	s.Consent.Flags(fs)
	s.Survey.Flags(fs)
	s.Dedup.Flags(fs)
	s.Identity.Flags(fs)
	s.Score.Flags(fs)
	s.Audiences.Flags(fs)
	s.Contacts.Flags(fs)
	s.Exports.Flags(fs)
	fs.StringVar(&s.PipelineID, "pipeline.id", s.PipelineID, "name of this pipeline: consumer group, and mark on what it writes")
	fs.StringVar(&s.StateDir, "state.dir", s.StateDir, "directory of checkpoints and intents")
	fs.Var(&s.StateMemory, "state.memory", "ceiling of the process's memory, such as 8GiB: cold state stays on disk, and batches are no larger than fits; 0 for none")
	fs.DurationVar(&s.CheckpointEvery, "state.checkpoint.every", s.CheckpointEvery, "how often changed state is stored")
	fs.DurationVar(&s.BackupEvery, "state.backup.every", s.BackupEvery, "how often stored state is copied to ClickHouse, from which an instance without a state directory restores; 0 for never")
	fs.StringVar(&s.HTTPAddr, "http.addr", s.HTTPAddr, "address of health, readiness, metrics and the API; empty for none")
	fs.StringVar(&s.HTTPToken, "http.token", s.HTTPToken, "bearer token that callers of the API under /v1 must show; without one and without http.token-file nobody is let in")
	fs.StringVar(&s.HTTPTokenFile, "http.token-file", s.HTTPTokenFile, "file that holds http.token; read again at each request, so that it may be renewed")
	fs.BoolVar(&s.HTTPPprof, "http.pprof", s.HTTPPprof, "serve profiles under /debug/pprof/")
	fs.StringVar(&s.LogLevel, "log.level", s.LogLevel, "debug, info, warn or error")
	fs.StringVar(&s.LogFormat, "log.format", s.LogFormat, "text or json")
}

// validate finds settings that cannot work.
func (s *settings) validate() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return fmt.Errorf("log.level: %w", err)
	}
	switch {
	case s.LogFormat != "text" && s.LogFormat != "json":
		return fmt.Errorf("log.format %q is not text or json", s.LogFormat)
	case s.PipelineID == "" || strings.ContainsAny(s.PipelineID, "/ \t\n"):
		return errors.New("pipeline.id must be a word without blanks and slashes")
	case s.StateDir == "":
		return errors.New("state.dir is empty")
	case s.CheckpointEvery <= 0:
		return errors.New("state.checkpoint.every must be longer than nothing")
	case s.BackupEvery < 0:
		return errors.New("state.backup.every must not be negative")
	case s.HTTPToken != "" && s.HTTPTokenFile != "":
		return errors.New("http.token and http.token-file exclude each other")
	case s.HTTPToken != "" && len(s.HTTPToken) < tokenBytesMin:
		return fmt.Errorf("http.token must have at least %d characters", tokenBytesMin)
	case s.StateMemory != 0 && s.StateMemory < stateMemoryMin:
		return errors.New("state.memory must be 0 or at least 256MiB")
	}
	return errors.Join(s.Kafka.Validate(), s.ClickHouse.Validate(), s.Decode.Validate(), s.Email.Validate(), s.POS.Validate(),
		s.Catalog.Validate(), s.Consent.Validate(), s.Survey.Validate(), s.Dedup.Validate(), s.Identity.Validate(),
		s.Score.Validate(), s.Audiences.Validate(), s.Contacts.Validate(), s.Exports.Validate())
}

// logger makes the process's logger.
func (s *settings) logger(out io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // validate has seen to it
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
}

// parse reads flags, then fills what they leave open from the environment and then from the file that --config names.
func (s *settings) parse(fs *flag.FlagSet, args []string) error {
	s.flags(fs)
	var config string
	fs.StringVar(&config, "config", os.Getenv("SEAMLINE_CONFIG"), "YAML file of settings")
	own := map[string]bool{}
	probe := flag.NewFlagSet("", flag.ContinueOnError)
	defaultProbe := defaultSettings()
	defaultProbe.flags(probe)
	probe.VisitAll(func(f *flag.Flag) { own[f.Name] = true })
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var failed error
	fs.VisitAll(func(f *flag.Flag) {
		if !own[f.Name] || given[f.Name] {
			return
		}
		if value, ok := os.LookupEnv(envName(f.Name)); ok {
			given[f.Name] = true
			if err := fs.Set(f.Name, value); err != nil && failed == nil {
				failed = fmt.Errorf("%s: %w", envName(f.Name), err)
			}
		}
	})
	if failed != nil {
		return usageError{failed}
	}
	if config == "" {
		return nil
	}
	return readFile(config, fs, own, given)
}

// parseFlags makes a mistake in flags a usage error.
func parseFlags(fs *flag.FlagSet, args []string) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Printf("flags of seamline %s:\n", fs.Name())
		fs.SetOutput(os.Stdout)
		fs.PrintDefaults()
		return err
	}
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", fs.Name(), err)}
	}
	return nil
}

// envName gives the environment variable of a setting: kafka.brokers is SEAMLINE_KAFKA_BROKERS.
func envName(key string) string {
	return "SEAMLINE_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// readFile sets what the file holds and flags and environment have not set. Errors name file and line.
func readFile(path string, fs *flag.FlagSet, own, given map[string]bool) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return usageError{fmt.Errorf("config: %w", err)}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return usageError{fmt.Errorf("config: %s: %w", path, err)}
	}
	if len(root.Content) == 0 {
		return nil
	}
	values := map[string]*yaml.Node{}
	if err := flatten(root.Content[0], "", values); err != nil {
		return usageError{fmt.Errorf("config: %s: %w", path, err)}
	}
	for key, node := range values {
		if !own[key] {
			return usageError{fmt.Errorf("config: %s: line %d: unknown setting %s%s", path, node.Line, key, nearest(key, own))}
		}
		if given[key] {
			continue
		}
		if err := fs.Set(key, scalar(node)); err != nil {
			return usageError{fmt.Errorf("config: %s: line %d: %s: %w", path, node.Line, key, err)}
		}
	}
	return nil
}

// flatten turns nested mappings into dotted keys.
func flatten(node *yaml.Node, prefix string, into map[string]*yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: settings must be a mapping", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := prefix+node.Content[i].Value, node.Content[i+1]
		if value.Kind == yaml.MappingNode {
			if err := flatten(value, key+".", into); err != nil {
				return err
			}
			continue
		}
		if into[key] != nil {
			return fmt.Errorf("line %d: %s is set twice", value.Line, key)
		}
		into[key] = value
	}
	return nil
}

// scalar gives a value's text; a sequence becomes a comma-separated list.
func scalar(node *yaml.Node) string {
	if node.Kind != yaml.SequenceNode {
		if node.Tag == "!!null" {
			return ""
		}
		return node.Value
	}
	parts := make([]string, 0, len(node.Content))
	for _, n := range node.Content {
		parts = append(parts, n.Value)
	}
	return strings.Join(parts, ",")
}

// nearest suggests a setting that ends or begins alike.
func nearest(key string, own map[string]bool) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	var found []string
	for name := range own {
		if strings.HasSuffix(name, "."+last) || strings.HasPrefix(name, key) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	return "; did you mean " + strings.Join(found[:min(3, len(found))], " or ") + "?"
}

// secret tells whether a setting's value must not be printed.
func secret(key string) bool {
	return strings.HasSuffix(key, "password") || strings.HasSuffix(key, ".token") || key == "identity.key" || key == "contacts.key"
}

// print writes every setting in effect as YAML, one a line, secrets hidden.
func (s *settings) print(out io.Writer) error {
	fs := flag.NewFlagSet("settings", flag.ContinueOnError)
	effective := *s
	effective.flags(fs)
	var failed error
	fs.VisitAll(func(f *flag.Flag) {
		value := f.DefValue // the values of effective became the defaults when they were registered
		if secret(f.Name) && value != "" {
			value = "(set)"
		}
		line, err := yaml.Marshal(map[string]string{f.Name: value})
		if err == nil {
			_, err = out.Write(line)
		}
		failed = errors.Join(failed, err)
	})
	return failed
}

// byteSize is a number of bytes that may be written with a unit, such as 8GiB.
type byteSize int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

// String gives the value in the largest unit that divides it.
func (b *byteSize) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if unit := byteUnits[u]; *b != 0 && int64(*b)%unit.bytes == 0 {
			return strconv.FormatInt(int64(*b)/unit.bytes, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Set reads a number with or without a unit.
func (b *byteSize) Set(text string) error {
	number, unit := text, int64(1)
	for _, u := range byteUnits {
		if rest, found := strings.CutSuffix(text, u.suffix); found {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n*float64(unit) > 1<<60 {
		return fmt.Errorf("%q is not a size such as 8GiB", text)
	}
	*b = byteSize(n * float64(unit))
	return nil
}
