package export

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/sinks/clickhouse"
)

func TestMain(m *testing.M) { localtest.Main(m) }

var start0 = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// world is a database with people made up by number, and an exporter over it.
type world struct {
	t     testing.TB
	db    clickhouse.Config
	cfg   Config
	opt   Options
	now   time.Time
	batch int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	database := localtest.Database(t)
	return newWorldAt(t, localtest.ClickHouse(t).Addr(), database)
}

func newWorldAt(t testing.TB, addr, database string) *world {
	t.Helper()
	w := &world{t: t, db: clickhouse.DefaultConfig(), cfg: DefaultConfig(), now: start0}
	w.db.Database, w.db.Addr = database, addr
	if err := clickhouse.Migrate(t.Context(), w.db, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	dial, err := w.db.Dialer()
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.Dir = filepath.Join(t.TempDir(), "exports")
	w.opt = Options{Dial: dial, Database: w.db.Database, Pipeline: "main", Secret: []byte("test"), Clock: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	return w
}

func (w *world) exporter() *Exporter {
	w.t.Helper()
	x, err := New(w.cfg, w.opt)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(x.Close)
	return x
}

func (w *world) exec(format string, args ...any) {
	w.t.Helper()
	if _, _, err := clickhouse.Query(context.WithoutCancel(w.t.Context()), w.db, fmt.Sprintf(format, args...)); err != nil {
		w.t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
}

func (w *world) query(format string, args ...any) string {
	w.t.Helper()
	_, rows, err := clickhouse.Query(w.t.Context(), w.db, fmt.Sprintf(format, args...))
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, strings.Trim(fmt.Sprint(r...), "[]"))
	}
	return strings.Join(lines, "\n")
}

// profileID is the id of a person by number, as an SQL expression of n.
const profileID = "toUUID(concat('0192f0c1-7a52-7f5e-8f00-', leftPad(lower(hex(toUInt32(cityHash64(n)))), 12, '0')))"

// people adds people by number: profiles that granted everything in country, with an address customer-N@example.com, and a phone number of
// the range for fiction.
func (w *world) people(from, upTo int, country, consent string) {
	w.t.Helper()
	span := fmt.Sprintf("(SELECT number AS n FROM numbers(%d, %d))", from, upTo-from)
	w.exec("INSERT INTO profiles (profile_id, consent, country, version) SELECT %s, %s, '%s', %d FROM %s", profileID, consent, country, w.batch+1, span)
	for kind, of := range map[string]string{"email": "concat('customer-', toString(n), '@example.com')", "phone": "concat('1202555', leftPad(toString(100 + n % 100), 4, '0'))"} {
		id := map[string]string{"email": "n * 2", "phone": "n * 2 + 1"}[kind]
		plus := map[string]string{"email": of, "phone": "concat('+', " + of + ")"}[kind]
		w.exec("INSERT INTO identifiers (identifier_id, namespace, profile_id, class, _batch) SELECT %s, '%s', %s, 'personal', %d FROM %s", id, kind, profileID, w.batch+1, span)
		w.exec("INSERT INTO contacts (identifier_id, kind, time, plain, google, uid2, _batch) SELECT %s, '%s', toDateTime64('2026-09-01 12:00:00', 3, 'UTC'), SHA256(%s), SHA256(%s), SHA256(%s), %d FROM %s",
			id, kind, of, plus, plus, w.batch+1, span)
	}
}

const grantedAll = "map('ads_user_data', 'granted', 'ads_personalization', 'granted')"

// audience makes an audience known.
func (w *world) audience(name string, minSize int) {
	w.t.Helper()
	w.exec("INSERT INTO audiences (audience, description, rule, min_size, active, _batch) SELECT '%s', 'people of a test', '', %d, 1, %d", name, minSize, w.batch+1)
}

// enter and exit change memberships of people by number in a batch that is not committed yet.
func (w *world) enter(audience string, numbers string) { w.t.Helper(); w.move(audience, numbers, 1) }
func (w *world) exit(audience string, numbers string)  { w.t.Helper(); w.move(audience, numbers, 0) }

func (w *world) move(audience, numbers string, member int) {
	w.t.Helper()
	w.members(audience, numbers, member)
	w.changes(audience, numbers, member)
}

func (w *world) members(audience, numbers string, member int) {
	w.t.Helper()
	w.exec("INSERT INTO audience_members (audience, profile_id, member, version) SELECT '%s', %s, %d, %d FROM (%s)", audience, profileID, member, w.batch+1, numbers)
}

func (w *world) changes(audience, numbers string, member int) {
	w.t.Helper()
	w.exec("INSERT INTO audience_changes (audience, sequence, profile_id, change, _batch) SELECT '%s', (SELECT max(sequence) FROM audience_changes WHERE audience = '%s') + row_number() OVER (), %s, '%s', %d FROM (%s)",
		audience, audience, profileID, []string{"exit", "enter"}[member], w.batch+1, numbers)
}

// commit ends the batch.
func (w *world) commit() {
	w.t.Helper()
	w.batch++
	w.exec("INSERT INTO commits (pipeline, batch) SELECT 'main', %d", w.batch)
}

func numbers(from, upTo int) string {
	return fmt.Sprintf("SELECT number AS n FROM numbers(%d, %d)", from, upTo-from)
}

// list reads a list as it is given out.
func (w *world) list(x *Exporter, l List, format string) string {
	w.t.Helper()
	s, err := x.Standing(w.t.Context(), l)
	if err != nil {
		return err.Error()
	}
	a, err := x.Open(w.t.Context(), s, format, false)
	if err != nil {
		w.t.Fatal(err)
	}
	defer a.Close()
	text, err := io.ReadAll(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) refresh(x *Exporter, lists ...List) {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	if err := x.Refresh(w.t.Context(), lists); err != nil {
		w.t.Fatal(err)
	}
}
