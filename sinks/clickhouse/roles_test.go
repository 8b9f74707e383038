package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
)

// migratorOf gives a migrator with its own connection.
func migratorOf(t testing.TB, cfg Config, log *slog.Logger) *migrator {
	t.Helper()
	conn, err := cfg.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &migrator{cfg: cfg, conn: conn, log: log}
}

// readRights are what the roles may and may not read, written down apart from the code that grants it.
var readRights = map[string]struct{ may, mayNot []string }{
	"analyst": {may: []string{"SELECT count() FROM events", "SELECT properties, page_url FROM events", "SELECT * FROM events_resolved", "SELECT * FROM order_lines_current", "SELECT * FROM customers",
		"SELECT * FROM customer_timeline", "SELECT identifier_id, namespace, profile_id, class, first_seen, last_seen, quarantined FROM identifiers FINAL",
		"SELECT profile_id, consent, country, lifetime_value FROM profiles FINAL", "SELECT time, topic, reason, detail FROM dead_letters", "SELECT * FROM identity_log",
		"SELECT * FROM attribution", "SELECT * FROM split_tests", "SELECT * FROM journey_funnel", "SELECT * FROM sku_live", "SELECT * FROM channel_results",
		"SELECT * FROM audience_sizes", "SELECT * FROM email_engagement", "SELECT * FROM channel_switches", "SELECT * FROM spend_by_channel_count", "SELECT * FROM sku_affinity",
		"SELECT * FROM consents FINAL", "SELECT * FROM survey_answers", "SELECT * FROM accounts", "SELECT * FROM profile_aliases_dict"},
		mayNot: []string{"SELECT value_hash FROM identifiers", "SELECT display FROM identifiers", "SELECT * FROM identifiers", "SELECT value FROM dead_letters", "SELECT key FROM dead_letters",
			"SELECT count() FROM contacts", "SELECT plain FROM contacts", "SELECT count() FROM contacts_clear", "SELECT state FROM profiles", "SELECT count() FROM state_backups",
			"SELECT keys FROM export_changes"}},
	"marketer": {may: []string{"SELECT * FROM customers", "SELECT * FROM audience_sizes", "SELECT * FROM audience_members FINAL", "SELECT * FROM audience_changes", "SELECT * FROM attribution",
		"SELECT * FROM split_tests", "SELECT * FROM channel_results", "SELECT * FROM journey_funnel", "SELECT * FROM email_engagement", "SELECT * FROM channel_switches",
		"SELECT * FROM spend_by_channel_count", "SELECT * FROM sku_live", "SELECT * FROM sku_affinity", "SELECT profile_id, stage FROM profiles FINAL", "SELECT type FROM events"},
		mayNot: []string{"SELECT link_url FROM events", "SELECT identifiers FROM events", "SELECT kafka_offset FROM events", "SELECT * FROM events", "SELECT * FROM events_resolved", "SELECT * FROM customer_timeline",
			"SELECT count() FROM identifiers", "SELECT count() FROM contacts", "SELECT count() FROM contacts_clear", "SELECT count() FROM dead_letters", "SELECT count() FROM identity_log",
			"SELECT count() FROM survey_answers", "SELECT count() FROM consents", "SELECT state FROM profiles", "SELECT keys FROM export_changes"}},
	"export": {may: []string{"SELECT * FROM audience_members FINAL", "SELECT * FROM audience_changes FINAL", "SELECT * FROM audience_sizes", "SELECT * FROM contacts FINAL",
		"SELECT profile_id, consent, country FROM profiles FINAL", "SELECT identifier_id, profile_id FROM identifiers FINAL WHERE NOT quarantined",
		"SELECT max(batch) FROM commits WHERE pipeline = 'main'", "SELECT * FROM export_changes", "SELECT * FROM export_snapshots FINAL",
		"INSERT INTO seamline.export_snapshots (audience) VALUES ('a')"},
		mayNot: []string{"SELECT count() FROM contacts_clear", "SELECT ciphertext FROM contacts_clear", "SELECT display FROM identifiers", "SELECT value_hash FROM identifiers",
			"SELECT lifetime_value FROM profiles", "SELECT count() FROM events", "SELECT * FROM customers", "SELECT count() FROM order_lines", "SELECT count() FROM dead_letters",
			"INSERT INTO seamline.audience_members (audience) VALUES ('a')"}},
	"contacts": {may: []string{"SELECT * FROM contacts_clear FINAL"},
		mayNot: []string{"SELECT count() FROM contacts", "SELECT count() FROM identifiers", "SELECT count() FROM profiles", "SELECT count() FROM events", "SELECT * FROM customers"}},
}

