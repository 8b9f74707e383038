package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// profileCommands lists the subcommands of seamline profile.
func profileCommands() []command {
	return []command{
		{"show", "NS:VALUE|PROFILE_ID", "one person as a clerk needs it: stage, cart, orders, preferences, products", runProfileShow},
		{"explain", "NS:VALUE|PROFILE_ID", "each score of one person: value, inputs, model, and the events behind it", runProfileExplain},
	}
}

func runProfile(ctx context.Context, args []string) error {
	return dispatch(ctx, args, profileCommands(), func(out io.Writer) {
		for _, c := range profileCommands() {
			fmt.Fprintf(out, "  seamline profile %-8s %-20s %s\n", c.name, c.args, c.about)
		}
	})
}

func runProfileShow(ctx context.Context, args []string) error {
	return profileCommand(ctx, args, false)
}

func runProfileExplain(ctx context.Context, args []string) error {
	return profileCommand(ctx, args, true)
}

func profileCommand(ctx context.Context, args []string, isExplained bool) error {
	name := "profile show"
	if isExplained {
		name = "profile explain"
	}
	s := defaultSettings()
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print JSON")
	if err := s.parseMixed(fs, args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return usageError{fmt.Errorf("%s: needs one person as NAMESPACE:VALUE or as the id of a profile, and got %d", name, fs.NArg())}
	}
	who, err := parsePerson(fs.Arg(0))
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", name, err)}
	}
	if err := s.ClickHouse.Validate(); err != nil {
		return usageError{err}
	}
	desk, err := openProfileDesk(&s)
	if err != nil {
		return err
	}
	defer desk.reader.Close()
	answer, err := desk.answer(ctx, who, isExplained)
	if err != nil {
		return err
	}
	return show(os.Stdout, *asJSON, answer)
}

// personName names a person by a profile's id or, where that is zero, by an identifier.
type personName struct {
	profile    schemas.ProfileID
	identifier schemas.Identifier
}

// parsePerson reads NAMESPACE:VALUE or the id of a profile.
func parsePerson(text string) (who personName, err error) {
	if id, ok := parseProfileID(text); ok {
		return personName{profile: id}, nil
	}
	if !strings.Contains(text, ":") {
		return who, errors.New("a person is written as NAMESPACE:VALUE, such as email:customer-17@example.com, or as the id of a profile")
	}
	who.identifier, err = parseIdentifier(text)
	return who, err
}

// profileIDChars is the length of an id as it is printed.
const profileIDChars = 36

// parseProfileID reads the id of a profile in the form in which it is printed. The zero id is nobody's.
func parseProfileID(text string) (schemas.ProfileID, bool) {
	id, err := uuid.Parse(text)
	return schemas.ProfileID(id), err == nil && len(text) == profileIDChars && id != uuid.Nil
}

// profileDesk looks people up for clerks and analysts.
type profileDesk struct {
	*identityDesk
	people *clickhouse.ProfileReader
	docs   []score.Doc
}

func openProfileDesk(s *settings) (*profileDesk, error) {
	desk, err := openDesk(s)
	if err != nil {
		return nil, err
	}
	return &profileDesk{identityDesk: desk, people: desk.reader.Profiles(), docs: score.Docs()}, nil
}

// Errors of people who cannot be looked up. None tells a value.
var (
	errQuarantined = errors.New("is quarantined: too many people share it, so that it names nobody")
	errEvidence    = errors.New("is of class evidence: it annotates, and names nobody")
	errNoProfile   = errors.New("no profile has this id, and none had it before a merge")
)

// whose gives the profile that an identifier belongs to.
func (d *profileDesk) whose(ctx context.Context, id schemas.Identifier) (schemas.ProfileID, error) {
	name := "the identifier (" + id.Namespace + ")"
	row, err := d.find(ctx, name, id)
	switch {
	case err != nil:
		return schemas.ProfileID{}, err
	case row.Class == schemas.ClassEvidence:
		return schemas.ProfileID{}, fmt.Errorf("%s %w", name, errEvidence)
	case row.Quarantined:
		return schemas.ProfileID{}, fmt.Errorf("%s %w", name, errQuarantined)
	case row.ProfileID.IsZero():
		return schemas.ProfileID{}, fmt.Errorf("%s %w", name, errUnknown)
	}
	return row.ProfileID, nil
}

// answer gives what is known of a person. The id of a profile that was merged away stands for the one that it became.
func (d *profileDesk) answer(ctx context.Context, who personName, isExplained bool) (*dossier, error) {
	asked, err := who.profile, error(nil)
	if asked.IsZero() {
		if asked, err = d.whose(ctx, who.identifier); err != nil {
			return nil, err
		}
	}
	id, since, isAlias, err := d.reader.Alias(ctx, asked)
	if err != nil {
		return nil, err
	}
	if !isAlias {
		id = asked
	}
	row, lives, err := d.people.Row(ctx, id)
	if err != nil {
		return nil, err
	}
	if !lives {
		return nil, errNoProfile
	}
	found, err := d.people.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	answer, err := d.collect(ctx, found, facts(row))
	if err != nil {
		return nil, err
	}
	if isAlias {
		answer.Alias = &shownAlias{ID: asked, Since: since}
	}
	if isExplained {
		err = d.explainScores(ctx, found, answer, facts(row))
	}
	return answer, err
}
