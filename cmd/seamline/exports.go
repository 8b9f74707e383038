package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/sinks/export"
)

// exportsDir is where standing lists are kept.
func (s *settings) exportsDir() string {
	if s.Exports.Dir != "" {
		return s.Exports.Dir
	}
	return s.StateDir + "-exports"
}

// exporter makes what makes lists of audiences. It connects when it is first used.
func (s *settings) exporter(opt export.Options, reg prometheus.Registerer) (*export.Exporter, error) {
	server := s.ClickHouse
	if s.Exports.User != "" {
		server.User, server.Password = s.Exports.User, s.Exports.Password
	}
	dial, err := server.Dialer()
	if err != nil {
		return nil, err
	}
	secret, _, err := s.Identity.Secret()
	if err != nil {
		return nil, err
	}
	if opt.Open, opt.Seal, err = s.Contacts.vault(); err != nil {
		return nil, err
	}
	cfg := s.Exports
	cfg.Dir = s.exportsDir()
	opt.Dial, opt.Database, opt.Pipeline, opt.Secret, opt.Registry = dial, server.Database, s.PipelineID, secret, reg
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	return export.New(cfg, opt)
}

// openExports makes the exporter of a run, where settings ask for one.
func (r *pipelineRun) openExports() (err error) {
	if !r.Exports.IsOn() {
		return nil
	}
	if err := export.CheckCredentials(r.Exports.Credentials); err != nil {
		return err
	}
	r.exports, err = r.settings.exporter(export.Options{Log: r.log}, r.registry)
	return err
}

// keepExports keeps lists up in the background, until the function that it gives is called. A rebuild makes none: its tables are not whole.
func (r *pipelineRun) keepExports(ctx context.Context) (end func()) {
	if r.exports == nil || r.rebuild || r.atLeastOnce {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.exports.Run(ctx, r.journal.Leads)
	}()
	return func() {
		cancel()
		<-ended
		r.exports.Close()
	}
}