// never is what no role may do.
var never = []string{"INSERT INTO seamline.events (event_id) VALUES ('x')", "DROP TABLE seamline.events", "ALTER TABLE seamline.profiles DELETE WHERE 1", "TRUNCATE TABLE seamline.contacts", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
	"SELECT * FROM file('/etc/passwd', 'LineAsString')", "CREATE TABLE seamline.mine (a UInt8) ENGINE = Memory"}

// expectRights tries all that a user with a role may do and may not.
func expectRights(t *testing.T, cfg Config, suffix string) {
	t.Helper()
	ask := func(sql string) error {
		if strings.HasPrefix(sql, "SELECT") {
			_, _, err := Query(t.Context(), cfg, sql)
			return err
		}
		return migratorOf(t, cfg, nil).conn.Exec(t.Context(), sql)
	}
	rights := readRights[suffix]
	for _, sql := range rights.may {
		if err := ask(sql); err != nil {
			t.Errorf("%s may not %s: %v", suffix, sql, err)
		}
	}
	for _, sql := range append(slices.Clone(rights.mayNot), never...) {
		err := ask(sql)
		if code, ok := answer(err); err == nil || !ok || code != 497 {
			t.Errorf("%s may %s: %v", suffix, sql, err)
		}
	}
}

// consenting are a person who granted something, one who did not, and one who took it back in a later row.
func consenting(b *schemas.Batch, takenBack bool) {
	b.Profiles = nil
	for i := range byte(3) {
		p := schemas.Profile{ID: id(i + 1), Index: uint32(i + 1), Version: b.Number, Country: "DE", FirstSeen: start, LastSeen: start, Events: 1, Scores: &schemas.Scores{NPS: -1, CSAT: -1}}
		state := schemas.ConsentGranted
		if i == 1 || i == 2 && takenBack {
			state = schemas.ConsentDenied
		}
		p.Scores.Consent[schemas.PurposeEmailMarketing] = state
		b.Profiles = append(b.Profiles, p)
	}
}

// seenPeople gives how many people a user sees.
func seenPeople(t *testing.T, cfg Config) string {
	t.Helper()
	return one(t, cfg, "SELECT count() FROM profiles FINAL") + " " + one(t, cfg, "SELECT count() FROM customers")
}

// expectMarketer: a marketer sees the one who granted something and did not take it back, whether or not a query asks for the newest rows,
// and cannot ask for older ones.
func expectMarketer(t *testing.T, user Config) {
	t.Helper()
	if got := seenPeople(t, user); got != "1 1" {
		t.Errorf("a marketer sees %s people, want one", got)
	}
	if got := one(t, user, "SELECT count() FROM profiles"); got != "1" {
		t.Errorf("a marketer who does not say FINAL sees %s rows, want one", got)
	}
	for _, setting := range []string{settingFinal, afterFinal} {
		if _, _, err := Query(t.Context(), user, "SELECT count() FROM profiles SETTINGS "+setting+" = 0"); err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("a marketer may set %s to 0: %v", setting, err)
		}
	}
}

// expectUser: the user of a role may do what the role is for, and sees the people that it is for.
func expectUser(t *testing.T, cfg Config, suffix string) {
	t.Helper()
	cfg.User, cfg.Password = suffix+"_17", "secret"
	expectRights(t, cfg, suffix)
	switch suffix {
	case "analyst":
		if got := seenPeople(t, cfg); got != "3 3" {
			t.Errorf("an analyst sees %s people, want all", got)
		}
	case "marketer":
		expectMarketer(t, cfg)
	}
}

