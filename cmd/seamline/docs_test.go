package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated pages of docs")

// settingsPage renders the reference of all settings from the one list that the program itself uses.
func settingsPage() string {
	var out strings.Builder
	out.WriteString("# Settings\n\nGenerated from the program (`go test ./cmd/seamline -run SettingsPage -update`). Each setting is a YAML key, a flag (`--KEY`) and\nan environment variable. " +
		"Flags win over the environment, and that over the file that `--config` (or `SEAMLINE_CONFIG`) names. Keys may be\nnested or dotted, and lists are YAML sequences or comma separated. `seamline check` prints those in effect.\n\n" +
		"| key | environment | default | meaning |\n|---|---|---|---|\n")
	s := defaultSettings()
	s.StateDir = "~/.local/state/seamline"
	fs := flag.NewFlagSet("settings", flag.ContinueOnError)
	s.flags(fs)
	fs.VisitAll(func(f *flag.Flag) {
		value := ""
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(&out, "| `%s` | `%s` | %s | %s |\n", f.Name, envName(f.Name), value, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
	return out.String()
}

func TestSettingsPage(t *testing.T) {
	t.Parallel()
	const path = "../../docs/settings.md"
	want := settingsPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/settings.md is not what the program says (error %v): run go test ./cmd/seamline -run SettingsPage -update", err)
	}
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// checkReadmeQueries runs every query of the README.
func checkReadmeQueries(t *testing.T, s *stand) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := sqlBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Errorf("the README has %d example queries", len(blocks))
	}
	for _, b := range blocks {
		if rows := s.query(b[1]); len(rows) == 0 {
			t.Errorf("this query of the README finds nothing:\n%s", b[1])
		}
	}
}
