package export

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

//go:embed platforms.yaml
var shippedPlatforms []byte

// Form is which of a value's forms a platform takes.
type Form string

// The forms of values.
const (
	FormPlain     Form = "plain"
	FormGoogle    Form = "google"
	FormUID2      Form = "uid2"
	FormClear     Form = "clear"
	FormDecrypted Form = "decrypted"
)

// Rows is what a row of a list stands for.
type Rows string

// What a row stands for.
const (
	RowsPerson     Rows = "person"
	RowsIdentifier Rows = "identifier"
)

// Column is one column of a platform's files.
type Column struct {
	Name     string  `yaml:"name"`
	Key      string  `yaml:"key"`
	Form     Form    `yaml:"form"`
	Upper    bool    `yaml:"upper"`    // a value in clear is written in upper case
	Constant *string `yaml:"constant"` // what stands in every row; nil for a column with a key
	kind     kind
}

// Platform says what a platform takes, and its limits.
type Platform struct {
	Name              string     `yaml:"-"`
	CheckedOn         string     `yaml:"checked_on"` // when somebody held this against the sources
	Sources           []string   `yaml:"sources"`
	Doubts            string     `yaml:"doubts"`
	Rows              Rows       `yaml:"rows"`
	Encoding          string     `yaml:"encoding"`
	Header            bool       `yaml:"header"`
	Columns           []Column   `yaml:"columns"`
	Together          [][]string `yaml:"together"`
	Anchors           []string   `yaml:"anchors"`
	Purposes          []string   `yaml:"purposes"` // of consent; empty for those of the settings
	MinSize           int        `yaml:"min_size"`
	MembershipDaysMax int        `yaml:"membership_days_max"`
	RequestRowsMax    int        `yaml:"request_rows_max"`
	ListRowsMax       int        `yaml:"list_rows_max"`
	KeysMax           int        `yaml:"keys_max"` // of one person; 0 for no limit
	Formats           []string   `yaml:"formats"`

	forms    [kindCount]Form // by kind; empty for kinds that the platform does not take
	upper    [kindCount]bool
	together []kindSet
	anchors  kindSet
}

// Formats that lists are written in.
const (
	FormatCSV    = "csv"
	FormatTSV    = "tsv"
	FormatNDJSON = "ndjson"
)

// Formats lists the formats.
func Formats() []string { return []string{FormatCSV, FormatTSV, FormatNDJSON} }

var platformName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// keysPerPersonMax bounds what one person may have on a list, whatever the platform says.
const keysPerPersonMax = 100

// ReadPlatforms gives the shipped platforms, with those of a file in their place; an empty path names no file.
func ReadPlatforms(path string) (map[string]*Platform, error) {
	platforms, err := parsePlatforms(shippedPlatforms)
	if err != nil {
		return nil, fmt.Errorf("shipped platforms: %w", err)
	}
	if path == "" {
		return platforms, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("exports.platforms: %w", err)
	}
	own, err := parsePlatforms(text)
	if err != nil {
		return nil, fmt.Errorf("exports.platforms: %s: %w", path, err)
	}
	maps.Copy(platforms, own)
	return platforms, nil
}

func parsePlatforms(text []byte) (map[string]*Platform, error) {
	var platforms map[string]*Platform
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&platforms); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(platforms)) {
		p := platforms[name]
		if p == nil || !platformName.MatchString(name) {
			return nil, fmt.Errorf("platform %q: a name is lower-case letters, digits and underscores, and stands before what the platform takes", name)
		}
		p.Name = name
		if err := p.prepare(); err != nil {
			return nil, fmt.Errorf("platform %s: %w", name, err)
		}
	}
	return platforms, nil
}

// prepare checks a platform and fills what is derived from its columns.
func (p *Platform) prepare() error {
	if _, err := time.Parse(time.DateOnly, p.CheckedOn); err != nil {
		return fmt.Errorf("checked_on %q is no date such as 2026-09-21", p.CheckedOn)
	}
	switch {
	case p.Rows != RowsPerson && p.Rows != RowsIdentifier:
		return fmt.Errorf("rows %q is neither person nor identifier", p.Rows)
	case p.Encoding != "hex" && p.Encoding != "base64":
		return fmt.Errorf("encoding %q is neither hex nor base64", p.Encoding)
	case p.MinSize < 0 || p.MembershipDaysMax < 0 || p.RequestRowsMax < 0 || p.ListRowsMax < 0 || p.KeysMax < 0:
		return errors.New("a limit is negative")
	case len(p.Formats) == 0 || slices.ContainsFunc(p.Formats, func(f string) bool { return !slices.Contains(Formats(), f) }):
		return fmt.Errorf("formats are some of %s", strings.Join(Formats(), ", "))
	}
	if p.KeysMax == 0 || p.KeysMax > keysPerPersonMax {
		p.KeysMax = keysPerPersonMax
	}
	if err := p.prepareColumns(); err != nil {
		return err
	}
	return p.prepareSets()
}

func (p *Platform) prepareColumns() error {
	keyed := 0
	for i := range p.Columns {
		c := &p.Columns[i]
		if c.Constant != nil {
			if c.Key != "" || c.Form != "" {
				return fmt.Errorf("column %q has a constant and a key", c.Name)
			}
			continue
		}
		kind, known := kindOf(c.Key)
		if !known {
			return fmt.Errorf("column %q has the key %q; keys are %s", c.Name, c.Key, strings.Join(kindNames[:], ", "))
		}
		if err := checkForm(kind, c.Form); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		if p.forms[kind] != "" && (p.forms[kind] != c.Form || p.upper[kind] != c.Upper) {
			return fmt.Errorf("columns of %s have different forms", c.Key)
		}
		c.kind, p.forms[kind], p.upper[kind] = kind, c.Form, c.Upper
		keyed++
	}
	if keyed == 0 || p.Rows == RowsIdentifier && keyed > 1 {
		return errors.New("no column has a key, or several have one where rows are identifiers")
	}
	return nil
}

// checkForm finds forms that a value does not have.
func checkForm(k kind, form Form) error {
	inClear := k == kindCountry || k == kindMobileID || k == kindProfileID
	switch form {
	case FormPlain, FormGoogle, FormUID2:
		if k == kindProfileID || k == kindMobileID {
			return fmt.Errorf("%s has no hash: use clear", k)
		}
	case FormClear:
		if !inClear {
			return fmt.Errorf("%s is not kept in clear", k)
		}
	case FormDecrypted:
		if inClear {
			return fmt.Errorf("%s is not encrypted", k)
		}
	default:
		return fmt.Errorf("form %q is none of plain, google, uid2, clear, decrypted", form)
	}
	return nil
}

func (p *Platform) prepareSets() error {
	for _, names := range p.Together {
		set, err := p.setOf(names)
		if err != nil {
			return fmt.Errorf("together: %w", err)
		}
		p.together = append(p.together, set)
	}
	var err error
	if p.anchors, err = p.setOf(p.Anchors); err != nil || p.anchors == 0 {
		return errors.Join(errors.New("anchors must be some keys of the columns"), err)
	}
	return nil
}

func (p *Platform) setOf(names []string) (set kindSet, err error) {
	for _, name := range names {
		kind, known := kindOf(name)
		if !known || p.forms[kind] == "" {
			return 0, fmt.Errorf("%q is the key of no column", name)
		}
		set |= 1 << kind
	}
	return set, nil
}
