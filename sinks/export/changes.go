package export

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// ChangesMax is the most changes that one call gives.
const ChangesMax = 10_000

// Change is one line of the ledger of a list.
type Change struct {
	Sequence uint64          `json:"sequence"`
	Op       string          `json:"op"` // add or remove
	Keys     json.RawMessage `json:"keys"`
	Time     time.Time       `json:"time"`
}

// Changes are some changes of a list in their order.
type Changes struct {
	Audience string   `json:"audience"`
	Platform string   `json:"platform"`
	Snapshot uint64   `json:"snapshot"` // number of the list that stands, which all changes together lead to
	Changes  []Change `json:"changes"`
	Next     string   `json:"next"` // cursor behind the last of them
	More     bool     `json:"more"` // whether further changes stand behind it
}

// Changes gives what was added and removed since a cursor, or from the beginning for an empty one.
func (x *Exporter) Changes(ctx context.Context, list List, since string, limit int) (*Changes, error) {
	standing, err := x.Standing(ctx, list)
	if err != nil && (standing == nil || since == "") {
		return nil, err // whoever follows a list that became too small is told whom to remove
	}
	from := cursor{}
	if since != "" {
		if from, err = x.parseCursor(list, since); err != nil {
			return nil, err
		}
	}
	after := from.sequence
	floor, err := x.floor(ctx, list)
	if err != nil {
		return nil, err
	}
	if after < floor || after > standing.Sequence {
		return nil, ErrGone
	}
	if err := x.checkCursor(ctx, standing, from); err != nil {
		return nil, err
	}
	answer := &Changes{Audience: list.Audience, Platform: list.Platform, Snapshot: standing.Number, Changes: []Change{}}
	upTo := min(standing.Sequence, after+uint64(limit))
	if upTo > after {
		if answer.Changes, err = x.readChanges(ctx, list, after, upTo); err != nil {
			return nil, err
		}
	}
	next, err := x.cursorAt(ctx, standing, upTo)
	if err != nil {
		return nil, err
	}
	answer.Next, answer.More = x.seal(list, next), upTo < standing.Sequence
	return answer, nil
}

// Cursor gives the cursor that stands behind all changes of a snapshot: whoever has its list goes on from there.
func (x *Exporter) Cursor(s *Snapshot) string {
	c := cursor{sequence: s.Sequence}
	if s.Sequence > 0 {
		copy(c.snapshot[:], s.ID[:])
	}
	return x.seal(s.List, c)
}

// floor is the sequence that the oldest cursor of a list may have, and when that was found.
type floor struct {
	sequence uint64
	at       time.Time
}

// floorKeep is how long a floor is taken from memory.
const floorKeep = time.Minute

