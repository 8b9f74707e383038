//go:build faults

package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/schemas/fault"
)

// disturb gives a stand other batches, and short intervals so that every step is reached often.
func (s *stand) disturb(rnd *rand.Rand) {
	s.settings.Kafka.RecordsMax = 5 + rnd.IntN(46)
	s.settings.CheckpointEvery = time.Duration(1+rnd.IntN(100)) * time.Millisecond
	s.settings.BackupEvery = time.Duration(1+rnd.IntN(50)) * time.Millisecond
}

// TestCrashAtEveryPoint: the process is killed at each step of the batch protocol, when it first comes there, and at a later time, and
// goes on.
func TestCrashAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, point := range fault.Points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			rnd := seeded(t)
			s := newCrashStand(t, ownServer(t))
			c := newCrowd(rnd, 12)
			again := 0
			for range scale(t) {
				again += s.crashAt(point, c, rnd)
			}
			s.calm("after crashes at " + point)
			t.Logf("%s: %d crashes at the first time, %d at a later one, over %d messages", point, scale(t), again, c.made)
		})
	}
}

// crashAt kills twice at a point and has the checker look. It tells how many of the later times were reached.
func (s *stand) crashAt(point string, c *crowd, rnd *rand.Rand) (again int) {
	s.t.Helper()
	s.publish(c.messages(100 + rnd.IntN(100))...)
	if point == fault.PointRestorePart {
		s.disturb(rnd)
		s.spawn(nil, "--until-caught-up").expectDone("before the state is lost")
		s.publish(c.messages(50)...)
		s.loseState()
	}
	for i, times := range []int{1, 2 + rnd.IntN(3)} {
		s.disturb(rnd)
		if i == 1 { // steps of the state are to be reached several times as well
			s.settings.Kafka.RecordsMax, s.settings.CheckpointEvery, s.settings.BackupEvery = 5, time.Millisecond, time.Millisecond
		}
		what := fmt.Sprintf("%s:%d", point, times)
		p := s.spawn([]string{fault.EnvCrash + "=" + what}, "--until-caught-up")
		if i == 0 {
			p.expectKilled(what)
		} else if code := p.wait(); p.wasKilled() {
			again++
		} else if code != 0 { // it may not come there so often
			s.t.Fatalf("%s: exit %d: %s", what, code, p.text())
		}
		if rnd.IntN(3) == 0 {
			s.loseState()
		}
	}
	s.disturb(rnd)
	s.finish("after crashes at " + point)
	return again
}

// Crashes of a campaign, at T0.
const (
	killsOfProcess = 5
	killsOfServer  = 5
)

// TestCrashAtRandomInstants: a live process under load is killed at random instants, loses its state now and then, is stopped gracefully
// now and then, and goes on.
func TestCrashAtRandomInstants(t *testing.T) {
	t.Parallel()
	for i := range 2 * scale(t) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rnd := seeded(t)
			s := newCrashStand(t, ownServer(t))
			load := s.load(newCrowd(rand.New(rand.NewPCG(rnd.Uint64(), 0)), 20), 10, 25*time.Millisecond)
			for range killsOfProcess {
				s.disturb(rnd)
				p := s.spawn(nil)
				time.Sleep(time.Duration(100+rnd.IntN(1200)) * time.Millisecond) // the instant is what is tested
				p.kill()
				if rnd.IntN(4) == 0 {
					s.loseState()
				}
				if rnd.IntN(4) == 0 {
					s.disturb(rnd)
					p := s.spawn(nil)
					p.await("msg=running")
					time.Sleep(time.Duration(rnd.IntN(500)) * time.Millisecond)
					p.stop("in between")
				}
			}
			sent := load.sent()
			s.disturb(rnd)
			s.finish("after random crashes")
			t.Logf("%d crashes over %d messages", killsOfProcess, sent)
		})
	}
}

// TestCrashOfClickHouse: ClickHouse is killed in the midst of inserts, and now and then the process too. A process that lives goes on
// by itself when ClickHouse is back.
func TestCrashOfClickHouse(t *testing.T) {
	t.Parallel()
	for i := range scale(t) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rnd := seeded(t)
			server := ownServer(t)
			s := newCrashStand(t, server)
			k := &serverKiller{s: s, server: server}
			load := s.load(newCrowd(rand.New(rand.NewPCG(rnd.Uint64(), 0)), 20), 10, 25*time.Millisecond)
			k.run(rnd)
			sent := load.sent()
			s.disturb(rnd)
			s.finish("after crashes of ClickHouse")
			k.count()
			t.Logf("%d crashes of ClickHouse, %d of them with the process, over %d messages: %d blocks taken for repeated ones, %d of them in error",
				killsOfServer, k.both, sent, k.repeated, k.poisoned)
		})
	}
}

// serverKiller kills ClickHouse again and again under a process.
type serverKiller struct {
	s                        *stand
	server                   *local.ClickHouse
	both, repeated, poisoned int
}

func (k *serverKiller) run(rnd *rand.Rand) {
	t := k.s.t
	t.Helper()
	k.s.disturb(rnd)
	p := k.s.spawn(nil)
	p.await("msg=running")
	for range killsOfServer {
		time.Sleep(time.Duration(rnd.IntN(800)) * time.Millisecond)
		k.count()
		if err := k.server.Kill(); err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(3) == 0 {
			k.both++
			p.kill()
			k.read(p)
			k.s.disturb(rnd)
			p = k.s.spawn(nil) // it waits
		}
		if err := k.server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Duration(rnd.IntN(1000)) * time.Millisecond)
	p.kill()
	k.read(p)
}

// count adds up what the server tells before it forgets.
func (k *serverKiller) count() {
	k.s.t.Helper()
	patiently(k.s.t, func() error {
		answer, err := k.server.Query(k.s.t.Context(), "SELECT sum(value) FROM system.events WHERE event = 'DuplicatedInsertedBlocks'")
		if err != nil {
			return err
		}
		n := 0
		_, err = fmt.Sscan(answer, &n)
		k.repeated += n
		return err
	})
}

func (k *serverKiller) read(p *child) {
	k.poisoned += strings.Count(p.text(), "took a block for a repeated one, but its rows are not all there")
}
