package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/export"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// pullers are the credentials of a test and what their callers hold.
type pullers struct {
	path                       string
	password, token, narrowKey string
	signing                    string
}

func writeCredentials(t *testing.T) *pullers {
	t.Helper()
	p := &pullers{path: filepath.Join(t.TempDir(), "credentials.yaml")}
	secret := func(kind string, private *string) []export.Secret {
		text, s, err := export.NewSecret(kind)
		if err != nil {
			t.Fatal(err)
		}
		*private = text
		return []export.Secret{s}
	}
	all := []export.Credential{
		{Name: "everything", Kind: export.KindBasic, Audiences: []string{"*"}, Platforms: []string{"google", "meta", "tiktok", "microsoft", "pinterest", "linkedin", "snap", "x", "criteo", "uid2", "generic"},
			Rate: 60_000, Burst: 10_000, Secrets: secret(export.KindBasic, &p.password)},
		{Name: "etl", Kind: export.KindBearer, Audiences: []string{"every*"}, Platforms: []string{"generic"}, Rate: 60_000, Burst: 10_000, Secrets: secret(export.KindBearer, &p.token)},
		{Name: "narrow", Kind: export.KindBearer, Audiences: []string{"other"}, Platforms: []string{"meta"}, Rate: 6, Burst: 3, Secrets: secret(export.KindBearer, &p.narrowKey)},
		{Name: "partner", Kind: export.KindSigned, Audiences: []string{"everybody"}, Platforms: []string{"meta"}, Rate: 60_000, Burst: 10_000, Secrets: secret(export.KindSigned, &p.signing)},
	}
	text, err := yaml.Marshal(map[string]any{"credentials": all})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// exportPlatforms are the shipped platforms as they are, but for a minimum that a handful of people meet.
func exportPlatforms(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../sinks/export/platforms.yaml")
	if err != nil {
		t.Fatal(err)
	}
	small := regexp.MustCompile(`min_size: (100|300|1000|1500)\n`).ReplaceAll(text, []byte("min_size: 2\n"))
	path := filepath.Join(t.TempDir(), "platforms.yaml")
	if err := os.WriteFile(path, small, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// exportPeople are calls that tell of people made up by number, who differ in what decides about lists.
func exportPeople() []producer.Message {
	var all []producer.Message
	tell := func(n int, traits, device string) {
		when := start.Add(time.Duration(len(all)) * time.Minute)
		all = append(all, message(schemas.FeedClickstream, when, fmt.Sprintf(`{"type":"identify","messageId":"m%d","userId":"customer-%d","timestamp":"%s","traits":{%s},"context":{%s}}`,
			len(all), n, when.Format(time.RFC3339), traits, device)))
	}
	consents := func(n int, country, answers string) {
		when := start.Add(time.Duration(len(all)) * time.Minute)
		all = append(all, message(schemas.FeedConsent, when, fmt.Sprintf(`{"time":"%s","customer":{"user_id":"customer-%d"},"country":"%s","consents":{%s}}`,
			when.Format(time.RFC3339), n, country, answers)))
	}
	const granted = `"ads_user_data":"granted","ads_personalization":"granted"`
	tell(1, `"email":" Customer-1@Example.com","phone":"+1 (202) 555-0101","firstName":"Mary","lastName":"Smith-Jones","gender":"female","birthday":"1997-02-16","address":{"city":"New York","state":"NY","postalCode":"10001","country":"US"}`, ``)
	consents(1, "US", granted)
	tell(2, `"email":"Customer.Two+shop@gmail.com","phone":"+12025550102","address":{"country":"DE"}`, ``)
	consents(2, "DE", granted)
	tell(3, `"email":"customer-3@example.com","address":{"country":"FR"}`, ``) // never asked
	tell(4, `"email":"customer-4@example.com","address":{"country":"US"}`, ``) // never asked, where that is allowed
	tell(5, `"email":"customer-5@example.com","phone":"+12025550105","address":{"country":"US"}`, ``)
	consents(5, "US", `"ads_user_data":"granted","ads_personalization":"denied"`)
	tell(6, `"phone":"+12025550106","address":{"country":"GB"}`, ``)
	consents(6, "GB", granted)
	tell(7, `"email":"customer-7@example.com","address":{"country":"US"}`, ``)
	tell(7, `"email":"customer-7b@example.com","address":{"country":"US"}`, ``)
	tell(8, `"email":"customer-8@example.com","address":{"country":"US"}`, `"device":{"advertisingId":"7A3CBEA0-BDF5-11E4-A7E8-B8E8563F2E4A","adTrackingEnabled":true}`)
	return all
}

// exportStand is a running Seamline with people, whose lists are pulled over HTTP.
type exportStand struct {
	*stand
	*pullers
	url  string
	log  *lockedBuffer
	stop func()
}

// lockedBuffer is a log that several goroutines write to.
type lockedBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write appends.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

const exportRules = "audiences:\n  - name: everybody\n    description: all who can be reached\n    when: emails > 0 or phones > 0\n  - name: other\n    when: orders > 0\n"

func newExportStand(t *testing.T) *exportStand {
	t.Helper()
	s := &exportStand{stand: newStand(t), pullers: writeCredentials(t), log: &lockedBuffer{}}
	s.create()
	rules := filepath.Join(t.TempDir(), "audiences.yaml")
	if err := os.WriteFile(rules, []byte(exportRules), 0o600); err != nil {
		t.Fatal(err)
	}
	set := &s.settings
	set.Audiences.Rules, set.HTTPAddr, set.LogLevel = rules, "127.0.0.1:0", "info"
	set.Exports.Credentials, set.Exports.Platforms, set.Exports.Every = s.pullers.path, exportPlatforms(t), time.Second
	set.Exports.FilesDir, set.Exports.FilesLists, set.Exports.FilesEvery = filepath.Join(t.TempDir(), "files"), "everybody:google,other:uid2", time.Second
	set.Contacts.Clear, set.Contacts.Key = true, "c2VhbWxpbmUtdGVzdC1rZXktb2YtMzItYnl0ZXMtMDE=" // for Google's postal codes
	s.publish(exportPeople()...)
	return s
}

// begin runs Seamline until stop is called.
func (s *exportStand) begin() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended, at := make(chan error, 1), make(chan string, 1)
	if err := s.settings.validate(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		ended <- runPipeline(ctx, &s.settings, runOptions{registry: newRegistry(), log: s.settings.logger(s.log), started: func(addr string) { at <- addr }})
	}()
	s.url = "http://" + <-at
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the run ended with %v", err)
		}
	})
	s.t.Cleanup(s.stop)
}

