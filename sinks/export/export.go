// Package export makes lists of audiences that advertising platforms can pull. Memberships, consent and hashes of contact data come in from
// ClickHouse; immutable files, and a ledger of who was added and removed with which keys, go out.
// It never lists a person without consent, never shows half a change, and never sees an address in clear unless it was told to.
package export

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
)

// Config says which lists there are and what is in them.
type Config struct {
	Credentials string // file of who may pull; empty for nobody
	Dir         string // of standing lists
	Every       time.Duration
	Keep        time.Duration
	ChangesKeep time.Duration
	Platforms   string
	Purposes    string
	Unset       string
	User        string
	Password    string

	FilesDir     string
	FilesLists   string
	FilesFormats string
	FilesEvery   time.Duration
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config {
	return Config{Every: 5 * time.Minute, Keep: 24 * time.Hour, ChangesKeep: 90 * 24 * time.Hour, Purposes: "ads_user_data,ads_personalization",
		Unset: "EEA=deny,UK=deny,CH=deny,unknown=deny,*=allow", FilesLists: "*:generic", FilesFormats: FormatCSV, FilesEvery: time.Hour}
}

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Credentials, "exports.credentials", c.Credentials, "YAML file of who may pull which audiences for which platforms, made with `seamline export credential`; read again when it changes; empty for nobody")
	fs.StringVar(&c.Dir, "exports.dir", c.Dir, "directory of the standing lists of audiences; empty for the name of state.dir with -exports behind it")
	fs.DurationVar(&c.Every, "exports.every", c.Every, "how often lists are made anew where somebody has entered or left, or answered about consent")
	fs.DurationVar(&c.Keep, "exports.keep", c.Keep, "how long a list that a newer one has replaced stays, so that a download may go on")
	fs.DurationVar(&c.ChangesKeep, "exports.changes-keep", c.ChangesKeep, "how far back a cursor of changes may lie; an older one is answered with 410")
	fs.StringVar(&c.Platforms, "exports.platforms", c.Platforms, "YAML file of platforms that take the place of shipped ones or add to them")
	fs.StringVar(&c.Purposes, "exports.consent.purposes", c.Purposes, "purposes that a person must have granted to be exported, comma separated, unless the platform names its own")
	fs.StringVar(&c.Unset, "exports.consent-unset", c.Unset, "whether people are exported who never answered, by country: deny or allow for EEA, UK, CH, a country such as US, unknown, and * for all others; the first that fits counts")
	fs.StringVar(&c.User, "exports.user", c.User, "ClickHouse user that reads memberships and contact data and writes the ledger; empty for clickhouse.user")
	fs.StringVar(&c.Password, "exports.password", c.Password, "password of exports.user")
	fs.StringVar(&c.FilesDir, "exports.files.dir", c.FilesDir, "directory that lists are written to as <audience>.<platform>.<format>, with checksums and a manifest; empty for none")
	fs.StringVar(&c.FilesLists, "exports.files.lists", c.FilesLists, "lists that are written there, AUDIENCE:PLATFORM, comma separated; an audience may be a pattern such as *")
	fs.StringVar(&c.FilesFormats, "exports.files.formats", c.FilesFormats, "formats of those files: csv, tsv, ndjson, comma separated")
	fs.DurationVar(&c.FilesEvery, "exports.files.every", c.FilesEvery, "how often those files are written")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.Every < time.Second || c.FilesEvery < time.Second:
		return errors.New("exports.every and exports.files.every must be at least 1s")
	case c.Keep < 0 || c.ChangesKeep < 0:
		return errors.New("exports.keep and exports.changes-keep must not be negative")
	case c.User == "" && c.Password != "":
		return errors.New("exports.password is set, but exports.user is not")
	}
	for _, purpose := range words(c.Purposes) {
		if !purposeName.MatchString(purpose) {
			return fmt.Errorf("exports.consent.purposes: %q is no purpose such as ads_user_data", purpose)
		}
	}
	if len(words(c.Purposes)) == 0 {
		return errors.New("exports.consent.purposes is empty: nobody is exported without consent")
	}
	if _, err := parseUnset(c.Unset); err != nil {
		return fmt.Errorf("exports.consent-unset: %w", err)
	}
	platforms, err := ReadPlatforms(c.Platforms)
	if err != nil {
		return err
	}
	_, err = c.fileLists(platforms)
	return err
}

// IsOn tells whether there is anybody to make lists for.
func (c *Config) IsOn() bool { return c.Credentials != "" || c.FilesDir != "" }

var (
	purposeName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	audienceName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

func words(text string) []string {
	var found []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			found = append(found, word)
		}
	}
	return found
}

// List names one list: an audience for a platform.
type List struct{ Audience, Platform string }

// String gives the form of settings.
func (l List) String() string { return l.Audience + ":" + l.Platform }

// Dial opens a connection to ClickHouse, which the caller closes.
type Dial func(ctx context.Context) (*ch.Client, error)
