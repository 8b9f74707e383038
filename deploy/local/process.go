package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// groupWaitMax bounds the wait for a killed group to be gone.
const groupWaitMax = 5 * time.Second

// process is a running ClickHouse child and all that ends with it.
type process struct {
	pid   int
	alive *os.File      // the child ends when this closes
	gone  *os.File      // ends when the child and what it started are gone
	done  chan struct{} // closed when the child has ended
	err   error         // how it ended; set before done closes
}

// startProcess runs this program again as the ClickHouse child. What it prints goes to output.
func startProcess(spec childSpec, lock, output *os.File) (*process, error) {
	if !mainCalled.Load() {
		return nil, errNoMain
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("describe the child: %w", err)
	}
	watched, alive, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe: %w", err)
	}
	defer watched.Close()
	gone, held, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a pipe: %w", err), alive.Close())
	}
	defer held.Close()
	cmd := exec.Command(self)
	cmd.Env = append(childEnv(os.Environ()), envChild+"="+string(text))
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{watched, lock, held}
	// A group of its own, since the terminal's Ctrl-C is for us: we decide when and how the child ends.
	cmd.SysProcAttr = endWithParent(&syscall.SysProcAttr{Setpgid: true})
	p := &process{alive: alive, gone: gone, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		p.err = waitOnOwnThread(cmd, started)
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start the ClickHouse child: %w", err), alive.Close(), gone.Close())
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// waitOnOwnThread starts a command and waits for it on one thread that does nothing else: the kernel's parent-death signal is
// bound to the thread that started the child, and Go's threads may end earlier than its process.
func waitOnOwnThread(cmd *exec.Cmd, started chan<- error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return err
	}
	return cmd.Wait()
}

func runOnOwnThread(cmd *exec.Cmd) error { return waitOnOwnThread(cmd, make(chan error, 1)) }

// childEnv turns off Go's own preemption signals in the child, where the library owns the signal handlers, and gives the server
// the same clock everywhere.
func childEnv(env []string) []string {
	out, debug := make([]string, 0, len(env)+3), "asyncpreemptoff=1"
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "GODEBUG="); ok {
			if value != "" {
				debug = value + "," + debug
			}
			continue
		}
		if !strings.HasPrefix(entry, "TZ=") {
			out = append(out, entry)
		}
	}
	return append(out, "GODEBUG="+debug, "TZ=UTC")
}

// ended tells whether the child is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks the child to end and kills it when it does not in time.
func (p *process) stop(wait time.Duration) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(wait):
	}
	return p.kill()
}

// kill ends the child's whole group at once and waits until it is gone.
func (p *process) kill() error {
	p.signal(syscall.SIGKILL)
	<-p.done
	p.awaitGroup()
	return errors.Join(p.gone.Close(), p.alive.Close())
}

// awaitGroup waits for a binary that was killed together with its supervisor: nobody else waits for it, and until it is gone
// it holds its ports.
func (p *process) awaitGroup() {
	// The child never writes: this read ends when the last process that holds the other end has ended, or in time.
	_ = p.gone.SetReadDeadline(time.Now().Add(groupWaitMax))
	_, _ = io.Copy(io.Discard, p.gone)
}

// signal reaches the child's group, in which a binary runs under our child. A group that is gone needs no signal, and a child
// that has been waited for must not be signalled: its number may be another's.
func (p *process) signal(sig syscall.Signal) {
	if p.ended() {
		return
	}
	_ = syscall.Kill(-p.pid, sig)
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