func (x *Exporter) floor(ctx context.Context, list List) (uint64, error) {
	if x.cfg.ChangesKeep == 0 {
		return 0, nil
	}
	now := x.opt.Clock()
	x.mu.Lock()
	known, has := x.floors[list]
	x.mu.Unlock()
	if has && now.Sub(known.at) < floorKeep {
		return known.sequence, nil
	}
	var n proto.ColUInt64
	found := uint64(0)
	sql := fmt.Sprintf("SELECT max(sequence) AS n FROM %s.export_snapshots WHERE %s AND time < fromUnixTimestamp64Milli(toInt64(%d), 'UTC')", x.opt.Database, list.where(),
		now.Add(-x.cfg.ChangesKeep).UnixMilli())
	err := x.ask(ctx, sql, proto.Results{{Name: "n", Data: &n}}, func(row int) error { found = n.Row(row); return nil })
	if err != nil {
		return 0, fmt.Errorf("read how far changes go back: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.floors[list] = floor{found, now}
	return found, nil
}

func (x *Exporter) readChanges(ctx context.Context, list List, after, upTo uint64) ([]Change, error) {
	var id proto.ColUUID
	var sequence proto.ColUInt64
	var op proto.ColStr
	var at proto.ColInt64
	kinds, values := proto.NewArray[string](new(proto.ColStr)), proto.NewArray[string](new(proto.ColStr))
	sql := fmt.Sprintf("SELECT profile_id AS p, sequence AS s, CAST(op AS String) AS o, CAST(key_kinds AS Array(String)) AS k, keys AS v, toUnixTimestamp64Milli(time) AS t FROM %s.export_changes WHERE %s ORDER BY s",
		x.opt.Database, x.ledger.counted(list, after, upTo))
	changes := make([]Change, 0, upTo-after)
	var unread error
	err := x.ask(ctx, sql, proto.Results{{Name: "p", Data: &id}, {Name: "s", Data: &sequence}, {Name: "o", Data: &op}, {Name: "k", Data: kinds}, {Name: "v", Data: values}, {Name: "t", Data: &at}}, func(row int) error {
		c := Change{Sequence: sequence.Row(row), Op: op.Row(row), Time: time.UnixMilli(at.Row(row)).UTC()}
		if n := len(changes); n > 0 && changes[n-1].Sequence == c.Sequence {
			return nil // the row was sent twice and not merged yet
		}
		record, err := appendRecord(nil, kinds.Row(row), values.Row(row))
		if err != nil {
			return err
		}
		if record, err = x.vault.revealed(nil, schemas.ProfileID(id.Row(row)), record); err != nil {
			unread = err
		}
		c.Keys = appendKeysJSON(nil, record)
		changes = append(changes, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger of %s: %w", list, err)
	}
	if unread != nil {
		x.opt.Log.Warn("keys of the ledger could not be decrypted and are left out", "audience", list.Audience, "platform", list.Platform, "err", unread)
	}
	return changes, nil
}

// cursor says behind which change somebody stands.
type cursor struct {
	sequence uint64
	snapshot [cursorID]byte // begin of the id of the snapshot that has the change; zero before the first change
}

// Sizes of a cursor: a version, the sequence, the snapshot, and a code that only we can make.
const (
	cursorVersion = 2
	cursorID      = 8
	cursorPlain   = 1 + 8 + cursorID
	cursorMAC     = 16
)

func (x *Exporter) seal(list List, c cursor) string {
	plain := append(binary.BigEndian.AppendUint64([]byte{cursorVersion}, c.sequence), c.snapshot[:]...)
	return base64.RawURLEncoding.EncodeToString(append(plain, x.cursorCode(list, plain)...))
}

// cursorAt gives the cursor behind a change that counts.
func (x *Exporter) cursorAt(ctx context.Context, standing *Snapshot, sequence uint64) (c cursor, err error) {
	c.sequence = sequence
	switch {
	case sequence == 0:
		return c, nil
	case sequence >= standing.First && sequence <= standing.Sequence:
		copy(c.snapshot[:], standing.ID[:])
		return c, nil
	}
	var id proto.ColUUID
	sql := fmt.Sprintf("SELECT snapshot AS i FROM %s.export_snapshots FINAL WHERE %s AND first <= %d AND sequence >= %d LIMIT 1", x.opt.Database, standing.where(), sequence, sequence)
	err = x.ask(ctx, sql, proto.Results{{Name: "i", Data: &id}}, func(row int) error {
		found := id.Row(row)
		copy(c.snapshot[:], found[:])
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("read which list has change %d: %w", sequence, err)
	}
	return c, nil
}

// checkCursor makes sure that the change which a cursor stands behind still counts: the ledger may have been replaced by an older one of a backup,
// and have other changes under the same numbers.
func (x *Exporter) checkCursor(ctx context.Context, standing *Snapshot, given cursor) error {
	is, err := x.cursorAt(ctx, standing, given.sequence)
	if err == nil && is != given {
		return ErrGone
	}
	return err
}

func (x *Exporter) cursorCode(list List, plain []byte) []byte {
	mac := hmac.New(sha256.New, x.cursorKey)
	mac.Write(plain)
	mac.Write([]byte(list.String()))
	return mac.Sum(nil)[:cursorMAC]
}

func (x *Exporter) parseCursor(list List, text string) (c cursor, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorPlain+cursorMAC || b[0] != cursorVersion || !hmac.Equal(b[cursorPlain:], x.cursorCode(list, b[:cursorPlain])) {
		return c, ErrCursor
	}
	c.sequence = binary.BigEndian.Uint64(b[1:])
	copy(c.snapshot[:], b[1+8:])
	return c, nil
}

// idleMax is how many connections wait for the next question.
const idleMax = 4

// ask runs a small query on a connection that stays open for the next. One that broke while nobody used it is replaced, unless it gave f a row.
func (x *Exporter) ask(ctx context.Context, sql string, result proto.Results, f func(row int) error) error {
	isGiven := false
	give := func(row int) error { isGiven = true; return f(row) }
	for {
		client, isUsed, err := x.take(ctx)
		if err != nil {
			return err
		}
		if err = eachBy(ctx, client, ch.Query{Body: sql, Settings: glance, Result: result}, give); err == nil {
			x.give(client)
			return nil
		}
		_ = client.Close() // its outcome is known
		if !isUsed || isGiven || ctx.Err() != nil || ch.IsException(err) {
			return err
		}
	}
}

func (x *Exporter) take(ctx context.Context) (client *ch.Client, isUsed bool, err error) {
	for {
		select {
		case client := <-x.idle:
			if !client.IsClosed() {
				return client, true, nil
			}
		default:
			client, err = x.opt.Dial(ctx)
			return client, false, err
		}
	}
}

func (x *Exporter) give(client *ch.Client) {
	select {
	case x.idle <- client:
	default:
		_ = client.Close() // enough of them wait
	}
}

// Close ends the connections that wait.
func (x *Exporter) Close() {
	for {
		select {
		case client := <-x.idle:
			_ = client.Close() // nobody uses it
		default:
			return
		}
	}
}
