package export

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestShippedPlatforms(t *testing.T) {
	t.Parallel()
	platforms, err := ReadPlatforms("")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"criteo", "generic", "google", "linkedin", "meta", "microsoft", "pinterest", "snap", "tiktok", "uid2", "x"}
	if got := slices.Sorted(maps.Keys(platforms)); !slices.Equal(got, want) {
		t.Errorf("platforms %v, want %v", got, want)
	}
	for name, p := range platforms {
		if len(p.Sources) == 0 && name != "generic" || !slices.Equal(p.Formats, Formats()) {
			t.Errorf("%s has sources %v and formats %v", name, p.Sources, p.Formats)
		}
	}
	for name, want := range map[string]int{"google": 100, "meta": 100, "tiktok": 1000, "microsoft": 300, "pinterest": 100, "linkedin": 300, "snap": 1000, "x": 100, "uid2": 1500} {
		if got := platforms[name].MinSize; got != want {
			t.Errorf("%s wants %d people, and here %d", name, want, got)
		}
	}
	if p := platforms["google"]; p.MembershipDaysMax != 540 || p.RequestRowsMax != 10_000 || p.KeysMax != 10 {
		t.Errorf("the limits of google are %+v", p)
	}
}

func TestPlatformsOfAFile(t *testing.T) {
	t.Parallel()
	const good = "shop:\n  checked_on: 2026-09-21\n  rows: person\n  encoding: hex\n  header: true\n  columns: [{name: mail, key: email, form: plain}]\n  anchors: [email]\n  formats: [csv]\n"
	path := filepath.Join(t.TempDir(), "platforms.yaml")
	f := func(text, want string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		platforms, err := ReadPlatforms(path)
		if want == "" && (err != nil || platforms["shop"] == nil || platforms["meta"] == nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\ngives %v, want %q", text, err, want)
		}
	}
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	f(good, "")
	f(edit("2026-09-21", "soon"), "checked_on")
	f(edit("rows: person", "rows: house"), "neither person nor identifier")
	f(edit("hex", "rot13"), "encoding")
	f(edit("key: email", "key: mail"), `the key "mail"; keys are email`)
	f(edit("form: plain", "form: clear"), "not kept in clear")
	f(edit("form: plain", "form: any"), `form "any"`)
	f(edit("anchors: [email]", "anchors: [phone]"), `"phone" is the key of no column`)
	f(edit("anchors: [email]", "anchors: []"), "anchors")
	f(edit("formats: [csv]", "formats: [xls]"), "formats are")
	f(edit("formats", "format"), "field format not found")
	f(edit("shop", "Shop"), "lower-case")
	f(edit("header: true", "header: true\n  min_size: -1"), "negative")
	f(edit("{name: mail, key: email, form: plain}", "{name: a, constant: b}"), "no column has a key")
	if _, err := ReadPlatforms(path + ".none"); err == nil {
		t.Error("a missing file is read")
	}
}

// somebody gives contacts of every kind, the first of each with the value n of its kind.
func somebody(emails, phones int, extra ...contact) []contact {
	var all []contact
	add := func(k kind, id int, value string) {
		c := contact{kind: k, identifier: uint64(id), time: int64(id), value: value}
		c.plain, c.google, c.uid2 = sha256.Sum256(fmt.Append(nil, k, id)), sha256.Sum256(fmt.Append(nil, "google", k, id)), sha256.Sum256(fmt.Append(nil, "uid2", k, id))
		all = append(all, c)
	}
	for i := range emails {
		add(kindEmail, i, "")
	}
	for i := range phones {
		add(kindPhone, i, "")
	}
	for _, k := range []kind{kindGivenName, kindFamilyName, kindCity, kindRegion, kindPostal, kindCountry, kindBirthDate, kindGender, kindMobileID} {
		add(k, 0, map[kind]string{kindCountry: "de", kindMobileID: "38400000-8cf0-11bd-b23e-10b96e40000d"}[k])
	}
	all = append(all, extra...)
	slices.SortStableFunc(all, func(a, b contact) int { return int(a.kind) - int(b.kind) })
	return all
}

