package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seamline/seamline/sinks/export"
)

// Bounds of requests for lists.
const (
	exportsAtOnceMax   = 64 // a slow caller holds one of them as long as a download takes
	downloadsAtOnceMax = 8  // of one credential, so that it leaves room for others
	downloadRetryAfter = 5 * time.Second
	changesLimit       = 1000
	accessBytesMax     = 200 // of what a caller chose, in a line of the access log
)

// exportAPI answers requests for audiences. Its callers have credentials of their own, each for some audiences and platforms.
type exportAPI struct {
	api     *api
	exports *export.Exporter // nil where settings name no credentials
	door    *export.Door
	slots   chan struct{}

	mu        sync.Mutex     // guards the following
	downloads map[string]int // that run now, by the name of the credential
}

// exportAPI makes the API of a run.
func (r *pipelineRun) exportAPI(a *api) *exportAPI {
	e := &exportAPI{api: a, slots: make(chan struct{}, exportsAtOnceMax), downloads: map[string]int{}}
	if r.exports != nil && r.Exports.Credentials != "" {
		e.exports, e.door = r.exports, export.NewDoor(r.Exports.Credentials, time.Now)
	}
	return e
}

func (e *exportAPI) routes(mux *http.ServeMux) {
	mux.Handle("/v1/audiences", e.guarded(e.audiences))
	mux.Handle("/v1/audiences/{name}/export/{file}", e.guarded(e.list))
	mux.Handle("/v1/audiences/{name}/changes", e.guarded(e.changes))
}

// errExports are the answers to what lists can fail with. A list that a credential is not for is answered as one that does not exist.
var errExports = []struct {
	err    error
	status int
	name   string
	detail string
}{
	{export.ErrUnknown, http.StatusNotFound, "unknown-list", "there is no such audience, platform or format, or this credential is not for it"},
	{export.ErrNotYet, http.StatusServiceUnavailable, "building", "the list is being made for the first time; ask again after Retry-After seconds"},
	{export.ErrTooSmall, http.StatusConflict, "too-small", "fewer people would be on the list than the platform or the audience wants, so that it is not given out"},
	{export.ErrGone, http.StatusGone, "cursor-too-old", "changes since then are not kept: pull the whole list, and go on from the cursor in its Seamline-Cursor header"},
	{export.ErrCursor, http.StatusBadRequest, "bad-request", "since is no cursor of this audience and platform"},
}

func (e *exportAPI) problemOf(err error) *problem {
	for _, known := range errExports {
		if errors.Is(err, known.err) {
			return &problem{Status: known.status, Name: known.name, Detail: known.detail}
		}
	}
	return e.api.problemOf(err)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// guarded lets those in who have a credential, at its rate, and writes a line of the access log for each request: never a query string.
func (e *exportAPI) guarded(serve func(ctx context.Context, w http.ResponseWriter, r *http.Request, who *export.Credential) error) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w, start, name := &exportWriter{ResponseWriter: out}, time.Now(), ""
		defer func() {
			e.api.log.Info("request", "method", r.Method, "path", cut(r.URL.EscapedPath()), "status", w.status, "bytes", w.bytes, "took_ms", time.Since(start).Milliseconds(),
				"credential", name, "agent", cut(r.UserAgent()))
		}()
		w.Header().Set("Cache-Control", "no-store")
		who, p := e.admit(w, r)
		if who != nil {
			name = who.Name
		}
		if p != nil {
			p.write(w)
			return
		}
		leave, p := enter(e.slots)
		if p != nil {
			p.write(w)
			return
		}
		defer leave()
		if err := serve(r.Context(), w, r, who); err != nil {
			w.Header().Set("Cache-Control", "no-store")
			e.problemOf(err).write(w)
		}
	})
}

// cut shortens what a caller chose, so that nobody fills the log.
func cut(text string) string {
	if len(text) <= accessBytesMax {
		return text
	}
	return strings.ToValidUTF8(text[:accessBytesMax], "") + "..."
}

// download takes one of the downloads that a credential may have at once, which leave gives back.
func (e *exportAPI) download(w http.ResponseWriter, who *export.Credential) (leave func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.downloads[who.Name] >= downloadsAtOnceMax {
		w.Header().Set("Retry-After", seconds(downloadRetryAfter))
		return nil, &problem{Status: http.StatusTooManyRequests, Name: "too-many-requests", Detail: fmt.Sprintf("%d downloads of this credential are running: wait until one has ended", downloadsAtOnceMax)}
	}
	e.downloads[who.Name]++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.downloads[who.Name]--; e.downloads[who.Name] == 0 {
			delete(e.downloads, who.Name)
		}
	}, nil
}

// admit says who a caller is, or why one is not let in.
func (e *exportAPI) admit(w http.ResponseWriter, r *http.Request) (*export.Credential, *problem) {
	if e.exports == nil {
		return nil, &problem{Status: http.StatusForbidden, Name: "no-credentials", Detail: "this installation lets nobody pull: it has no exports.credentials"}
	}
	who, err := e.identify(r)
	switch {
	case err != nil:
		e.api.log.Error("nobody is let in", "err", err)
		return nil, &problem{Status: http.StatusForbidden, Name: "no-credentials", Detail: "the credentials of this installation cannot be read; the log says more"}
	case who == nil:
		w.Header().Add("WWW-Authenticate", `Basic realm="seamline", charset="UTF-8"`)
		w.Header().Add("WWW-Authenticate", `Bearer realm="seamline"`)
		return nil, &problem{Status: http.StatusUnauthorized, Name: "unauthorized", Detail: "show a credential: a name and password, a bearer token, or a signed URL that is still valid"}
	}
	if p := refuseMethod(w, r, http.MethodGet, http.MethodHead); p != nil {
		return who, p
	}
	if wait, ok := e.door.Room(who); !ok {
		w.Header().Set("Retry-After", seconds(max(wait, time.Second)))
		return who, &problem{Status: http.StatusTooManyRequests, Name: "too-many-requests", Detail: "this credential has used up its rate; ask again after Retry-After seconds"}
	}
	return who, nil
}

