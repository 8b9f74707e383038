package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/export"
)

// conditions is a table of RFC 9110 sections 13 and 14.
func (s *exportStand) conditions() {
	t := s.t
	t.Helper()
	const path = "/v1/audiences/everybody/export/meta.csv"
	whole, body := s.pull("GET", path)
	etag, modified, size := whole.Header.Get("ETag"), whole.Header.Get("Last-Modified"), len(body)
	at, err := http.ParseTime(modified)
	if err != nil || len(etag) != 66 || whole.Header.Get("Accept-Ranges") != "bytes" || whole.ContentLength != int64(size) || etag != `"`+sha(body)+`"` {
		t.Fatalf("got %d bytes, headers %v: %v", size, whole.Header, err)
	}
	if got := whole.Header.Get("Content-Disposition"); got != `attachment; filename="everybody.meta.csv"` || whole.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		whole.Header.Get("Cache-Control") != "private, no-cache" || whole.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", whole.Header)
	}
	before, after := at.Add(-time.Hour).Format(http.TimeFormat), at.Add(time.Hour).Format(http.TimeFormat)
	part := func(from, to int) string { return body[from : to+1] }
	for _, c := range []struct {
		about   string
		headers []string
		status  int
		body    string // of 200 and 206
		ranges  string
	}{
		{"If-None-Match of this list", []string{"If-None-Match", etag}, 304, "", ""},
		{"If-None-Match, weak comparison", []string{"If-None-Match", "W/" + etag}, 304, "", ""},
		{"If-None-Match, one of several", []string{"If-None-Match", `"x", ` + etag}, 304, "", ""},
		{"If-None-Match of any", []string{"If-None-Match", "*"}, 304, "", ""},
		{"If-None-Match of another", []string{"If-None-Match", `"x"`}, 200, body, ""},
		{"If-None-Match wins over If-Modified-Since", []string{"If-None-Match", `"x"`, "If-Modified-Since", after}, 200, body, ""},
		{"If-Modified-Since its own time", []string{"If-Modified-Since", modified}, 304, "", ""},
		{"If-Modified-Since later", []string{"If-Modified-Since", after}, 304, "", ""},
		{"If-Modified-Since earlier", []string{"If-Modified-Since", before}, 200, body, ""},
		{"If-Modified-Since nonsense", []string{"If-Modified-Since", "yesterday"}, 200, body, ""},
		{"If-Match of this list", []string{"If-Match", etag}, 200, body, ""},
		{"If-Match of any", []string{"If-Match", "*"}, 200, body, ""},
		{"If-Match of another", []string{"If-Match", `"x"`}, 412, "", ""},
		{"If-Match, strong comparison", []string{"If-Match", "W/" + etag}, 412, "", ""},
		{"If-Unmodified-Since later", []string{"If-Unmodified-Since", after}, 200, body, ""},
		{"If-Unmodified-Since earlier", []string{"If-Unmodified-Since", before}, 412, "", ""},
		{"If-Match wins over If-Unmodified-Since", []string{"If-Match", etag, "If-Unmodified-Since", before}, 200, body, ""},
		{"the first bytes", []string{"Range", "bytes=0-9"}, 206, part(0, 9), fmt.Sprintf("bytes 0-9/%d", size)},
		{"from the middle", []string{"Range", "bytes=100-"}, 206, part(100, size-1), fmt.Sprintf("bytes 100-%d/%d", size-1, size)},
		{"the last bytes", []string{"Range", "bytes=-7"}, 206, part(size-7, size-1), fmt.Sprintf("bytes %d-%d/%d", size-7, size-1, size)},
		{"more than there is", []string{"Range", "bytes=10-99999999"}, 206, part(10, size-1), fmt.Sprintf("bytes 10-%d/%d", size-1, size)},
		{"a longer suffix than there is", []string{"Range", "bytes=-99999999"}, 206, body, fmt.Sprintf("bytes 0-%d/%d", size-1, size)},
		{"behind the end", []string{"Range", "bytes=99999999-"}, 416, "", fmt.Sprintf("bytes */%d", size)},
		{"another unit is passed over", []string{"Range", "rows=1-2"}, 200, body, ""},
		{"a unit in capitals", []string{"Range", "Bytes=0-9"}, 206, part(0, 9), fmt.Sprintf("bytes 0-9/%d", size)},
		{"If-Range of this list", []string{"Range", "bytes=0-9", "If-Range", etag}, 206, part(0, 9), fmt.Sprintf("bytes 0-9/%d", size)},
		{"If-Range of another", []string{"Range", "bytes=0-9", "If-Range", `"x"`}, 200, body, ""},
		{"If-Range, strong comparison", []string{"Range", "bytes=0-9", "If-Range", "W/" + etag}, 200, body, ""},
		{"If-Range its own time", []string{"Range", "bytes=0-9", "If-Range", modified}, 206, part(0, 9), fmt.Sprintf("bytes 0-9/%d", size)},
		{"If-Range earlier", []string{"Range", "bytes=0-9", "If-Range", before}, 200, body, ""},
		{"a condition and a range", []string{"Range", "bytes=0-9", "If-None-Match", etag}, 304, "", ""},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			answer, got := s.pull(method, path, c.headers...)
			want := c.body
			if method == "HEAD" {
				want = ""
				if c.ranges != "" {
					c.status, c.ranges = 200, "" // a range is for GET only
				}
				if answer.StatusCode == 200 && answer.ContentLength != int64(size) {
					t.Errorf("%s: HEAD says %d bytes, and there are %d", c.about, answer.ContentLength, size)
				}
			}
			if answer.StatusCode != c.status || answer.Header.Get("Content-Range") != c.ranges || c.status < 400 && got != want {
				t.Errorf("%s: %s gives %d, %q, %d bytes; want %d, %q, %d bytes", c.about, method, answer.StatusCode, answer.Header.Get("Content-Range"), len(got), c.status, c.ranges, len(want))
			}
			if c.status == 304 && (answer.Header.Get("ETag") != etag || answer.Header.Get("Vary") == "" || answer.Header.Get("Content-Type") != "") {
				t.Errorf("%s: a 304 has headers %v", c.about, answer.Header)
			}
			if c.status >= 400 && (answer.Header.Get("Content-Type") != "application/problem+json" || method == "GET" && !strings.Contains(got, fmt.Sprint(`"status":`, c.status))) {
				t.Errorf("%s: no problem document: %v %s", c.about, answer.Header, got)
			}
		}
	}
	answer, got := s.pull("GET", path, "Range", "bytes=0-4,10-14")
	if answer.StatusCode != 206 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "multipart/byteranges; boundary=") || !strings.Contains(got, "\r\n\r\n"+part(0, 4)+"\r\n") || !strings.Contains(got, "\r\n\r\n"+part(10, 14)+"\r\n") {
		t.Errorf("two ranges give %d, %v:\n%s", answer.StatusCode, answer.Header, got)
	}
	if answer, got := s.pull("POST", path); answer.StatusCode != 405 || answer.Header.Get("Allow") != "GET, HEAD" || !strings.Contains(got, "method-not-allowed") {
		t.Errorf("POST gives %d, %s", answer.StatusCode, got)
	}
}

