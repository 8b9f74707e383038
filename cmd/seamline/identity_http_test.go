package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/pipeline"
)

const testToken = "a-token-for-tests-only"

// apiServer serves the HTTP interface of settings, and gives a function that asks it.
func apiServer(t *testing.T, s *settings, log io.Writer) func(method, path, token, body string) (status int, kind, answer string) {
	t.Helper()
	r := &pipelineRun{settings: s, health: pipeline.NewHealth(), runOptions: runOptions{registry: newRegistry(), log: slog.New(slog.NewTextHandler(log, nil))}}
	server := httptest.NewServer(r.handler())
	t.Cleanup(server.Close)
	return func(method, path, token, body string) (int, string, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", token)
		}
		if body != "" {
			request.Header.Set("Content-Type", "application/json; charset=utf-8")
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header.Get("Content-Type"), string(answer)
	}
}

func TestAPIRefuses(t *testing.T) {
	t.Parallel()
	s := defaultSettings()
	var log bytes.Buffer
	ask := apiServer(t, &s, &log)
	f := func(method, path, token, body string, want int, name string) {
		t.Helper()
		status, kind, answer := ask(method, path, token, body)
		var p problem
		if err := json.Unmarshal([]byte(answer), &p); err != nil {
			t.Errorf("%s %s: %v: %s", method, path, err, answer)
		}
		if status != want || kind != "application/problem+json" || p.Status != want || p.Type != "urn:seamline:problem:"+name || p.Title == "" || p.Detail == "" {
			t.Errorf("%s %s: got %d, %s, %s; want %d, %s", method, path, status, kind, answer, want, name)
		}
	}
	const explain, retract = "/v1/identity/explain?a=user_id:u-1&b=user_id:u-2", "/v1/identity/retract"
	f("GET", explain, "Bearer "+testToken, "", 403, "no-token")
	s.HTTPToken = testToken
	f("GET", explain, "", "", 401, "unauthorized")
	f("GET", explain, "Bearer", "", 401, "unauthorized")
	f("GET", explain, "Bearer "+testToken+"x", "", 401, "unauthorized")
	f("GET", explain, "Basic "+testToken, "", 401, "unauthorized")
	bearer := "bearer " + testToken
	f("POST", explain, bearer, "", 405, "method-not-allowed")
	f("GET", retract, bearer, "", 405, "method-not-allowed")
	f("GET", "/v1/audience", bearer, "", 404, "not-found")
	f("GET", "/v1/identity/explain", bearer, "", 400, "bad-request")
	f("GET", "/v1/identity/explain?a=user_id:u&b=nothing", bearer, "", 400, "bad-request")
	f("GET", "/v1/identity/explain?a=user_id:u&c=x", bearer, "", 400, "bad-request")
	f("GET", explain+"&as_of=yesterday", bearer, "", 400, "bad-request")
	f("POST", retract, bearer, "", 415, "unsupported-media-type")
	f("POST", retract+"?wait=2h", bearer, "{}", 400, "bad-request")
	for _, body := range []string{"{}", "[]", "x", `{"a":"u"}`, `{"a":{"namespace":"user_id"},"reason":"r"}`, `{"a":"user_id:u-1"}`, `{"a":"user_id:u-1","reason":"r","forbid":true}`,
		`{"a":"user_id:u-1","reason":"r","forbidden":true}`, `{"a":"user_id:u-1","b":"user_id:u-1","reason":"r"}`, `{"a":"user_id:u-1","reason":"r"}{}`,
		`{"a":"user_id:u-1","reason":"` + strings.Repeat("r", 201) + `"}`, `{"a":"user_id:u-1","reason":"r","id":"` + strings.Repeat("i", 129) + `"}`} {
		f("POST", retract, bearer, body, 400, "bad-request")
	}
	f("POST", retract, bearer, `{"reason":"`+strings.Repeat("r", apiBodyBytesMax)+`"}`, 413, "too-large")
	f("GET", "/v1/identity/explain?a=user_id:null", bearer, "", 422, "names-nobody")
	s.ClickHouse.Addr = "127.0.0.1:1"
	f("GET", explain, bearer, "", 503, "unavailable")
	f("GET", "/v1/profiles/user_id/u-1", bearer, "", 503, "unavailable")
	f("GET", "/v1/profiles/0192f0c1-7a52-7f5e-8f00-112233445566", bearer, "", 503, "unavailable")
	f("GET", "/v1/profiles/u-1", bearer, "", 400, "bad-request")
	file := filepath.Join(t.TempDir(), "token")
	s.HTTPToken, s.HTTPTokenFile = "", file
	f("GET", explain, bearer, "", 403, "no-token")
	if err := os.WriteFile(file, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("GET", "/v1/identity/explain", bearer, "", 400, "bad-request")
	if text := log.String(); strings.Contains(text, "u-1") || strings.Contains(text, testToken) {
		t.Errorf("the log has a value or the token:\n%s", text)
	}
}

func TestTokenSettings(t *testing.T) {
	t.Parallel()
	f := func(want, token, file string) {
		t.Helper()
		s := defaultSettings()
		s.Kafka.Brokers, s.HTTPToken, s.HTTPTokenFile = "localhost:9092", token, file
		err := s.validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	f("", "", "")
	f("", testToken, "")
	f("", "", "/run/secrets/token")
	f("exclude each other", testToken, "/run/secrets/token")
	f("at least 16", "short", "")
	var out bytes.Buffer
	s := defaultSettings()
	s.HTTPToken = testToken
	if err := s.print(&out); err != nil || strings.Contains(out.String(), testToken) || !strings.Contains(out.String(), "http.token: (set)") {
		t.Errorf("seamline check prints the token, or does not say that it is set: %v", err)
	}
}

// TestOpenAPI: the document is served to everybody, is whole, and names what is served.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := defaultSettings()
	s.HTTPToken = testToken
	ask := apiServer(t, &s, io.Discard)
	status, kind, answer := ask("GET", "/openapi.json", "", "")
	var doc struct {
		OpenAPI    string                               `json:"openapi"`
		Paths      map[string]map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(answer), &doc); err != nil || status != 200 || kind != "application/json" || doc.OpenAPI != "3.1.0" {
		t.Fatalf("got %d, %s: %v", status, kind, err)
	}
	for _, part := range strings.Split(answer, `"$ref": "`)[1:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(part, "#/components/schemas/"), `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("%s is not described", name)
		}
	}
	var served []string
	for path, methods := range doc.Paths {
		for method := range methods {
			served = append(served, path)
			status, _, _ := ask(strings.ToUpper(method), path, "Bearer "+testToken, "")
			if documented := methods[method]["responses"].(map[string]any)[fmt.Sprint(status)]; documented == nil {
				t.Errorf("%s %s answers %d, and the document does not say so", method, path, status)
			}
		}
	}
	slices.Sort(served)
	served = slices.Compact(served)
	if want := []string{"/healthz", "/metrics", "/openapi.json", "/readyz", "/v1/audiences", "/v1/audiences/{name}/changes", "/v1/audiences/{name}/export/{file}", "/v1/identity/explain", "/v1/identity/retract",
		"/v1/profiles/{id}", "/v1/profiles/{namespace}/{value}"}; !slices.Equal(served, want) {
		t.Errorf("the document has %q, want %q", served, want)
	}
}

// TestEndToEndAPI: an explanation and a biography over HTTP.
func TestEndToEndAPI(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.settings.HTTPToken = testToken
	s.publish(identifies(1, `"anonymousId":"phone"`), identifies(2, `"anonymousId":"laptop"`), identifies(3, `"anonymousId":"phone","userId":"u-1"`),
		identifies(4, `"anonymousId":"laptop","userId":"u-1"`))
	s.run(nil)
	ask := apiServer(t, &s.settings, t.Output())
	status, kind, answer := ask("GET", "/v1/identity/explain?a=anonymous_id:phone&b=anonymous_id:laptop", "Bearer "+testToken, "")
	var e explanation
	if err := json.Unmarshal([]byte(answer), &struct {
		Together *bool  `json:"together"`
		Chain    *[]any `json:"chain"`
	}{&e.Together, new([]any)}); err != nil || status != 200 || kind != "application/json" || !e.Together || strings.Contains(answer, "u-1") {
		t.Errorf("got %d, %s, %s: %v", status, kind, answer, err)
	}
	status, _, answer = ask("GET", "/v1/identity/explain?a=anonymous_id:phone&b=anonymous_id:laptop&as_of=2026-09-01T12:03:00Z", "Bearer "+testToken, "")
	if status != 200 || !strings.Contains(answer, `"together":false`) {
		t.Errorf("as of before: got %d, %s", status, answer)
	}
	status, _, answer = ask("GET", "/v1/identity/explain?a=anonymous_id:phone", "Bearer "+testToken, "")
	if status != 200 || !strings.Contains(answer, `"history":[{`) {
		t.Errorf("one identifier: got %d, %s", status, answer)
	}
	status, _, answer = ask("GET", "/v1/identity/explain?a=anonymous_id:phone&b=user_id:u-7", "Bearer "+testToken, "")
	if status != 404 || strings.Contains(answer, "u-7") {
		t.Errorf("unknown: got %d, %s", status, answer)
	}
	status, _, answer = ask("POST", "/v1/identity/retract", "Bearer "+testToken, `{"a":"anonymous_id:phone","b":{"namespace":"anonymous_id","value":"laptop"},"reason":"r"}`)
	if status != 409 || !strings.Contains(answer, "no-such-link") || !strings.Contains(answer, "anonymous_id phone - user_id *** - anonymous_id laptop") {
		t.Errorf("no such link: got %d, %s", status, answer)
	}
}
