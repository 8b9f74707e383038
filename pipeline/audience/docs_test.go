package audience

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/audiences.md")

const docsPath = "../../docs/audiences.md"

// fieldsTable lists the fields of rules by what changes them.
func fieldsTable() string {
	var out strings.Builder
	out.WriteString("| fields | of | looked at again when |\n|---|---|---|\n")
	for _, g := range []struct {
		group     schemas.Fields
		what, why string
	}{
		{schemas.FieldsSeen, "events", "anything happens"}, {schemas.FieldsSessions, "sessions", "a session begins"}, {schemas.FieldsViews, "products looked at", "one is looked at"},
		{schemas.FieldsSearches, "searches", "one is made"}, {schemas.FieldsCart, "the open cart", "the cart changes, or an order closes it"},
		{schemas.FieldsCheckout, "checkouts", "one begins or goes on"}, {schemas.FieldsOrders, "orders", "an order, refund or void comes"},
		{schemas.FieldsMessages, "messages, human opens and clicks", "something happens to one"}, {schemas.FieldsIdentity, "how many identifiers are known", "identifiers come or go"},
		{schemas.FieldsCountry, "the country", "an event tells one"}, {schemas.FieldsConsent, "consent", "an answer comes"}, {schemas.FieldsStage, "the journey", "the stage changes"},
		{schemas.FieldsAnswers, "scores of answers", "a survey is answered"}, {schemas.FieldsScores, "all other scores", "anything happens"},
		{schemas.FieldsBuying, "scores of buying", "an order, refund or void comes, or the models are fitted"},
	} {
		var names []string
		for name, group := range groups {
			if group == g.group {
				names = append(names, "`"+name+"`")
			}
		}
		slices.Sort(names)
		fmt.Fprintf(&out, "| %s | %s | %s |\n", strings.Join(names, ", "), g.what, g.why)
	}
	return out.String()
}

// shippedTable lists the audiences that ship.
func shippedTable(t *testing.T) string {
	t.Helper()
	list, err := ReadRules("")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString("| audience | who | rule |\n|---|---|---|\n")
	for i := range list {
		r := &list[i]
		rule := "`" + strings.ReplaceAll(r.When, "|", "\\|") + "`"
		if len(r.Exclude) > 0 {
			rule += ", without " + strings.Join(r.Exclude, ", ")
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", r.Name, r.Description, rule)
		if len(r.Description) < 20 {
			t.Errorf("%s has no description that says something", r.Name)
		}
	}
	return out.String()
}

// generated puts a text between the marks of a part of the page.
func generated(t *testing.T, page, part, text string) string {
	t.Helper()
	begin, end := "<!-- "+part+" -->\n", "<!-- end of "+part+" -->\n"
	before, rest, found := strings.Cut(page, begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("docs/audiences.md has no place for %s", part)
	}
	return before + begin + text + end + after
}

// TestDocs: the page lists every field and every audience that ships as the program knows them, and its examples are right.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	want := generated(t, generated(t, page, "fields", fieldsTable()), "shipped", shippedTable(t))
	if *update {
		if err := os.WriteFile(docsPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if page != want {
		t.Error("docs/audiences.md is not what the program says: run go test ./pipeline/audience -run Docs -update")
	}
	for name := range fields {
		if !strings.Contains(want, "`"+name+"`") {
			t.Errorf("the field %s is not listed", name)
		}
	}
	for name := range eventFields {
		if !strings.Contains(want, "`"+name+"`") {
			t.Errorf("the field %s of events is not listed", name)
		}
	}
	for _, key := range ruleKeys {
		if !strings.Contains(want, key+":") && !strings.Contains(want, "`"+key+"`") {
			t.Errorf("the key %s is not explained", key)
		}
	}
	for _, word := range eventReasons {
		if strings.Contains(word, "_") {
			t.Errorf("the reason %q is not in words", word)
		}
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(want, -1)
	if len(blocks) < 2 {
		t.Errorf("the page has %d examples", len(blocks))
	}
	for _, b := range blocks {
		if _, err := parseRules([]byte(b[1])); err != nil {
			t.Errorf("%v in this example:\n%s", err, b[1])
		}
	}
}
