package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/schemas"
)

func readDoc(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestScoringPage: docs/scoring.md has a section for each score and for nothing else, in order, that names its columns, inputs, model and version; and
// these are columns of profiles, and event types, that there are.
func TestScoringPage(t *testing.T) {
	t.Parallel()
	page := readDoc(t, "docs/scoring.md")
	sql := readDoc(t, "schemas/tables/profiles.sql") + readDoc(t, "schemas/tables/profiles_scores.sql")
	var columns []string
	for _, m := range regexp.MustCompile(`(?m)^    (?:ADD COLUMN IF NOT EXISTS )?(\w+) \S.* COMMENT '`).FindAllStringSubmatch(sql, -1) {
		columns = append(columns, m[1])
	}
	if len(columns) < 100 {
		t.Fatalf("found %d columns of profiles", len(columns))
	}
	var titles []string
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(page, -1) {
		titles = append(titles, m[1])
	}
	docs := score.Docs()
	if len(titles) != len(docs) {
		t.Errorf("the page has %d sections, want %d", len(titles), len(docs))
	}
	for i, doc := range docs {
		if i >= len(titles) || titles[i] != doc.Name {
			t.Errorf("section %d is not that of %s", i+1, doc.Name)
			continue
		}
		_, section, _ := strings.Cut(page, "### "+doc.Name+"\n")
		section, _, _ = strings.Cut(section, "\n##")
		if !strings.Contains(section, fmt.Sprintf("Version %d.", doc.Version)) {
			t.Errorf("%s: the section does not say version %d", doc.Name, doc.Version)
		}
		for _, name := range doc.Models {
			if !strings.Contains(section, "`"+name+"`") {
				t.Errorf("%s: the section does not name model %s", doc.Name, name)
			}
		}
		if doc.Bounds != 0 && !strings.Contains(section, "`approximate`: "+strings.Join(doc.Bounds.Words(), ", ")+".") {
			t.Errorf("%s: the section does not say that %v make it approximate", doc.Name, doc.Bounds.Words())
		}
		for _, column := range slices.Concat(doc.Columns, doc.Inputs) {
			if !strings.Contains(section, "`"+column+"`") {
				t.Errorf("%s: the section does not name %s", doc.Name, column)
			}
			if !slices.Contains(columns, column) {
				t.Errorf("%s: %s is no column of profiles", doc.Name, column)
			}
		}
		for _, kind := range doc.Evidence {
			if !slices.Contains(schemas.TypeNames(), kind) {
				t.Errorf("%s: %s is no type of event", doc.Name, kind)
			}
		}
		if len(doc.Evidence) == 0 || doc.Formula == "" || doc.Source == "" {
			t.Errorf("%s lacks evidence, formula or source", doc.Name)
		}
	}
}

// TestScoringPageRules: the example of the loyalty programme's rules is one that is read, and its bounds are those of the code.
func TestScoringPageRules(t *testing.T) {
	t.Parallel()
	_, rules, found := strings.Cut(readDoc(t, "docs/scoring.md"), "```yaml\n")
	rules, _, _ = strings.Cut(rules, "```")
	f := func(text string, isRead bool) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "loyalty.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := score.DefaultConfig()
		cfg.LoyaltyRules = path
		if err := cfg.ReadRules(); (err == nil) != isRead {
			t.Errorf("error %v of\n%s", err, text)
		}
	}
	if !found {
		t.Fatal("the page has no rules")
	}
	f(rules, true)
	f(strings.Replace(rules, "expire_months: 24", "expire_months: 35", 1), true)
	f(strings.Replace(rules, "expire_months: 24", "expire_months: 36", 1), false)
}

// TestScoringPageSettings: settings that the page names exist.
func TestScoringPageSettings(t *testing.T) {
	t.Parallel()
	page, known := readDoc(t, "docs/scoring.md"), readDoc(t, "docs/settings.md")
	for _, m := range regexp.MustCompile("`(score\\.[a-z.-]+[a-z])`").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(known, "| `"+m[1]+"` |") {
			t.Errorf("there is no setting %s", m[1])
		}
	}
}

// TestOpenAPIPerson: the document describes every field of an answer, and no other.
func TestOpenAPIPerson(t *testing.T) {
	t.Parallel()
	var doc struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	var whole bytes.Buffer
	if err := show(&whole, true, bookDossier(t)); err != nil {
		t.Fatal(err)
	}
	var answer any
	if err := json.Unmarshal(whole.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, value, schema any)
	walk = func(path string, value, schema any) {
		s, _ := schema.(map[string]any)
		if ref, ok := s["$ref"].(string); ok {
			walk(path, value, doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")])
			return
		}
		switch v := value.(type) {
		case []any:
			for _, one := range v {
				walk(path+"[]", one, s["items"])
			}
		case map[string]any:
			properties, isClosed := s["properties"].(map[string]any)
			for key, one := range v {
				if isClosed && properties[key] == nil {
					t.Errorf("%s.%s is not described", path, key)
				} else if isClosed {
					walk(path+"."+key, one, properties[key])
				}
			}
		}
		if s == nil || s["type"] == nil {
			t.Errorf("%s has no type", path)
		}
	}
	walk("", answer, map[string]any{"$ref": "#/components/schemas/Person"})
}