// writeForRoles writes rows into every table, and the people twice.
func writeForRoles(t *testing.T, cfg Config) {
	t.Helper()
	s := open(t, cfg)
	b := s.sampleOfAll()
	consenting(b, false)
	write(t, s, b)
	b = &schemas.Batch{Number: 2, Now: start}
	consenting(b, true)
	write(t, s, b)
}

// TestRolesOfRealUsers: what each role grants is enforced by a real server for users who have it. The embedded engine keeps roles only
// where they stand in its configuration, so that the grants are written there, word for word.
func TestRolesOfRealUsers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	server := ownServer(t, dir)
	cfg := DefaultConfig()
	cfg.Addr = server.Addr()
	writeForRoles(t, cfg)
	columns, _, err := migratorOf(t, cfg, nil).readable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rolesXML, usersXML, profilesXML strings.Builder
	for i := range roles {
		r := &roles[i]
		fmt.Fprintf(&rolesXML, "<%[1]s><grants><query>GRANT %[2]s</query></grants></%[1]s>", r.name(cfg.Database), r.privileges(cfg.Database, columns))
		policies := ""
		for _, f := range r.filters {
			policies += fmt.Sprintf("<%s><filter>%s</filter></%s>", f.table, f.condition, f.table)
		}
		if policies != "" {
			policies = fmt.Sprintf("<databases><%[1]s>%[2]s</%[1]s></databases>", cfg.Database, policies)
		}
		profile := "default"
		if r.ones != nil {
			profile = r.name(cfg.Database)
			ones, constant := "", ""
			for _, setting := range r.ones {
				ones += fmt.Sprintf("<%[1]s>1</%[1]s>", setting)
				constant += fmt.Sprintf("<%[1]s><const/></%[1]s>", setting)
			}
			fmt.Fprintf(&profilesXML, "<%[1]s>%[2]s<constraints>%[3]s</constraints></%[1]s>", profile, ones, constant)
		}
		fmt.Fprintf(&usersXML, "<%[1]s_17><password>secret</password><networks><ip>127.0.0.1</ip></networks><profile>%[4]s</profile><quota>default</quota>"+
			"<grants><query>GRANT %[2]s</query></grants>%[3]s</%[1]s_17>", r.suffix, r.name(cfg.Database), policies, profile)
	}
	overlay := filepath.Join(dir, "users.d", "roles.xml")
	text := "<clickhouse><profiles>" + profilesXML.String() + "</profiles><roles>" + rolesXML.String() + "</roles><users>" + usersXML.String() + "</users></clickhouse>"
	if err := errors.Join(os.MkdirAll(filepath.Dir(overlay), 0o700), os.WriteFile(overlay, []byte(text), 0o600), server.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := seenPeople(t, cfg); got != "3 3" {
		t.Errorf("Seamline's own user sees %s people, want all", got)
	}
	for _, suffix := range slices.Sorted(maps.Keys(readRights)) {
		expectUser(t, cfg, suffix)
	}
}