// pull asks for a path with headers, given in pairs.
func (s *exportStand) pull(method, path string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.SetBasicAuth("everything", s.password)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(body)
}

// await asks until the answer is what it is to become.
func (s *exportStand) await(path string, is func(status int, body string) bool) string {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		answer, body := s.pull("GET", path)
		if is(answer.StatusCode, body) {
			return body
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s stays %d: %.500s\n%.3000s", path, answer.StatusCode, body, s.log)
		}
	}
}

func has(rows int) func(int, string) bool {
	return func(status int, body string) bool { return status == 200 && strings.Count(body, "\n") == rows }
}

// TestEndToEndExports: from the events that tell of people to the files that platforms pull.
func TestEndToEndExports(t *testing.T) {
	t.Parallel()
	s := newExportStand(t)
	s.run(func(o *runOptions) { o.log = s.settings.logger(s.log) }) // tables and people
	s.begin()
	s.goldenFiles()
	s.checkHashes()
	s.conditions()
	s.encodings()
	s.strangers()
	s.follows()
	s.filesOfSchedule()
	s.describes()
	s.stop()
	s.commandWrites()
	if text := s.log.String(); strings.Contains(text, s.password) || strings.Contains(text, s.token) || strings.Contains(text, "sig=") || strings.Contains(text, "since=") || strings.Contains(text, "example.com") {
		t.Errorf("the log has a secret, a query string or an address:\n%s", text)
	} else if !strings.Contains(text, "msg=request method=GET path=/v1/audiences/everybody/export/meta.csv status=200") {
		t.Errorf("the access log has no line of a pull:\n%s", text)
	}
}

// goldenFiles compares the file of each platform with testdata/exports. Rows are sorted, since ids of people are not the same in each run.
func (s *exportStand) goldenFiles() {
	s.t.Helper()
	rows := map[string]int{"google": 7, "meta": 7, "tiktok": 7, "microsoft": 7, "pinterest": 6, "linkedin": 7, "snap": 6, "x": 8, "criteo": 7, "uid2": 6, "generic": 8}
	for platform, want := range rows {
		body := s.await("/v1/audiences/everybody/export/"+platform+".csv", has(want))
		golden := filepath.Join("testdata", "exports", platform+".csv")
		got := sortedRows(body, platform)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				s.t.Fatal(err)
			}
		}
		text, err := os.ReadFile(golden)
		if err != nil || got != string(text) {
			s.t.Errorf("%s is not as in %s (%v):\n%s", platform, golden, err, got)
		}
	}
	s.await("/v1/audiences/other/export/uid2.csv", func(status int, body string) bool {
		return status == 409 && strings.Contains(body, "urn:seamline:problem:too-small")
	})
}

var idOfProfile = regexp.MustCompile(`(?m)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func sortedRows(body, platform string) string {
	rows := strings.Split(strings.TrimSuffix(idOfProfile.ReplaceAllString(body, "ID"), "\n"), "\n")
	first := 1
	if platform == "pinterest" || platform == "snap" || platform == "uid2" {
		first = 0
	}
	slices.Sort(rows[first:])
	return strings.Join(rows, "\n") + "\n"
}

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// checkHashes looks for what the rules of the platforms give, written down here apart from the code.
func (s *exportStand) checkHashes() {
	s.t.Helper()
	f := func(platform, text string, want bool) {
		s.t.Helper()
		_, body := s.pull("GET", "/v1/audiences/everybody/export/"+platform+".csv")
		if strings.Contains(body, sha(text)) != want {
			s.t.Errorf("%s has the hash of %s: %t, want %t:\n%s", platform, text, !want, want, body)
		}
	}
	for _, platform := range []string{"meta", "tiktok", "microsoft", "pinterest", "linkedin", "snap", "x", "criteo", "generic"} {
		f(platform, "customer.two+shop@gmail.com", true)
		f(platform, "customer-3@example.com", false)
		f(platform, "customer-5@example.com", false)
	}
	f("google", "customertwo@gmail.com", true)
	f("google", "customer.two+shop@gmail.com", false)
	f("google", "+12025550106", true)
	f("meta", "12025550106", true)
	f("meta", "+12025550106", false)
	f("tiktok", "+12025550106", true)
	f("meta", "us", true)
	f("meta", "19970216", true)
	f("google", "mary", true) // with a country and a postal code, which stand in clear
	f("google", "smith-jones", true)
	f("google", "customer-5@example.com", false)
}

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
		{"another unit", []string{"Range", "rows=1-2"}, 416, "", ""},
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
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Audiences) == 0 || answer.Audiences[0].Name != "everybody" || answer.Audiences[0].Size != 8 || answer.Audiences[0].LastChange == nil || len(answer.Audiences[0].Platforms) != 11 {
		t.Errorf("audiences: %s: %v", body, err)
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