// encodings: a zipped form is another representation with a tag of its own, and the zipped file a resource of its own.
func (s *exportStand) encodings() {
	t := s.t
	t.Helper()
	const path = "/v1/audiences/everybody/export/meta.csv"
	plain, body := s.pull("GET", path)
	unzip := func(text string) string {
		t.Helper()
		r, err := gzip.NewReader(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	f := func(accept string, isZipped bool) {
		t.Helper()
		answer, got := s.pull("GET", path, "Accept-Encoding", accept)
		coding := answer.Header.Get("Content-Encoding")
		if isZipped != (coding == "gzip") || isZipped && (unzip(got) != body || answer.Header.Get("ETag") == plain.Header.Get("ETag")) || !isZipped && got != body || answer.Header.Get("Vary") != "Accept-Encoding" || answer.ContentLength != int64(len(got)) {
			t.Errorf("Accept-Encoding %q gives %v", accept, answer.Header)
		}
	}
	f("gzip", true)
	f("GZIP, br", true)
	f("br;q=1, gzip;q=0.2", true)
	f("*", true)
	f("identity", false)
	f("gzip;q=0", false)
	f("gzip;q=0, *", false)
	f("*;q=0", false)
	f("br", false)
	zipped, packed := s.pull("GET", path+".gz")
	if zipped.Header.Get("Content-Type") != "application/gzip" || zipped.Header.Get("Content-Encoding") != "" || unzip(packed) != body || zipped.Header.Get("Content-Disposition") != `attachment; filename="everybody.meta.csv.gz"` {
		t.Errorf("the zipped file has %v", zipped.Header)
	}
	// A range of the encoded form is one of the bytes that are sent.
	if answer, got := s.pull("GET", path, "Accept-Encoding", "gzip", "Range", "bytes=3-19", "If-Range", zipped.Header.Get("ETag")); answer.StatusCode != 206 || got != packed[3:20] {
		t.Errorf("a range of the encoded form: %d, %d bytes", answer.StatusCode, len(got))
	}
	if answer, _ := s.pull("GET", path, "Accept-Encoding", "gzip", "If-None-Match", plain.Header.Get("ETag")); answer.StatusCode != 200 {
		t.Errorf("the tag of the plain form is taken for that of the encoded: %d", answer.StatusCode)
	}
	tsv, rows := s.pull("GET", "/v1/audiences/everybody/export/meta.tsv")
	if tsv.Header.Get("Content-Type") != "text/tab-separated-values; charset=utf-8" || strings.ReplaceAll(rows, "\t", ",") != body {
		t.Errorf("tsv: %v\n%s", tsv.Header, rows)
	}
	_, objects := s.pull("GET", "/v1/audiences/everybody/export/meta.ndjson")
	for line := range strings.Lines(objects) {
		var keys map[string]any
		if err := json.Unmarshal([]byte(line), &keys); err != nil || len(keys) == 0 {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// strangers: nobody without a credential gets anything, and a credential tells nothing about what it is not for.
func (s *exportStand) strangers() {
	t := s.t
	t.Helper()
	const path = "/v1/audiences/everybody/export/meta.csv"
	f := func(path string, want int, name string, headers ...string) string {
		t.Helper()
		answer, body := s.pull("GET", path, headers...)
		if answer.StatusCode != want || want >= 400 && (!strings.Contains(body, "urn:seamline:problem:"+name) || answer.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: got %d, %.300s; want %d %s", path, answer.StatusCode, body, want, name)
		}
		if want == 401 && len(answer.Header.Values("WWW-Authenticate")) != 2 {
			t.Errorf("a 401 names %v", answer.Header.Values("WWW-Authenticate"))
		}
		return body
	}
	f(path, 401, "unauthorized", "Authorization", "")
	f(path, 401, "unauthorized", "Authorization", "Basic xxx")
	f(path, 401, "unauthorized", "Authorization", "Bearer "+s.password)
	f("/v1/audiences", 401, "unauthorized", "Authorization", "")
	etl := []string{"Authorization", "Bearer " + s.token}
	f("/v1/audiences/everybody/export/generic.csv", 200, "", etl...)
	foreign := f(path, 404, "unknown-list", etl...)
	if missing := f("/v1/audiences/nothing/export/meta.csv", 404, "unknown-list"); missing != foreign {
		t.Errorf("a list that the credential is not for gives\n%s\nand one that is not there\n%s", foreign, missing)
	}
	f("/v1/audiences/other/changes", 404, "unknown-list", etl...)
	f("/v1/audiences/everybody/export/meta.xls", 404, "unknown-list")
	f("/v1/audiences/everybody/export/meta", 404, "unknown-list")
	f("/v1/audiences/everybody/export/myspace.csv", 404, "unknown-list")
	f(path+"?format=csv", 400, "bad-request")
	f("/v1/audiences/everybody/changes", 400, "bad-request") // of which platform?
	f("/v1/audiences/everybody/changes?platform=meta&limit=0", 400, "bad-request")
	f("/v1/audiences/everybody/changes?platform=meta&since=xyz", 400, "bad-request")
	key, err := export.ParsePrivateKey(s.signing)
	if err != nil {
		t.Fatal(err)
	}
	f(path+"?"+export.Sign(key, path, time.Now().Add(time.Minute)), 200, "", "Authorization", "")
	f(path+"?"+export.Sign(key, path, time.Now().Add(-time.Minute)), 401, "unauthorized", "Authorization", "")
	f(path+".gz?"+export.Sign(key, path, time.Now().Add(time.Minute)), 401, "unauthorized", "Authorization", "")
	google := strings.Replace(path, "meta", "google", 1)
	f(google+"?"+export.Sign(key, google, time.Now().Add(time.Minute)), 404, "unknown-list", "Authorization", "")
	narrow := []string{"Authorization", "Bearer " + s.narrowKey}
	for range 3 {
		f("/v1/audiences", 200, "", narrow...)
	}
	answer, _ := s.pull("GET", "/v1/audiences", narrow...)
	if wait, err := strconv.Atoi(answer.Header.Get("Retry-After")); answer.StatusCode != 429 || err != nil || wait < 1 || wait > 10 {
		t.Errorf("the fourth request of three gives %d, Retry-After %q", answer.StatusCode, answer.Header.Get("Retry-After"))
	}
}

// follows: who follows the changes has the list, and who takes back consent is removed with the keys that were added.
func (s *exportStand) follows() {
	t := s.t
	t.Helper()
	type page struct {
		Snapshot uint64          `json:"snapshot"`
		Changes  []export.Change `json:"changes"`
		Next     string          `json:"next"`
		More     bool            `json:"more"`
	}
	read := func(query string) (p page) {
		t.Helper()
		answer, body := s.pull("GET", "/v1/audiences/everybody/changes?platform=meta"+query)
		if err := json.Unmarshal([]byte(body), &p); err != nil || answer.StatusCode != 200 {
			t.Fatalf("got %d, %s: %v", answer.StatusCode, body, err)
		}
		return p
	}
	first := read("&limit=4")
	second := read("&since=" + first.Next)
	if len(first.Changes) != 4 || !first.More || second.More || len(first.Changes)+len(second.Changes) != 6 {
		t.Fatalf("pages of %d and %d changes", len(first.Changes), len(second.Changes))
	}
	whole, _ := s.pull("GET", "/v1/audiences/everybody/export/meta.csv")
	if got := whole.Header.Get("Seamline-Cursor"); got != second.Next {
		t.Errorf("the list's cursor is %q, and that behind its changes %q", got, second.Next)
	}
	when := start.Add(time.Hour)
	s.publish(message(schemas.FeedConsent, when, fmt.Sprintf(`{"time":"%s","customer":{"user_id":"customer-2"},"consents":{"ads_user_data":"denied"}}`, when.Format(time.RFC3339))))
	s.await("/v1/audiences/everybody/export/meta.csv", has(6))
	third := read("&since=" + second.Next)
	if len(third.Changes) != 1 || third.Changes[0].Op != "remove" || third.Snapshot <= second.Snapshot {
		t.Fatalf("a withdrawal gives %+v", third)
	}
	added := slices.IndexFunc(append(first.Changes, second.Changes...), func(c export.Change) bool {
		return c.Op == "add" && string(c.Keys) == string(third.Changes[0].Keys)
	})
	if added < 0 || !strings.Contains(string(third.Changes[0].Keys), sha("customer.two+shop@gmail.com")) {
		t.Errorf("the removal has keys that were not added: %s", third.Changes[0].Keys)
	}
	_, body := s.pull("GET", "/v1/audiences")
	var answer struct {
		Audiences []audienceRow `json:"audiences"`
		Platforms []platformRow `json:"platforms"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Audiences) == 0 || answer.Audiences[0].Name != "everybody" || answer.Audiences[0].Size != 8 || answer.Audiences[0].LastChange == nil || len(answer.Audiences[0].Platforms) != 11 {
		t.Errorf("audiences: %s: %v", body, err)
	}
	google := slices.IndexFunc(answer.Platforms, func(p platformRow) bool { return p.Name == "google" })
	if len(answer.Platforms) != 11 || google < 0 || answer.Platforms[google].MembershipDaysMax != 540 || answer.Platforms[google].CheckedOn == "" || answer.Platforms[google].MinSize != 2 {
		t.Errorf("platforms: %s", body)
	}
}

// filesOfSchedule: the files of the settings are there, with checksums, and none for a list that is too small.
func (s *exportStand) filesOfSchedule() {
	t := s.t
	t.Helper()
	dir := s.settings.Exports.FilesDir
	var m export.Manifest
	for deadline := time.Now().Add(time.Minute); len(m.Lists) != 2; time.Sleep(50 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(dir, "manifest.json"))
		_ = json.Unmarshal(text, &m)
		if time.Now().After(deadline) {
			t.Fatalf("the manifest is %s\n%s", text, s.log)
		}
	}
	s.checkFiles(dir, &m)
}

func (s *exportStand) checkFiles(dir string, m *export.Manifest) {
	t := s.t
	t.Helper()
	google, uid2 := m.Lists[0], m.Lists[1]
	if google.Platform != "google" || len(google.Files) != 1 || google.Files[0].Name != "everybody.google.csv" || !uid2.TooSmall || len(uid2.Files) != 0 {
		t.Fatalf("the manifest has %+v", m.Lists)
	}
	file, err := os.ReadFile(filepath.Join(dir, google.Files[0].Name))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(dir, google.Files[0].Name+".sha256"))
	if err != nil || string(sum) != sha(string(file))+"  everybody.google.csv\n" {
		t.Errorf("the checksum is %s: %v", sum, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "other.uid2.csv")); !os.IsNotExist(err) {
		t.Errorf("a list that is too small is written: %v", err)
	}
}

// describes: the OpenAPI document has every answer that was just seen.
func (s *exportStand) describes() {
	t := s.t
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Headers map[string]any            `json:"headers"`
				Content map[string]map[string]any `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	described := map[string]*regexp.Regexp{}
	for path := range doc.Paths {
		described[path] = regexp.MustCompile("^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
	}
	seen := 0
	for _, m := range regexp.MustCompile(`msg=request method=(\w+) path=(\S+) status=(\d+)`).FindAllStringSubmatch(s.log.String(), -1) {
		method := strings.ToLower(m[1])
		for path, is := range described {
			if !is.MatchString(m[2]) || method == "post" {
				continue
			}
			if _, is := doc.Paths[path][method].Responses[m[3]]; !is {
				t.Errorf("%s %s answers %s, and the document does not say so", m[1], path, m[3])
			}
			seen++
		}
	}
	if seen < 50 {
		t.Errorf("only %d requests are held against the document", seen)
	}
}

// commandWrites: the command writes the same files, and goes on with the same ledger.
func (s *exportStand) commandWrites() {
	t := s.t
	t.Helper()
	x, err := s.settings.exporter(export.Options{Log: s.settings.logger(s.log)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	dir := filepath.Join(t.TempDir(), "out")
	before := s.one("SELECT count() FROM export_snapshots")
	m, err := x.WriteTo(t.Context(), export.Target{Dir: dir, Lists: []string{"ever*:google", "other:uid2"}, Formats: []string{"csv"}})
	if err != nil {
		t.Fatal(err)
	}
	s.checkFiles(dir, m)
	if after := s.one("SELECT count() FROM export_snapshots"); after != before {
		t.Errorf("nothing changed, and there are %s lists after %s", after, before)
	}
	if _, err := x.WriteTo(t.Context(), export.Target{Dir: dir, Lists: []string{"nothing:google"}, Formats: []string{"csv"}}); err == nil {
		t.Error("a list of an audience that is not there is written")
	}
}
