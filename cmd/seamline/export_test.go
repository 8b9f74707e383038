package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
