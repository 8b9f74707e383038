package pipeline_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// network carries bytes between clients and brokers in memory. Every message takes a while, no two the same, so that the order in which
// things happen depends on the seed and not on the machine.
type network struct {
	chance *chance

	mu        sync.Mutex // guards listeners
	listeners map[string]*listener
}

func newNetwork(c *chance) *network {
	return &network{chance: c, listeners: map[string]*listener{}}
}

// listener is a broker's door.
type listener struct {
	address  string
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// listen is what kfake calls.
func (n *network) listen(_, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{address: address, incoming: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Accept gives the next connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is where the listener is.
func (l *listener) Addr() net.Addr { return address(l.address) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// link is how one process reaches the network. It can be cut, as in a crash, and held, as when a process stands still.
type link struct {
	network *network
	name    string
	isSafe  bool                        // nothing is lost
	sending func(n uint64, isSent bool) // told of each step of the journal, before and after it is on its way; nil for nobody

	mu    sync.Mutex // guards the following
	isCut bool
	held  chan struct{} // closed when the link goes on; nil while it is not held
	conns map[*conn]bool
	steps uint64
}

func (n *network) link(name string) *link {
	return &link{network: n, conns: map[*conn]bool{}}
}

var errCut = errors.New("the network is cut")

// dial is what the client calls.
func (l *link) dial(ctx context.Context, _, to string) (net.Conn, error) {
	l.network.mu.Lock()
	door := l.network.listeners[to]
	l.network.mu.Unlock()
	l.mu.Lock()
	if l.isCut || door == nil {
		l.mu.Unlock()
		return nil, errCut
	}
	closed := &closing{done: make(chan struct{})}
	up, down := make(chan chunk, chunksMax), make(chan chunk, chunksMax)
	near := &conn{link: l, in: down, out: up, closing: closed, local: address(l.name), remote: address(to)}
	far := &conn{link: l, isFar: true, in: up, out: down, closing: closed, local: address(to), remote: address(l.name)}
	near.peer = far
	for _, c := range []*conn{near, far} {
		c.reading.over, c.writing.over = make(chan struct{}), make(chan struct{})
	}
	l.conns[near] = true
	l.mu.Unlock()
	select {
	case door.incoming <- far:
		return near, nil
	case <-door.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// chunksMax is how many messages may be on their way in one direction of a connection.
const chunksMax = 1024

// cut ends all connections, and makes no more.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for c := range l.conns {
		c.closing.close()
	}
}

// hold stops the link for a while: what is sent waits.
func (l *link) hold(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		held := make(chan struct{})
		l.held = held
		time.AfterFunc(d, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.held = nil
			close(held)
		})
	}
}

// pass waits while the link is held.
func (l *link) pass(closed <-chan struct{}) {
	for {
		l.mu.Lock()
		held := l.held
		l.mu.Unlock()
		if held == nil {
			return
		}
		select {
		case <-held:
		case <-closed:
			return
		}
	}
}

// chunk is one message on its way.
type chunk struct {
	data []byte
	at   time.Time // when it arrives
}

// closing is the end of a connection, for both sides at once: what is on its way is lost.
type closing struct {
	once sync.Once
	done chan struct{}
}

func (c *closing) close() { c.once.Do(func() { close(c.done) }) }

// conn is one side of a connection.
type conn struct {
	link          *link
	isFar         bool  // the broker's side
	peer          *conn // the broker's side, of the client's
	in            <-chan chunk
	out           chan<- chunk
	closing       *closing
	local, remote net.Addr
	reading       deadline
	writing       deadline

	next *chunk // taken from in, and not arrived yet
	rest []byte
	last time.Time // when the last message sent arrives

	isMute bool // guarded by link.mu: what the broker answers is lost, and the connection with it
}

// Read gives what has arrived.
func (c *conn) Read(b []byte) (int, error) {
	for len(c.rest) == 0 {
		if c.isOver() {
			return 0, io.EOF
		}
		if c.next == nil {
			select {
			case k := <-c.in:
				c.next = &k
			case <-c.closing.done:
				return 0, io.EOF
			case <-c.reading.wait():
				return 0, os.ErrDeadlineExceeded
			}
		}
		timer := time.NewTimer(time.Until(c.next.at))
		select {
		case <-timer.C:
			c.rest, c.next = c.next.data, nil
		case <-c.closing.done:
			timer.Stop()
			return 0, io.EOF
		case <-c.reading.wait():
			timer.Stop()
			return 0, os.ErrDeadlineExceeded
		}
	}
	if !c.isFar {
		c.link.pass(c.closing.done)
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *conn) isOver() bool {
	select {
	case <-c.closing.done:
		return true
	default:
		return false
	}
}

// Write sends, unless something goes wrong.
func (c *conn) Write(b []byte) (int, error) {
	if c.isFar {
		c.link.mu.Lock()
		isMute := c.isMute
		c.link.mu.Unlock()
		if isMute {
			c.closing.close()
		}
		return c.send(b)
	}
	l := c.link
	l.pass(c.closing.done)
	n := uint64(0)
	if l.sending != nil && isStep(b) {
		l.mu.Lock()
		l.steps++
		n = l.steps
		l.mu.Unlock()
		l.sending(n, false)
	}
	name := c.nameOf(b)
	switch chance := l.network.chance; {
	case l.isSafe:
	case chance.happens(permilleLost, "lost", name):
		c.closing.close()
	case chance.happens(permilleLost, "unanswered", name):
		l.mu.Lock()
		c.peer.isMute = true
		l.mu.Unlock()
	}
	sent, err := c.send(b)
	if n != 0 {
		l.sending(n, true)
	}
	return sent, err
}

// nameOf names a message for what chance does to it: by its connection's ends, its time, its kind and its length. It is not numbered,
// since of two messages at one time either may be the first.
func (c *conn) nameOf(b []byte) string {
	kind := uint16(0)
	if !c.isFar && len(b) > 6 {
		kind = binary.BigEndian.Uint16(b[4:])
	}
	return fmt.Sprint(c.local, ">", c.remote, "/", time.Now().UnixNano(), "/", kind, "/", len(b))
}

// isStep tells whether a request takes the journal a step further.
func isStep(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	switch kmsg.Key(binary.BigEndian.Uint16(b[4:])) {
	case kmsg.Produce, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.OffsetCommit:
		return true
	}
	return false
}

// permilleLost is how many of a thousand messages are lost with their connection, before they arrive or before their answer does.
const permilleLost = 4

// Spans that a message takes: the largest, and the rest.
const (
	latencyMin = 20 * time.Microsecond
	latencyMax = 900 * time.Microsecond
)

func (c *conn) send(b []byte) (int, error) {
	if c.isOver() {
		return 0, net.ErrClosed
	}
	latency := latencyMin + time.Duration(c.link.network.chance.roll("latency", c.nameOf(b))%uint64(latencyMax-latencyMin))
	at := time.Now().Add(latency)
	if !at.After(c.last) {
		at = c.last.Add(1)
	}
	c.last = at
	select {
	case c.out <- chunk{append([]byte(nil), b...), at}:
		return len(b), nil
	case <-c.closing.done:
		return 0, net.ErrClosed
	case <-c.writing.wait():
		return 0, os.ErrDeadlineExceeded
	}
}

// Close ends the connection for both sides.
func (c *conn) Close() error {
	c.closing.close()
	if !c.isFar {
		c.link.mu.Lock()
		defer c.link.mu.Unlock()
		delete(c.link.conns, c)
	}
	return nil
}

// LocalAddr is this side's address.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the other side's address.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline bounds reading and writing.
func (c *conn) SetDeadline(t time.Time) error {
	c.reading.set(t)
	c.writing.set(t)
	return nil
}

// SetReadDeadline bounds reading.
func (c *conn) SetReadDeadline(t time.Time) error { c.reading.set(t); return nil }

// SetWriteDeadline bounds writing.
func (c *conn) SetWriteDeadline(t time.Time) error { c.writing.set(t); return nil }

// deadline is a point in time that may be moved.
type deadline struct {
	mu    sync.Mutex // guards the following
	timer *time.Timer
	over  chan struct{} // closed when the time has come
}

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // it is being closed
	}
	d.timer = nil
	select {
	case <-d.over:
		d.over = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	over := d.over
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, func() { close(over) })
		return
	}
	close(over)
}