// identify gives the credential that a request shows; nil for none.
func (e *exportAPI) identify(r *http.Request) (*export.Credential, error) {
	if name, password, ok := r.BasicAuth(); ok {
		return e.door.Password(name, password)
	}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return e.door.Token(strings.TrimSpace(token))
	}
	if query := r.URL.Query(); query.Has("sig") && r.Header.Get("Authorization") == "" {
		return e.door.Signed(r.URL.EscapedPath(), query.Get("exp"), query.Get("sig"))
	}
	return nil, e.door.Check()
}

// parameters refuses parameters that are not among some; those of signed URLs always are.
func parameters(r *http.Request, known ...string) error {
	for key, values := range r.URL.Query() {
		if key != "exp" && key != "sig" && !slices.Contains(known, key) || len(values) != 1 {
			return badRequest("the parameters are %s, each once", strings.Join(append(known, "exp, sig of signed URLs"), ", "))
		}
	}
	return nil
}

// audienceRow is one audience of an answer.
type audienceRow struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Size        uint64   `json:"size"`
	LastChange  *string  `json:"last_change"` // null where nobody ever entered
	Platforms   []string `json:"platforms"`   // that the credential is for
}

// platformRow is one platform of an answer: its limits, as somebody last held them against its sources. 0 is no limit that is known.
type platformRow struct {
	Name              string `json:"name"`
	CheckedOn         string `json:"checked_on"`
	MinSize           int    `json:"min_size"`
	MembershipDaysMax int    `json:"membership_days_max"`
	RequestRowsMax    int    `json:"request_rows_max"`
	ListRowsMax       int    `json:"list_rows_max"`
}

// platforms gives those that a credential is for.
func (e *exportAPI) platforms(who *export.Credential) []platformRow {
	rows := []platformRow{}
	for _, p := range e.exports.Platforms() {
		if slices.Contains(who.Platforms, p.Name) {
			rows = append(rows, platformRow{p.Name, p.CheckedOn, p.MinSize, p.MembershipDaysMax, p.RequestRowsMax, p.ListRowsMax})
		}
	}
	return rows
}

// audiences answers GET /v1/audiences.
func (e *exportAPI) audiences(ctx context.Context, w http.ResponseWriter, r *http.Request, who *export.Credential) error {
	if err := parameters(r); err != nil {
		return err
	}
	all, err := e.exports.Audiences(ctx)
	if err != nil {
		return err
	}
	rows := []audienceRow{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		if !a.IsActive || !who.Sees(name) {
			continue
		}
		row := audienceRow{Name: a.Name, Description: a.Description, Size: a.Size, Platforms: []string{}}
		if !a.Changed.IsZero() && a.Changed.Unix() != 0 {
			text := a.Changed.Format(time.RFC3339Nano)
			row.LastChange = &text
		}
		for _, p := range e.exports.Platforms() {
			if who.Allows(export.List{Audience: name, Platform: p.Name}) {
				row.Platforms = append(row.Platforms, p.Name)
			}
		}
		rows = append(rows, row)
	}
	return respond(w, http.StatusOK, map[string]any{"audiences": rows, "platforms": e.platforms(who)})
}

// changes answers GET /v1/audiences/{name}/changes.
func (e *exportAPI) changes(ctx context.Context, w http.ResponseWriter, r *http.Request, who *export.Credential) error {
	if err := parameters(r, "since", "limit", "platform"); err != nil {
		return err
	}
	query, limit := r.URL.Query(), changesLimit
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > export.ChangesMax {
			return badRequest("limit is a number from 1 to %d", export.ChangesMax)
		}
		limit = n
	}
	list := export.List{Audience: r.PathValue("name"), Platform: query.Get("platform")}
	if list.Platform == "" {
		if len(who.Platforms) != 1 {
			return badRequest("this credential is for several platforms: name one as platform")
		}
		list.Platform = who.Platforms[0]
	}
	if !who.Allows(list) {
		return export.ErrUnknown
	}
	changes, err := e.exports.Changes(ctx, list, query.Get("since"), limit)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, changes)
}

// list answers GET /v1/audiences/{name}/export/{platform}.{format}[.gz].
func (e *exportAPI) list(ctx context.Context, w http.ResponseWriter, r *http.Request, who *export.Credential) error {
	if err := parameters(r); err != nil {
		return err
	}
	file := r.PathValue("file")
	name, isZipFile := strings.CutSuffix(file, ".gz")
	platform, format, _ := strings.Cut(name, ".")
	list := export.List{Audience: r.PathValue("name"), Platform: platform}
	if p := e.exports.Platform(platform); p == nil || !who.Allows(list) || !slices.Contains(p.Formats, format) {
		return export.ErrUnknown
	}
	leave, err := e.download(w, who)
	if err != nil {
		return err
	}
	defer leave()
	s, err := e.exports.Standing(ctx, list)
	if err != nil {
		return err
	}
	return e.serve(ctx, w, r, listFile{snapshot: s, name: fmt.Sprintf("%s.%s", list.Audience, file), format: format, isZipFile: isZipFile})
}
