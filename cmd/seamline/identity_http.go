package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// Bounds of requests.
const (
	apiBodyBytesMax = 16 << 10
	apiAtOnceMax    = 2
	apiTookMax      = 2 * time.Minute
	apiWaitMax      = time.Minute
	tokenBytesMin   = 16

	// The line needs its memory: a question may be answered by seamline identity where it is too large here.
	apiIdentifiersMax = 120_000
	apiRowsMax        = 250_000
)

//go:embed openapi.json
var openAPI []byte

// api answers requests under /v1. It asks the tables for each, and logs no value of any identifier.
type api struct {
	settings *settings
	log      *slog.Logger
	slots    chan struct{}
}

// routes adds what the API serves.
func (a *api) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI) // a client that went away is no matter
	})
	mux.Handle("/v1/identity/explain", a.guarded(http.MethodGet, a.explain))
	mux.Handle("/v1/identity/retract", a.guarded(http.MethodPost, a.retract))
	mux.Handle("/v1/profiles/{id}", a.guarded(http.MethodGet, a.profileByID))
	mux.Handle("/v1/profiles/{namespace}/{value}", a.guarded(http.MethodGet, a.profileByIdentifier))
	mux.Handle("/v1/", a.guarded("", func(context.Context, http.ResponseWriter, *http.Request) error {
		return &problem{Status: http.StatusNotFound, Name: "not-found", Detail: "there is nothing at this path; /openapi.json describes what there is"}
	}))
}

// problem is an RFC 9457 problem document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Name   string `json:"-"` // the end of Type
}

func (p *problem) Error() string { return p.Detail }

func (p *problem) write(w http.ResponseWriter) {
	p.Type, p.Title = "urn:seamline:problem:"+p.Name, http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", retryAfter[p.Name])
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that went away is no matter
}

// retryAfter says after how many seconds it is worth to ask again.
var retryAfter = map[string]string{"busy": "1", "building": "5", "unavailable": "5"}

// problems give errors their answer.
var problems = []struct {
	err    error
	status int
	name   string
}{
	{errUnknown, http.StatusNotFound, "unknown-identifier"},
	{errNoProfile, http.StatusNotFound, "unknown-profile"},
	{errNamesNobody, http.StatusUnprocessableEntity, "names-nobody"},
	{errQuarantined, http.StatusUnprocessableEntity, "names-nobody"},
	{errEvidence, http.StatusUnprocessableEntity, "names-nobody"},
	{errNoLink, http.StatusConflict, "no-such-link"},
	{errAlready, http.StatusConflict, "nothing-to-do"},
	{clickhouse.ErrCommandRefused, http.StatusUnprocessableEntity, "command-refused"},
}

// problemOf gives an error its answer. What it does not know is told to the log only.
func (a *api) problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, known := range problems {
		if errors.Is(err, known.err) {
			return &problem{Status: known.status, Name: known.name, Detail: err.Error()}
		}
	}
	a.log.Warn("could not answer a request", "err", err)
	return &problem{Status: http.StatusServiceUnavailable, Name: "unavailable", Detail: "Kafka or ClickHouse did not answer; the log says more"}
}

