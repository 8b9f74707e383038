package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	producer "github.com/seamline/seamline/sinks/kafka"
)

// drive publishes records at planned times, whatever becomes of them: a broker or a line that is slow does not slow the plan down. A
// record's timestamp is its planned time.
func (j *benchJob) drive(ctx context.Context, s *settings) (benchResult, error) {
	calls, err := readCalls(j.File)
	if err != nil {
		return benchResult{}, err
	}
	publisher, err := openPublisher(&s.Kafka)
	if err != nil {
		return benchResult{}, err
	}
	defer publisher.Close()
	start, count := time.UnixMilli(j.From), int64(j.Rate*j.Seconds)
	if late := time.Since(start); late > 0 {
		return benchResult{}, fmt.Errorf("the driver was ready %s after its plan began", late)
	}
	for i := range count {
		planned := start.Add(time.Duration(float64(i) / j.Rate * float64(time.Second)))
		if wait := time.Until(planned); wait > time.Millisecond {
			if err := pause(ctx, wait); err != nil {
				return benchResult{}, err
			}
		}
		value := calls[i%int64(len(calls))].at(planned, i/int64(len(calls)))
		if err := publisher.Publish(ctx, producer.Message{Topic: j.Topics[0], Value: value, Time: planned}); err != nil {
			return benchResult{}, err
		}
	}
	return benchResult{Records: count, Seconds: time.Since(start).Seconds()}, publisher.Flush(ctx)
}

// liveCall is a call that can be sent as if it were made now.
type liveCall struct {
	value []byte
	id    int // where the message id begins; -1 for none
	times []liveTime
}

// liveTime is a time in a call, and how long before it was received.
type liveTime struct {
	position int
	age      time.Duration
}

// callTime is how the generator writes times, always as long.
const callTime = "2006-01-02T15:04:05.000Z"

// callTimes are the keys of times; what comes first says when the call was received.
var callTimes = [][]byte{[]byte(`"receivedAt":"`), []byte(`"sentAt":"`), []byte(`"timestamp":"`), []byte(`"originalTimestamp":"`)}

var messageID = []byte(`"messageId":"`)

// newLiveCall looks for what has to change from one sending to the next.
func newLiveCall(value []byte) liveCall {
	c := liveCall{value: value, id: bytes.Index(value, messageID)}
	if c.id >= 0 {
		c.id += len(messageID)
	}
	var received time.Time
	for _, key := range callTimes {
		at := bytes.Index(value, key)
		if at < 0 || at+len(key)+len(callTime) > len(value) {
			continue
		}
		at += len(key)
		t, err := time.Parse(callTime, string(value[at:at+len(callTime)]))
		if err != nil {
			continue // another way to write it stays as it is
		}
		if received.IsZero() {
			received = t
		}
		c.times = append(c.times, liveTime{at, received.Sub(t)})
	}
	return c
}

// at gives the call as if it had been received at a time, and in later turns under another id.
func (c *liveCall) at(received time.Time, turn int64) []byte {
	out, moved := make([]byte, 0, len(c.value)+24), 0
	if turn > 0 && c.id >= 0 {
		out = fmt.Appendf(append(out, c.value[:c.id]...), "%d-", turn)
		moved = len(out) - c.id
		out = append(out, c.value[c.id:]...)
	} else {
		out = append(out, c.value...)
	}
	var buffer [64]byte
	for _, t := range c.times {
		position := t.position
		if position > c.id {
			position += moved
		}
		// In a buffer of its own, since formatting writes more than stays.
		copy(out[position:], received.Add(-t.age).UTC().AppendFormat(buffer[:0], callTime))
	}
	return out
}

// readCalls reads a file with a call a line.
func readCalls(path string) ([]liveCall, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var calls []liveCall
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, lineBytesMax)
	for scan.Scan() {
		calls = append(calls, newLiveCall(bytes.Clone(scan.Bytes())))
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("%s has no lines", path)
	}
	return calls, scan.Err()
}
