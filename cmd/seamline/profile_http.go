package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// profileByID answers GET /v1/profiles/{id}.
func (a *api) profileByID(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	id, ok := parseProfileID(r.PathValue("id"))
	if !ok {
		return badRequest("this is no id of a profile; one person is /v1/profiles/NAMESPACE/VALUE or /v1/profiles/ID")
	}
	return a.profile(ctx, w, r, personName{profile: id})
}

// profileByIdentifier answers GET /v1/profiles/{namespace}/{value}.
func (a *api) profileByIdentifier(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	id := schemas.Identifier{Namespace: strings.TrimSpace(r.PathValue("namespace")), Value: r.PathValue("value")}
	if id.Namespace == "" || strings.TrimSpace(id.Value) == "" {
		return badRequest("the namespace or the value is empty")
	}
	return a.profile(ctx, w, r, personName{identifier: id})
}

// profile answers what is known of one person.
func (a *api) profile(ctx context.Context, w http.ResponseWriter, r *http.Request, who personName) error {
	isExplained := false
	for key, values := range r.URL.Query() {
		var err error
		if key != "explain" || len(values) != 1 {
			return badRequest("the only parameter is explain, once")
		}
		if isExplained, err = strconv.ParseBool(values[0]); err != nil {
			return badRequest("explain is neither true nor false")
		}
	}
	desk, err := openProfileDesk(a.settings)
	if err != nil {
		return err
	}
	defer desk.reader.Close()
	answer, err := desk.answer(ctx, who, isExplained)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, answer)
}
