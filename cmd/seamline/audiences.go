package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/schemas"
)

func audiencesCommands() []command {
	return []command{
		{"check", "[--file F]", "find mistakes in a file of audiences, and list what it defines", runAudiencesCheck},
		{"preview", "[--file F] [flags]", "how large audiences are, how they overlap, and what other rules would change; touches nothing", runAudiencesPreview},
	}
}

func runAudiences(ctx context.Context, args []string) error {
	return dispatch(ctx, args, audiencesCommands(), func(out io.Writer) {
		for _, c := range audiencesCommands() {
			fmt.Fprintf(out, "  seamline audiences %-8s %-20s %s\n", c.name, c.args, c.about)
		}
	})
}

func runAudiencesCheck(_ context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("audiences check", flag.ContinueOnError)
	file := fs.String("file", "", "file of audiences; empty for the one that audiences.rules names, or the shipped ones")
	asJSON := fs.Bool("json", false, "print JSON")
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return usageError{fmt.Errorf("audiences check: it takes no arguments, only flags: %q", fs.Arg(0))}
	}
	list, err := checkAudiences(&s, *file)
	if err != nil {
		return err
	}
	return show(os.Stdout, *asJSON, list)
}

// checkedAudiences lists what a file defines.
type checkedAudiences struct {
	File      string            `json:"file,omitempty"` // empty for the shipped audiences
	Audiences []checkedAudience `json:"audiences"`
}

type checkedAudience struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	When        string `json:"when"`
}

// checkAudiences reads a file of audiences; an empty path gives those in force.
func checkAudiences(s *settings, path string) (*checkedAudiences, error) {
	if path == "" {
		path = s.Audiences.Rules
	}
	rules, err := audience.ReadRules(path)
	if err != nil {
		return nil, err
	}
	list := &checkedAudiences{File: path, Audiences: []checkedAudience{}}
	for i := range rules {
		list.Audiences = append(list.Audiences, checkedAudience{Name: rules[i].Name, Description: rules[i].Description, When: rules[i].When})
	}
	return list, nil
}

func (c *checkedAudiences) print(out io.Writer) error {
	name := c.File
	if name == "" {
		name = "the shipped audiences"
	}
	rows := make([][]any, len(c.Audiences))
	for i, a := range c.Audiences {
		rows[i] = []any{a.Name, a.Description}
	}
	_, err := fmt.Fprintf(out, "%s: %s, no mistakes\n\n%s", name, number(len(c.Audiences), "audience"), table([]string{"audience", "description"}, rows))
	return err
}

// previewOptions say what a preview compares, and how much of it is shown.
type previewOptions struct {
	file string       // of the rules to try; empty for a look at those in force
	only string       // the audience to show; empty for all
	now  schemas.Time // 0 for the wall clock
	top  int
	out  io.Writer // of progress; nil for none
	log  *slog.Logger
}

func runAudiencesPreview(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("audiences preview", flag.ContinueOnError)
	opt := previewOptions{out: os.Stderr}
	fs.StringVar(&opt.file, "file", "", "file of audiences to try; empty for a look at those in force")
	fs.StringVar(&opt.only, "audience", "", "show this audience alone; empty for all")
	fs.Var((*timeFlag)(&opt.now), "now", "RFC 3339 time that replaces the wall clock; then time passes by event time only, and at the end up to here")
	fs.IntVar(&opt.top, "top", 5, "how many people of each kind, and twice as many overlaps, are shown")
	asJSON := fs.Bool("json", false, "print JSON")
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if err := opt.validate(&s, fs.Args()); err != nil {
		return usageError{fmt.Errorf("audiences preview: %w", err)}
	}
	opt.log = s.logger(os.Stderr)
	report, err := previewAudiences(ctx, &s, opt)
	if err != nil {
		return err
	}
	return show(os.Stdout, *asJSON, report)
}

func (o *previewOptions) validate(s *settings, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("it takes no arguments, only flags: %q", args[0])
	}
	if o.top < 0 || o.top > topMax {
		return fmt.Errorf("--top must be between 0 and %d", topMax)
	}
	return errors.Join(s.Kafka.Validate(), s.Decode.Validate(), s.Email.Validate(), s.POS.Validate(), s.Dedup.Validate(), s.Score.Validate())
}
