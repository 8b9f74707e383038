package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/seamline/seamline/pipeline/explain"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// identityCommands lists the subcommands of seamline identity.
func identityCommands() []command {
	return []command{
		{"explain", "NS:VALUE [NS:VALUE]", "why two identifiers are one person, or why not; or whose one identifier is", runIdentityExplain},
		{"retract", "NS:VALUE [NS:VALUE]", "take a link back, or all links of an identifier", identityOrder(schemas.CommandRetract)},
		{"quarantine", "NS:VALUE", "let an identifier's links carry no longer", identityOrder(schemas.CommandQuarantine)},
		{"release", "NS:VALUE", "end a quarantine", identityOrder(schemas.CommandRelease)},
		{"erase", "NS:VALUE", "make a value unknown: it begins anew with its next event", identityOrder(schemas.CommandErase)},
		{"dry-run", "--rules F", "what other rules would make of the same events", runIdentityDryRun},
	}
}

func runIdentity(ctx context.Context, args []string) error {
	return dispatch(ctx, args, identityCommands(), func(out io.Writer) {
		for _, c := range identityCommands() {
			fmt.Fprintf(out, "  seamline identity %-10s %-20s %s\n", c.name, c.args, c.about)
		}
	})
}

// swallow is a flag whose value nobody looks at.
type swallow struct{ isBool bool }

func (swallow) String() string     { return "" }
func (swallow) Set(string) error   { return nil }
func (s swallow) IsBoolFlag() bool { return s.isBool }

// parseMixed is parse for commands whose arguments may stand before, between and behind the flags.
func (s *settings) parseMixed(fs *flag.FlagSet, args []string) error {
	probe := flag.NewFlagSet("", flag.ContinueOnError)
	probe.SetOutput(io.Discard)
	all := flag.NewFlagSet("", flag.ContinueOnError)
	known := defaultSettings()
	known.flags(all)
	all.String("config", "", "")
	for _, set := range []*flag.FlagSet{all, fs} {
		set.VisitAll(func(f *flag.Flag) {
			b, ok := f.Value.(interface{ IsBoolFlag() bool })
			probe.Var(swallow{ok && b.IsBoolFlag()}, f.Name, "")
		})
	}
	var flags, others []string
	for rest := args; len(rest) > 0; {
		if err := probe.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return s.parse(fs, []string{"-h"})
		} else if err != nil {
			return usageError{fmt.Errorf("%s: %w", fs.Name(), err)}
		}
		taken := rest[:len(rest)-probe.NArg()]
		if rest = probe.Args(); len(taken) > 0 && taken[len(taken)-1] == "--" {
			flags, others, rest = append(flags, taken[:len(taken)-1]...), append(others, rest...), nil
			continue
		}
		flags = append(flags, taken...)
		if len(rest) > 0 {
			others, rest = append(others, rest[0]), rest[1:]
		}
	}
	return s.parse(fs, append(append(flags, "--"), others...))
}

// parseIdentifier reads NS:VALUE. The value may have colons.
func parseIdentifier(text string) (schemas.Identifier, error) {
	namespace, value, found := strings.Cut(text, ":")
	if !found || strings.TrimSpace(namespace) == "" || strings.TrimSpace(value) == "" {
		return schemas.Identifier{}, errors.New("an identifier is written as NAMESPACE:VALUE, such as email:customer-17@example.com")
	}
	return schemas.Identifier{Namespace: strings.TrimSpace(namespace), Value: value}, nil
}

// parseIdentifiers reads between min and max arguments.
func parseIdentifiers(args []string, atLeast, atMost int) ([]schemas.Identifier, error) {
	if len(args) < atLeast || len(args) > atMost {
		if atLeast == atMost {
			return nil, fmt.Errorf("needs %d identifier as NAMESPACE:VALUE, and got %d", atLeast, len(args))
		}
		return nil, fmt.Errorf("needs %d or %d identifiers as NAMESPACE:VALUE, and got %d", atLeast, atMost, len(args))
	}
	ids := make([]schemas.Identifier, len(args))
	for i, text := range args {
		var err error
		if ids[i], err = parseIdentifier(text); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// identityDesk looks identities up for operators.
type identityDesk struct {
	reader *clickhouse.IdentityReader
	rules  *stitch.Rules
	key    []byte
	limits explain.Limits
	rows   int // of identity_log, most per question
}

// identityRowsMax bounds the rows of the identity log that one question reads.
const identityRowsMax = 1_000_000

// openDesk makes a desk for the tables, rules and key of the settings.
func openDesk(s *settings) (*identityDesk, error) {
	rules, err := stitch.ReadRules(s.Identity.Rules)
	if err != nil {
		return nil, err
	}
	key, _, err := s.Identity.Secret()
	if err != nil {
		return nil, err
	}
	reader, err := clickhouse.OpenIdentityReader(s.ClickHouse)
	if err != nil {
		return nil, err
	}
	return &identityDesk{reader: reader, rules: rules, key: key, limits: explain.DefaultLimits(), rows: identityRowsMax}, nil
}

// Errors of identities that cannot be looked up. None tells a value.
var (
	errNamesNobody = errors.New("the value names nobody: it is a placeholder, or has the wrong form for its namespace")
	errUnknown     = errors.New("is unknown: no event has named it under this identity.key")
)

// find looks an identifier up by its value. The name, such as a, is for the error.
func (d *identityDesk) find(ctx context.Context, name string, id schemas.Identifier) (schemas.IdentifierRow, error) {
	hash, ok := d.rules.Hash(d.key, id.Namespace, id.Value)
	if !ok {
		return schemas.IdentifierRow{}, fmt.Errorf("%s: %w", name, errNamesNobody)
	}
	row, known, err := d.reader.Find(ctx, clickhouse.IdentifierKey{Namespace: id.Namespace, Hash: hash})
	if err == nil && !known {
		err = fmt.Errorf("%s %w", name, errUnknown)
	}
	return row, err
}