// guarded lets those in who have the token, by one method, and a few at a time.
func (a *api) guarded(method string, serve func(ctx context.Context, w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if p := a.refuse(r); p != nil {
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="seamline"`)
			}
			p.write(w)
			return
		}
		if method != "" {
			if p := refuseMethod(w, r, method); p != nil {
				p.write(w)
				return
			}
		}
		leave, p := enter(a.slots)
		if p != nil {
			p.write(w)
			return
		}
		defer leave()
		ctx, cancel := context.WithTimeout(r.Context(), apiTookMax)
		defer cancel()
		if err := serve(ctx, w, r); err != nil {
			a.problemOf(err).write(w)
		}
	})
}

// refuseMethod says that a method is none of some; nil where it is one.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed ...string) *problem {
	if slices.Contains(allowed, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return &problem{Status: http.StatusMethodNotAllowed, Name: "method-not-allowed", Detail: "use " + strings.Join(allowed, " or ")}
}

// enter takes one of some slots, which leave gives back, or says that all are taken.
func enter(slots chan struct{}) (leave func(), p *problem) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	default:
		return nil, &problem{Status: http.StatusServiceUnavailable, Name: "busy", Detail: "too many requests at once"}
	}
}

// token gives what callers must show; empty where nobody is let in.
func (s *settings) token() (string, error) {
	if s.HTTPTokenFile == "" {
		return s.HTTPToken, nil
	}
	text, err := os.ReadFile(s.HTTPTokenFile)
	if err != nil {
		return "", fmt.Errorf("http.token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < tokenBytesMin {
		return "", fmt.Errorf("http.token-file: %s holds fewer than %d characters", s.HTTPTokenFile, tokenBytesMin)
	}
	return token, nil
}

// refuse says why a caller is not let in; nil where one is. The file is read again each time, so that the token may be renewed.
func (a *api) refuse(r *http.Request) *problem {
	token, err := a.settings.token()
	switch {
	case err != nil:
		a.log.Error("nobody is let in", "err", err)
		return &problem{Status: http.StatusForbidden, Name: "no-token", Detail: "the token of this installation cannot be read; the log says more"}
	case token == "":
		return &problem{Status: http.StatusForbidden, Name: "no-token", Detail: "this installation lets nobody in: it has neither http.token nor http.token-file"}
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(strings.TrimSpace(given)))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return &problem{Status: http.StatusUnauthorized, Name: "unauthorized", Detail: "show the token as Authorization: Bearer TOKEN"}
	}
	return nil
}

func badRequest(format string, args ...any) *problem {
	return &problem{Status: http.StatusBadRequest, Name: "bad-request", Detail: fmt.Sprintf(format, args...)}
}

func respond(w http.ResponseWriter, status int, answer any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a client that went away is no matter
	return nil
}

// desk opens a desk that takes little of the line's memory.
func (a *api) desk() (*identityDesk, error) {
	desk, err := openDesk(a.settings)
	if err == nil {
		desk.limits.Identifiers, desk.rows = apiIdentifiersMax, apiRowsMax
	}
	return desk, err
}

// explain answers GET /v1/identity/explain.
func (a *api) explain(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	for key := range query {
		if key != "a" && key != "b" && key != "as_of" {
			return badRequest("the parameters are a, b and as_of")
		}
	}
	var asOf timeFlag
	if text := query.Get("as_of"); text != "" {
		if err := asOf.Set(text); err != nil {
			return badRequest("as_of is not an RFC 3339 time such as 2026-01-31T00:00:00Z")
		}
	}
	x, err := parseIdentifier(query.Get("a"))
	if err != nil {
		return badRequest("a: %s", err)
	}
	desk, err := a.desk()
	if err != nil {
		return err
	}
	defer desk.reader.Close()
	if !query.Has("b") {
		answer, err := desk.explainOne(ctx, x, schemas.Time(asOf))
		if err != nil {
			return err
		}
		return respond(w, http.StatusOK, answer)
	}
	y, err := parseIdentifier(query.Get("b"))
	if err != nil {
		return badRequest("b: %s", err)
	}
	answer, err := desk.explain(ctx, x, y, schemas.Time(asOf))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, answer)
}

// requestIdentifier is an identifier in a request: "ns:value", or an object of namespace and value.
type requestIdentifier schemas.Identifier

// UnmarshalJSON reads both forms.
func (i *requestIdentifier) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		id, err := parseIdentifier(text)
		*i = requestIdentifier(id)
		return err
	}
	type plain requestIdentifier
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode((*plain)(i)); err != nil || strings.TrimSpace(i.Namespace) == "" || strings.TrimSpace(i.Value) == "" {
		return errors.New(`an identifier is "namespace:value", or an object of namespace and value`)
	}
	return nil
}

// retractRequest is the body of POST /v1/identity/retract.
type retractRequest struct {
	ID     string             `json:"id"`
	A      *requestIdentifier `json:"a"`
	B      *requestIdentifier `json:"b"`
	Forbid bool               `json:"forbid"`
	Reason string             `json:"reason"`
}

// order reads a request.
func (a *api) order(w http.ResponseWriter, r *http.Request) (*order, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &problem{Status: http.StatusUnsupportedMediaType, Name: "unsupported-media-type", Detail: "send application/json"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, apiBodyBytesMax))
	if err != nil {
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Name: "too-large", Detail: fmt.Sprintf("the body is larger than %d bytes, or broke off", apiBodyBytesMax)}
	}
	var request retractRequest
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil || decoder.More() {
		return nil, badRequest("the body is no JSON object of a, b, forbid, reason and id")
	}
	if request.A == nil {
		return nil, badRequest("a is missing")
	}
	o := &order{ID: request.ID, Kind: schemas.CommandRetract.String(), A: schemas.Identifier(*request.A), B: (*schemas.Identifier)(request.B), Forbid: request.Forbid, Reason: request.Reason}
	o.newOrderID()
	if err := o.check(); err != nil {
		return nil, badRequest("%s", err)
	}
	return o, nil
}

// retract answers POST /v1/identity/retract.
func (a *api) retract(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	wait := time.Duration(0)
	if text := r.URL.Query().Get("wait"); text != "" {
		var err error
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > apiWaitMax {
			return badRequest("wait is no duration up to %s, such as 10s", apiWaitMax)
		}
	}
	o, err := a.order(w, r)
	if err != nil {
		return err
	}
	desk, err := a.desk()
	if err != nil {
		return err
	}
	defer desk.reader.Close()
	given, err := desk.give(ctx, a.settings, o)
	if err != nil {
		return err
	}
	a.log.Info("a command was given over HTTP", "kind", o.Kind, "id", o.ID)
	if wait > 0 {
		done, err := desk.await(ctx, a.settings, given, waitOptions{timeout: wait})
		if err == nil {
			return respond(w, http.StatusOK, done)
		}
		if !errors.Is(err, errNotYet) {
			return err
		}
	}
	return respond(w, http.StatusAccepted, &outcome{ID: o.ID, Kind: o.Kind, Done: given.isOld})
}
