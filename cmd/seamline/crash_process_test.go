package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// child is a seamline process over a stand's topics and tables, which a test may crash.
type child struct {
	t   *testing.T
	cmd *exec.Cmd

	mu    sync.Mutex // guards said
	said  bytes.Buffer
	ended chan struct{}
	err   error // of Wait, once ended is closed
}

// Bounds on how long a child may live, and how long a graceful stop may take.
const (
	childLifeMax = 100 * time.Second
	childStopMax = 10 * time.Second
)

// Write collects what the child says.
func (c *child) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Write(b)
}

func (c *child) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.String()
}

// spawn starts seamline run over a stand with a fixed clock. Env are further variables, NAME=value; args come after the settings.
func (s *stand) spawn(env []string, args ...string) *child {
	s.t.Helper()
	args = append([]string{"run", "--now", crowdNow.Format(time.RFC3339)}, append(s.args(), args...)...)
	c := &child{t: s.t, cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), envCommand+"=1"), env...)
	c.cmd.Stderr = c
	if err := c.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	// A child that hangs shows where.
	watchdog := time.AfterFunc(childLifeMax, func() { _ = c.cmd.Process.Signal(syscall.SIGQUIT) })
	s.t.Cleanup(func() {
		watchdog.Stop()
		_ = c.cmd.Process.Kill()
		<-c.ended
		if strings.Contains(c.text(), "SIGQUIT") {
			s.t.Errorf("a process hung: %s", c.text())
		}
	})
	return c
}

// args gives the settings of a stand that are not the defaults, as flags.
func (s *stand) args() []string {
	given, shipped := flag.NewFlagSet("given", flag.ContinueOnError), flag.NewFlagSet("default", flag.ContinueOnError)
	mine, theirs := s.settings, defaultSettings()
	mine.LogLevel = "info"
	mine.flags(given)
	theirs.flags(shipped)
	var out []string
	given.VisitAll(func(f *flag.Flag) {
		if d := shipped.Lookup(f.Name); d == nil || d.DefValue != f.DefValue {
			out = append(out, "--"+f.Name+"="+f.DefValue)
		}
	})
	return out
}

// wait gives the exit code, or -1 for a child that was killed.
func (c *child) wait() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(childLifeMax + 20*time.Second):
		c.t.Fatalf("a process does not end: %s", c.text())
	}
	var exit *exec.ExitError
	if c.err != nil && !errors.As(c.err, &exit) {
		c.t.Fatal(c.err)
	}
	return c.cmd.ProcessState.ExitCode()
}

// expectDone waits for a good end.
func (c *child) expectDone(what string) {
	c.t.Helper()
	if code := c.wait(); code != 0 {
		c.t.Fatalf("%s: exit %d: %s", what, code, c.text())
	}
}

// kill ends the child as a crash does.
func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
	c.wait()
}

// stop ends the child gracefully, which must leave everything committed, and in time.
func (c *child) stop(what string) {
	c.t.Helper()
	begun := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
	c.expectDone(what + ", after SIGTERM")
	if took := time.Since(begun); took > childStopMax {
		c.t.Errorf("%s: a graceful stop took %s", what, took)
	}
}

// await waits until the child has said something.
func (c *child) await(text string) {
	c.t.Helper()
	for deadline := time.Now().Add(childLifeMax); time.Now().Before(deadline); {
		if strings.Contains(c.text(), text) {
			return
		}
		select {
		case <-c.ended:
			c.t.Fatalf("a process ended (%s) without saying %q: %s", c.cmd.ProcessState, text, c.text())
		case <-time.After(10 * time.Millisecond): // another process: there is nothing to wait on
		}
	}
	c.t.Fatalf("waited in vain for %q: %s", text, c.text())
}

// finish processes what is left, and has the checker look.
func (s *stand) finish(when string) {
	s.t.Helper()
	s.spawn(nil, "--until-caught-up").expectDone(when)
	(&checker{settings: &s.settings}).expectRight(s.t, when)
}

// load publishes crowd's messages as long as it is not stopped, in groups, with a pause after each.
type load struct {
	stop func()
	sent func() int
}

func (s *stand) load(c *crowd, group int, pause time.Duration) *load {
	s.t.Helper()
	p, err := openPublisher(&s.settings.Kafka)
	if err != nil {
		s.t.Fatal(err)
	}
	ended, done := make(chan struct{}), make(chan struct{})
	ctx, settings := s.t.Context(), s.settings // of now: the test changes them while this runs
	go func() {
		defer close(done)
		defer p.Close()
		for {
			for _, m := range c.messages(group) {
				m.Topic = settings.Kafka.Topic(schemas.Feed(m.Topic))
				if err := p.Publish(ctx, m); err != nil {
					s.t.Error(err)
					return
				}
			}
			if err := p.Flush(ctx); err != nil {
				s.t.Error(err)
				return
			}
			select {
			case <-ended:
				return
			case <-time.After(pause): // a steady rate is what is wanted
			}
		}
	}()
	stop := sync.OnceFunc(func() { close(ended); <-done })
	s.t.Cleanup(stop)
	return &load{stop: stop, sent: func() int { stop(); return c.made }}
}
