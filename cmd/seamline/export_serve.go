package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seamline/seamline/sinks/export"
)

// listFile is a list as it was asked for.
type listFile struct {
	snapshot  *export.Snapshot
	name      string // that a browser would give it
	format    string
	isZipFile bool // the file is the zipped one; otherwise a zipped form is an encoding of it
}

var contentTypes = map[string]string{export.FormatCSV: "text/csv; charset=utf-8", export.FormatTSV: "text/tab-separated-values; charset=utf-8", export.FormatNDJSON: "application/x-ndjson"}

// serve gives out a list that does not change: with conditions, ranges, and zipped where the caller takes that. Each form is a file of its own with
// an entity tag of its own, so that ranges of it fit together.
func (e *exportAPI) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, f listFile) error {
	isEncoded := !f.isZipFile && acceptsGzip(r.Header.Values("Accept-Encoding"))
	artefact, err := e.exports.Open(ctx, f.snapshot, f.format, isEncoded || f.isZipFile)
	if err != nil {
		return err
	}
	defer artefact.Close()
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Type", contentTypes[f.format])
	h.Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	h.Set("ETag", `"`+artefact.SHA256+`"`)
	h.Set("Seamline-Snapshot", strconv.FormatUint(f.snapshot.Number, 10))
	h.Set("Seamline-Cursor", e.exports.Cursor(f.snapshot))
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case f.isZipFile:
		h.Set("Content-Type", "application/gzip")
	case isEncoded:
		h.Set("Content-Encoding", "gzip")
		h.Set("Vary", "Accept-Encoding")
	default:
		h.Set("Vary", "Accept-Encoding")
	}
	if out, ok := w.(*exportWriter); ok {
		out.size = artefact.Bytes
	}
	http.ServeContent(w, withRange(r), "", f.snapshot.Time, artefact.File)
	return nil
}

// withRange gives a request whose Range, if any, is one that counts: RFC 9110 section 14.2 has servers pass over it for methods other than GET and
// for units that they do not know, and section 14.1 writes units in any case.
func withRange(r *http.Request) *http.Request {
	text := r.Header.Get("Range")
	unit, ranges, _ := strings.Cut(text, "=")
	if text == "" || strings.HasPrefix(text, "bytes=") && r.Method == http.MethodGet {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Del("Range")
	if strings.EqualFold(unit, "bytes") && r.Method == http.MethodGet {
		r.Header.Set("Range", "bytes="+ranges)
	}
	return r
}

// acceptsGzip tells whether a caller takes gzip, by RFC 9110 section 12.5.3: named with a weight above 0, or covered by a star.
func acceptsGzip(values []string) bool {
	star := false
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		coding, parameters, _ := strings.Cut(part, ";")
		is := weight(parameters) > 0
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return is
		case "*":
			star = is
		}
	}
	return star
}

// weight reads the q of an element of Accept-Encoding; 1 where there is none, 0 where it is wrong.
func weight(parameters string) float64 {
	name, value, found := strings.Cut(strings.TrimSpace(parameters), "=")
	if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	return q
}

// exportWriter makes errors of http.ServeContent problem documents, says how long an encoded file is, and counts for the access log.
type exportWriter struct {
	http.ResponseWriter
	size    int64 // of the file that is served; 0 where none is
	status  int
	bytes   int64
	isMuted bool // the problem document has taken the body's place
}

// served are the problems that http.ServeContent finds.
var served = map[int]problem{
	http.StatusPreconditionFailed:           {Status: http.StatusPreconditionFailed, Name: "precondition-failed", Detail: "the list is not the one that the condition names"},
	http.StatusRequestedRangeNotSatisfiable: {Status: http.StatusRequestedRangeNotSatisfiable, Name: "range-not-satisfiable", Detail: "no part of the range is within the list; Content-Range says how long that is"},
}

// WriteHeader notes the status.
func (w *exportWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	p, isProblem := served[status]
	if !isProblem {
		if status == http.StatusOK && w.size > 0 && w.Header().Get("Content-Length") == "" {
			w.Header().Set("Content-Length", strconv.FormatInt(w.size, 10))
		}
		w.ResponseWriter.WriteHeader(status)
		return
	}
	for _, name := range []string{"Content-Disposition", "Content-Encoding", "Content-Length", "Last-Modified", "ETag", "Seamline-Cursor", "Seamline-Snapshot"} {
		w.Header().Del(name)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.isMuted = true
	p.write(w.ResponseWriter)
}

// writeWaitMax bounds how long a caller may take for one piece of a list, so that who stands still holds no slot.
const writeWaitMax = time.Minute

// Write passes on what is no text of an error.
func (w *exportWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.isMuted {
		return len(b), nil
	}
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeWaitMax)) // where it cannot be set, there is nobody to wait for
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	if err != nil {
		return n, fmt.Errorf("send a list: %w", err)
	}
	return n, nil
}