func listOf(t *testing.T, platform, format string, contacts []contact) string {
	t.Helper()
	platforms, err := ReadPlatforms("")
	if err != nil {
		t.Fatal(err)
	}
	p := platforms[platform]
	v, id := testVault(t), schemas.ProfileID{1, 2, 3}
	record, ok, err := p.appendKeys(nil, v, id, contacts)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "nobody"
	}
	if err := checkKeys(record); err != nil {
		t.Fatal(err)
	}
	r := newRenderer(p, format, v)
	text, err := r.person(r.header(nil), id, record)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRows(t *testing.T) {
	t.Parallel()
	row := func(text string, n int) []string { return strings.Split(strings.Split(text, "\n")[n], ",") }
	count := func(cells []string) (n int) {
		for _, c := range cells {
			if c != "" {
				n++
			}
		}
		return n
	}
	f := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	google := listOf(t, "google", FormatCSV, somebody(1, 1))
	f("cells of google without a postal code, which would be useless names", count(row(google, 1)), 2)
	known := somebody(1, 1)
	for i := range known {
		if known[i].kind == kindPostal {
			known[i].value = "10115"
		}
	}
	google = listOf(t, "google", FormatCSV, known)
	f("cells of google with one", count(row(google, 1)), 6)
	if cells := row(google, 1); cells[8] != "DE" || cells[9] != "10115" {
		t.Errorf("google's region and postal code are %v", cells)
	}
	f("rows of google for 7 addresses", lines(listOf(t, "google", FormatCSV, somebody(7, 1))), 1+3)
	f("rows of google for 20 addresses, of which 10 count", lines(listOf(t, "google", FormatCSV, somebody(20, 0))), 1+4)
	f("cells of meta", count(row(listOf(t, "meta", FormatCSV, somebody(2, 1)), 1)), 12)
	f("rows of linkedin for 3 addresses", lines(listOf(t, "linkedin", FormatCSV, somebody(3, 1))), 1+3)
	f("rows of uid2 for 3 addresses, without a header", lines(listOf(t, "uid2", FormatCSV, somebody(3, 1))), 3)
	f("rows of ndjson are people", lines(listOf(t, "uid2", FormatNDJSON, somebody(3, 1))), 1)
	if got := listOf(t, "snap", FormatCSV, somebody(0, 3)); got != "nobody" {
		t.Errorf("snap without an address gives %s", got)
	}
	sum := sha256.Sum256(fmt.Append(nil, "uid2", kindEmail, 0))
	if got, want := strings.TrimSpace(listOf(t, "uid2", FormatCSV, somebody(1, 0))), base64.StdEncoding.EncodeToString(sum[:]); got != want || len(got) != 44 {
		t.Errorf("uid2 gives %q, want %q", got, want)
	}
	// Of a name the newest counts, of addresses with one form one.
	older := contact{kind: kindGivenName, identifier: 9, time: -5, plain: [32]byte{9}}
	twin := somebody(1, 0)[0]
	twin.identifier = 77
	got := listOf(t, "meta", FormatNDJSON, somebody(1, 0, older, twin))
	if strings.Contains(got, "0900000000") || strings.Count(got[:strings.Index(got, "]")], `","`) != 0 {
		t.Errorf("got %s", got)
	}
	microsoft := row(listOf(t, "microsoft", FormatTSV, somebody(1, 0)), 1)
	if want := "Customer List Item\t\tEmail\t"; !strings.HasPrefix(microsoft[0], want) || !strings.HasSuffix(microsoft[0], "\tAdd") {
		t.Errorf("microsoft gives %q", microsoft)
	}
}

func TestCellsAreQuoted(t *testing.T) {
	t.Parallel()
	p := &Platform{Columns: []Column{{Name: `a "b", c`}}}
	if got := string((&renderer{platform: p, format: FormatCSV}).cell(nil, 1, []byte(`x "y", z`))); got != `,"x ""y"", z"` {
		t.Errorf("csv gives %s", got)
	}
	if got := string((&renderer{platform: p, format: FormatTSV}).cell(nil, 1, []byte("x\ty\nz"))); got != "\tx y z" {
		t.Errorf("tsv gives %q", got)
	}
	if got := string(appendText(nil, []byte("x\"\x00é"))); got != `"x\"\u0000é"` {
		t.Errorf("ndjson gives %s", got)
	}
}