// TestRolesByStatements lets a server that keeps roles make them, twice, and tries users who have them. The embedded engine keeps none.
func TestRolesByStatements(t *testing.T) {
	t.Parallel()
	localtest.ClickHouse(t)
	if engine, err := local.EnsureClickHouse(t.Context(), nil); err != nil || engine.Kind != local.Binary {
		t.Skip("needs a clickhouse binary, named by SEAMLINE_CLICKHOUSE_BIN: the library keeps no roles")
	}
	dir := filepath.Join(t.TempDir(), "data")
	overlay := filepath.Join(dir, "config.d", "access.xml")
	text := "<clickhouse><user_directories><local_directory><path>" + filepath.Join(dir, "access") + "/</path></local_directory></user_directories></clickhouse>"
	if err := errors.Join(os.MkdirAll(filepath.Dir(overlay), 0o700), os.MkdirAll(filepath.Join(dir, "access"), 0o700), os.WriteFile(overlay, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	server := ownServer(t, dir)
	cfg := DefaultConfig()
	cfg.Addr, cfg.Roles = server.Addr(), rolesOn
	writeForRoles(t, cfg)
	migrate(t, cfg)
	for suffix := range readRights {
		exec(t, cfg, "CREATE USER "+suffix+"_17 IDENTIFIED BY 'secret'")
		exec(t, cfg, "GRANT seamline_"+suffix+" TO "+suffix+"_17")
		expectUser(t, cfg, suffix)
	}
	if got := seenPeople(t, cfg); got != "3 3" {
		t.Errorf("Seamline's own user sees %s people, want all", got)
	}
}

// TestRolesWhereTheServerKeepsNone: auto says so and goes on, on fails, off does not try.
func TestRolesWhereTheServerKeepsNone(t *testing.T) {
	t.Parallel()
	if engine, err := local.EnsureClickHouse(t.Context(), nil); err == nil && engine.Kind == local.Binary {
		t.Skip("this server keeps roles")
	}
	cfg := config(t)
	migrate(t, cfg)
	for setting, want := range map[string]string{rolesAuto: "", rolesOff: "", rolesOn: "role " + cfg.Database + "_analyst: "} {
		var log strings.Builder
		m := migratorOf(t, cfg, slog.New(slog.NewTextHandler(&log, nil)))
		m.cfg.Roles = setting
		err := m.grantRoles(context.Background())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("clickhouse.roles %s gives %v, want %q", setting, err, want)
		}
		if says := strings.Contains(log.String(), "are not made"); says != (setting == rolesAuto) {
			t.Errorf("clickhouse.roles %s logs %q", setting, log.String())
		}
	}
}

// TestRoleStatements: the engine can read what a server that keeps roles is told, and doing it again is meant.
func TestRoleStatements(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	migrate(t, cfg)
	columns, settings, err := migratorOf(t, cfg, nil).readable(t.Context())
	if err != nil || len(settings) != 2 {
		t.Fatalf("the settings of filters that are known: %v, %v", settings, err)
	}
	for _, cluster := range []string{"", "shop"} {
		other := cfg
		other.Cluster = cluster
		for i := range roles {
			all := roles[i].statements(&other, columns, settings)
			if !strings.HasPrefix(all[len(all)-1], "GRANT") || slices.ContainsFunc(all[:len(all)-1], func(sql string) bool { return strings.HasPrefix(sql, "GRANT") }) {
				t.Errorf("something is granted before the role is narrowed: %q", all)
			}
			if narrowed := strings.Contains(strings.Join(all, ";"), "SETTINGS final = 1 CONST, apply_row_policy_after_final = 1 CONST"); narrowed != (roles[i].filters != nil) {
				t.Errorf("settings of the role: %q", all)
			}
			if old := strings.Join(roles[i].statements(&other, columns, nil), ";"); strings.Contains(old, "SETTINGS") {
				t.Errorf("settings that an older server does not take: %s", old)
			}
			for _, sql := range all {
				read(t, cfg, "EXPLAIN AST "+sql)
				if !slices.ContainsFunc([]string{"IF NOT EXISTS", "WITH REPLACE OPTION", "OR REPLACE", "ALTER ROLE"}, func(s string) bool { return strings.Contains(sql, s) }) {
					t.Errorf("it cannot run again: %s", sql)
				}
				if strings.Contains(sql, "ON CLUSTER `shop`") != (cluster != "") {
					t.Errorf("for cluster %q: %s", cluster, sql)
				}
				if strings.Contains(sql, "()") {
					t.Errorf("no columns: %s", sql)
				}
			}
		}
	}
}

// TestEveryTableIsDecidedAbout: a new table or view is for analysts, or one of those that are for nobody but who names them.
func TestEveryTableIsDecidedAbout(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	migrate(t, cfg)
	decided := slices.Clone(closed)
	for _, g := range roles[0].grants {
		decided = append(decided, g.tables...)
	}
	for _, r := range read(t, cfg, "SELECT name FROM system.tables WHERE database = '"+cfg.Database+"' AND NOT startsWith(name, '.')") {
		if name := strings.Trim(r["name"], `"`); !slices.Contains(decided, name) {
			t.Errorf("%s: nobody decided who reads it: add it to roles.go, and to readRights here", name)
		}
	}
}
