package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// httpStopMax bounds how long open requests may hold up the end of the process.
const httpStopMax = 3 * time.Second

// serveHTTP serves health, readiness, metrics and the API until ctx ends, and gives the address it listens on.
func (r *pipelineRun) serveHTTP(ctx context.Context) (string, func(), error) {
	if r.HTTPAddr == "" {
		return "", func() {}, nil
	}
	listener, err := net.Listen("tcp", r.HTTPAddr)
	if err != nil {
		return "", nil, fmt.Errorf("http.addr: %w", err)
	}
	server := &http.Server{Handler: r.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("http server ended", "err", err)
		}
	}()
	stop := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpStopMax)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close()
		}
		<-done
	}
	return listener.Addr().String(), stop, nil
}

// handler routes requests.
func (r *pipelineRun) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ready, waiting := r.health.Ready()
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, "waiting for\n"+strings.Join(waiting, "\n"))
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{}))
	a := &api{settings: r.settings, log: r.log, slots: make(chan struct{}, apiAtOnceMax)}
	a.routes(mux)
	r.exportAPI(a).routes(mux)
	if r.HTTPPprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}
