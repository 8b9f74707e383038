package bench

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	s, ok := parseStat("28508 (a (b) c) S 28498 1 1 0 -1 4194304 1 2 3 4 250 30 0 0 20 0 1 0\n")
	if !ok || s != (stat{id: 28508, parent: 28498, name: "a (b) c", used: 2800 * time.Millisecond}) {
		t.Errorf("read %+v, %t", s, ok)
	}
	for _, line := range []string{"", "1 (x", "1 (x) S 2", "(x) S 1"} {
		if s, ok := parseStat(line); ok {
			t.Errorf("%q gives %+v", line, s)
		}
	}
}

// TestFindStack reads about this process as if it were the broker, and a child as if it were ClickHouse.
func TestFindStack(t *testing.T) {
	t.Parallel()
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Skip("there is no command to start:", err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	s, err := FindStack(os.Getpid())
	if err != nil || s.Broker != os.Getpid() || s.ClickHouse == 0 {
		t.Fatalf("found %+v: %v", s, err)
	}
	for start := time.Now(); time.Since(start) < 10*time.Second; {
		u, err := s.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if u.Broker > 0 {
			if since := u.Since(u); since != (Usage{}) {
				t.Errorf("nothing was used since, and that is %+v", since)
			}
			if PeakResident(s.Broker) < 1<<20 || ResidentNow(s.Broker) < 1<<20 || ResidentNow(s.Broker) > PeakResident(s.Broker)*2 {
				t.Errorf("%d bytes are resident, at most %d", ResidentNow(s.Broker), PeakResident(s.Broker))
			}
			return
		}
	}
	t.Error("this process used no CPU time for ten seconds")
}

func TestGone(t *testing.T) {
	t.Parallel()
	const nobody = 1 << 30
	if _, err := FindStack(nobody); err == nil {
		t.Error("a process that does not exist has a child")
	}
	if _, err := (Stack{nobody, nobody}).Usage(); err == nil {
		t.Error("processes that do not exist used CPU time")
	}
	if PeakResident(nobody) != 0 || ResidentNow(nobody) != 0 {
		t.Error("a process that does not exist has memory")
	}
	var m Machine
	if m.Look(); m.Memory < 1<<20 || m.Load == "" {
		t.Errorf("the machine is %+v", m)
	}
}
