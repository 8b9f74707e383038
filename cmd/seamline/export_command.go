package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/sinks/export"
)

// exportCommands are what seamline export does beside writing lists.
func exportCommands() []command {
	return []command{
		{"credential", "--name N --kind K --audiences A --platforms P", "make a credential, and print its secret once", runExportCredential},
		{"sign", "--key-file F --for D URL", "sign a URL, so that it can be pulled without a password for a while", runExportSign},
	}
}

// runExport writes lists into a directory now, or does what the first argument names.
func runExport(ctx context.Context, args []string) error {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return dispatch(ctx, args, exportCommands(), printExportUsage)
	}
	s := defaultSettings()
	fs := flag.NewFlagSet("export", flag.ContinueOnError)
	var t export.Target
	var lists, formats string
	fs.StringVar(&t.Dir, "out", "", "directory that the files are written to; empty for exports.files.dir")
	fs.StringVar(&lists, "lists", "", "lists to write, AUDIENCE:PLATFORM, comma separated; an audience may be a pattern such as *; empty for exports.files.lists")
	fs.StringVar(&formats, "formats", "", "csv, tsv, ndjson, comma separated; empty for exports.files.formats")
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return usageError{fmt.Errorf("export takes no argument %q; see `seamline export -h`", fs.Arg(0))}
	}
	if err := errors.Join(s.ClickHouse.Validate(), s.Exports.Validate()); err != nil {
		return usageError{err}
	}
	if t.Dir == "" {
		t.Dir = s.Exports.FilesDir
	}
	if t.Dir == "" {
		return usageError{errors.New("say where to: --out DIR, or the setting exports.files.dir")}
	}
	t.Lists, t.Formats = list(lists, s.Exports.FilesLists), list(formats, s.Exports.FilesFormats)
	x, err := s.exporter(export.Options{Log: s.logger(os.Stderr)}, nil)
	if err != nil {
		return err
	}
	defer x.Close()
	m, err := x.WriteTo(ctx, t)
	if m != nil {
		printManifest(os.Stdout, m)
	}
	return err
}

// list splits the first of some texts that is not empty.
func list(texts ...string) []string {
	for _, text := range texts {
		if text != "" {
			return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	return nil
}

func printManifest(out io.Writer, m *export.Manifest) {
	for _, l := range m.Lists {
		if l.TooSmall {
			fmt.Fprintf(out, "%s for %s: not written, since fewer than %d people would be on it\n", l.Audience, l.Platform, l.MinSize)
		}
		for _, f := range l.Files {
			fmt.Fprintf(out, "%s: %d people, %d bytes, sha256 %s\n", f.Name, l.People, f.Bytes, f.SHA256)
		}
	}
}

func printExportUsage(out io.Writer) {
	fmt.Fprintln(out, "seamline export [flags]: write lists of audiences into a directory now")
	for _, c := range exportCommands() {
		fmt.Fprintf(out, "seamline export %s %s: %s\n", c.name, c.args, c.about)
	}
}

func runExportCredential(_ context.Context, args []string) error {
	return exportCredential(os.Stdout, os.Stderr, args)
}

// exportCredential writes an entry of the file of credentials, and apart from it the secret.
func exportCredential(out, apart io.Writer, args []string) error {
	fs := flag.NewFlagSet("export credential", flag.ContinueOnError)
	var c export.Credential
	var audiences, platforms string
	var valid time.Duration
	fs.StringVar(&c.Name, "name", "", "name of the credential, which is the user of basic auth")
	fs.StringVar(&c.Kind, "kind", export.KindBasic, "basic, bearer or signed")
	fs.StringVar(&audiences, "audiences", "", "audiences that it is for, comma separated; patterns such as lapsed_* are possible")
	fs.StringVar(&platforms, "platforms", "", "platforms that it is for, comma separated")
	fs.Float64Var(&c.Rate, "rate", 0, "requests per minute; 0 for 120")
	fs.DurationVar(&valid, "valid", 0, "how long the secret is valid; 0 for ever")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	c.Audiences, c.Platforms = list(audiences), list(platforms)
	private, s, err := export.NewSecret(c.Kind)
	if err != nil {
		return usageError{err}
	}
	if valid > 0 {
		s.NotAfter = time.Now().UTC().Add(valid).Truncate(time.Second)
	}
	c.Secrets = []export.Secret{s}
	text, err := yaml.Marshal(map[string]any{"credentials": []export.Credential{c}})
	if err != nil {
		return err
	}
	if _, err := export.ParseCredentials(text); err != nil {
		return usageError{err}
	}
	entry, err := yaml.Marshal([]export.Credential{c})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "# for the list `credentials` in the file exports.credentials; to renew a secret, put the new entry of secrets beside the old one\n%s", entry)
	fmt.Fprintf(apart, "%s, which is shown only this once: %s\n", map[string]string{export.KindBasic: "password", export.KindBearer: "token", export.KindSigned: "private key for seamline export sign"}[c.Kind], private)
	return nil
}

func runExportSign(_ context.Context, args []string) error { return exportSign(os.Stdout, args) }

func exportSign(out io.Writer, args []string) error {
	fs := flag.NewFlagSet("export sign", flag.ContinueOnError)
	var file string
	var valid time.Duration
	fs.StringVar(&file, "key-file", "", "file with the private key that `seamline export credential --kind signed` printed")
	fs.DurationVar(&valid, "for", time.Hour, "how long the URL is valid, up to 366 days")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if fs.NArg() != 1 || file == "" || valid <= 0 {
		return usageError{errors.New("name the key and the URL: seamline export sign --key-file F [--for 24h] https://HOST/v1/audiences/NAME/export/PLATFORM.csv")}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	key, err := export.ParsePrivateKey(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	u, err := url.Parse(fs.Arg(0))
	if err != nil || !strings.HasPrefix(u.Path, "/v1/audiences") || u.RawQuery != "" {
		return usageError{fmt.Errorf("%q is no URL of an audience without parameters", fs.Arg(0))}
	}
	u.RawQuery = export.Sign(key, u.EscapedPath(), time.Now().Add(valid))
	fmt.Fprintln(out, u)
	return nil
}
