package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

const (
	loopback        = "127.0.0.1"
	portMax         = 65535
	portAttemptsMax = 5 // to find free ports that stay free until they are used
	portRetriesMax  = 10
	portRetryEvery  = 20 * time.Millisecond
)

func portName(port int) string {
	if port == 0 {
		return "0 (a free one)"
	}
	return strconv.Itoa(port)
}

// freePort returns the port when nothing listens there, or a free one for 0. Another process may still take it before
// the caller does, so that callers who asked for 0 try again.
func freePort(port int) (int, error) {
	ln, err := listen(port)
	// A server that was just killed may hold its port a moment longer.
	for range portRetriesMax {
		if err == nil || port == 0 {
			break
		}
		time.Sleep(portRetryEvery)
		ln, err = listen(port)
	}
	if err != nil {
		var sys *os.SyscallError
		if errors.As(err, &sys) {
			err = sys.Err
		}
		return 0, fmt.Errorf("port %s on %s: %w", portName(port), loopback, err)
	}
	free := ln.Addr().(*net.TCPAddr).Port
	return free, ln.Close()
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", addrOf(port))
}

func addrOf(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// ports are where one server listens.
type ports struct{ native, http int }

func (p ports) choose() (ports, error) {
	native, err := freePort(p.native)
	if err != nil {
		return ports{}, err
	}
	for attempt := 1; ; attempt++ {
		web, err := freePort(p.http)
		if err != nil {
			return ports{}, err
		}
		if web != native {
			return ports{native: native, http: web}, nil
		}
		if attempt == portAttemptsMax {
			return ports{}, fmt.Errorf("port %d is wanted for both protocols", native)
		}
	}
}
