package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyAGoodAnswerIsHealthy(t *testing.T) {
	t.Parallel()
	f := func(status int, want string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		defer server.Close()
		err := check(server.URL)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%d: error is %v, want %q", status, err, want)
		}
	}
	f(http.StatusOK, "")
	f(http.StatusNoContent, "")
	f(http.StatusServiceUnavailable, "503")
	f(http.StatusNotFound, "404")
	if err := check("http://127.0.0.1:1/"); err == nil {
		t.Error("nobody answers, and that is healthy")
	}
}
