package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/tables"
)

// Migrate brings the database to the schema of this build: it creates what is missing, applies new migrations in order, and sets
// retention, whether writes are flushed to disk, and what makes writing cheap. Several processes may do so at once, and doing it again changes nothing. A database of a newer build, or one whose
// migrations were other ones, is left alone with an error.
//
// Roles of those who read are made where the user may make roles, and otherwise it says so and goes on.
//
// The user needs SELECT, INSERT, ALTER, CREATE, DROP and dictGet on the database, SELECT on system.*, SYSTEM RELOAD DICTIONARY, and
// TABLE ENGINE on ReplacingMergeTree; CREATE DATABASE only where the database is missing.
//
// With clickhouse.cluster set, statements run ON CLUSTER and tables are replicated. That is not tested against a cluster, since
// the embedded engine cannot form one; the tests only let it read the statements.
func Migrate(ctx context.Context, cfg Config, log *slog.Logger) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	conn, err := cfg.open()
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Close()
	m := migrator{cfg: cfg, conn: conn, log: log, migrations: tables.Migrations()}
	if err := m.run(ctx); err != nil {
		return fmt.Errorf("migrate database %s: %w", cfg.Database, err)
	}
	return nil
}

type migrator struct {
	cfg        Config
	conn       driver.Conn
	log        *slog.Logger
	migrations []tables.Migration
}

func (m *migrator) run(ctx context.Context) error {
	if err := m.createDatabase(ctx); err != nil {
		return err
	}
	if err := m.exec(ctx, tables.History()); err != nil {
		return err
	}
	applied, err := m.applied(ctx)
	if err != nil {
		return err
	}
	for _, migration := range m.migrations {
		if slices.Contains(applied, migration.Version) {
			continue
		}
		if err := m.apply(ctx, migration); err != nil {
			return fmt.Errorf("migration %d %s: %w", migration.Version, migration.Name, err)
		}
	}
	if err := m.checkDictionaries(ctx); err != nil {
		return err
	}
	if err := m.adjust(ctx); err != nil {
		return err
	}
	if err := m.retain(ctx); err != nil {
		return err
	}
	return m.grantRoles(ctx)
}

// createDatabase leaves an existing database alone, so that the user needs no right to create one.
func (m *migrator) createDatabase(ctx context.Context) error {
	var n uint64
	if err := m.conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = "+quote(m.cfg.Database)).Scan(&n); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if n > 0 {
		return nil
	}
	if err := m.conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+m.cfg.Database+m.onCluster()); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

func (m *migrator) onCluster() string {
	if m.cfg.Cluster == "" {
		return ""
	}
	return " ON CLUSTER `" + m.cfg.Cluster + "`"
}

// Limits of a statement that collides with the same statement of another process.
const (
	collisionsMax = 20
	collisionWait = 50 * time.Millisecond
)

// colliding are answers that two processes get which create the same thing at the same instant.
var colliding = []proto.Error{proto.ErrTableAlreadyExists, proto.ErrDatabaseAlreadyExists, proto.ErrTableMetadataAlreadyExists,
	proto.ErrUnknownTable, proto.ErrCannotAssignAlter}

// exec runs a statement that may run again, and does so where another process ran it at the same instant.
func (m *migrator) exec(ctx context.Context, s tables.Statement) error {
	sql := s.Fill(m.cfg.values())
	for collisions := 0; ; collisions++ {
		err := m.conn.Exec(ctx, sql)
		if err == nil {
			return nil
		}
		code, ok := answer(err)
		if !ok || !slices.Contains(colliding, code) || collisions == collisionsMax {
			return fmt.Errorf("%s: %w", s.Name, withoutSecret(err, m.cfg.Password))
		}
		select {
		case <-time.After(collisionWait):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", s.Name, context.Cause(ctx))
		}
	}
}

// applied gives the versions that were applied, after checking that this build knows all of them as they were.
func (m *migrator) applied(ctx context.Context) ([]uint32, error) {
	rows, err := m.conn.Query(ctx, "SELECT version, name, checksum FROM "+m.cfg.Database+".schema_migrations FINAL ORDER BY version")
	if err != nil {
		return nil, fmt.Errorf("read schema_migrations: %w", err)
	}
	defer rows.Close()
	var versions []uint32
	for rows.Next() {
		var version uint32
		var name, checksum string
		if err := rows.Scan(&version, &name, &checksum); err != nil {
			return nil, fmt.Errorf("read schema_migrations: %w", err)
		}
		if err := m.check(version, name, checksum); err != nil {
			return nil, err
		}
		versions = append(versions, version)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read schema_migrations: %w", err)
	}
	return versions, nil
}

// check compares a migration that was applied with the one of this build.
func (m *migrator) check(version uint32, name, checksum string) error {
	at := slices.IndexFunc(m.migrations, func(k tables.Migration) bool { return k.Version == version })
	if at < 0 {
		return fmt.Errorf("%w: a newer build has migrated it to version %d (%s), and this build knows %d; use that build, or another database",
			schemas.ErrFatal, version, name, len(m.migrations))
	}
	if known := m.migrations[at]; known.Checksum() != checksum {
		return fmt.Errorf("%w: migration %d (%s) was applied as another text than the one of this build (checksum %.12s there, %.12s here); "+
			"use the build that applied it, or another database", schemas.ErrFatal, version, name, checksum, known.Checksum())
	}
	return nil
}

func (m *migrator) apply(ctx context.Context, migration tables.Migration) error {
	for _, s := range migration.Statements {
		if err := m.exec(ctx, s); err != nil {
			return err
		}
	}
	insert := fmt.Sprintf("INSERT INTO %s.schema_migrations (version, name, checksum, applied_at) SELECT %d, %s, %s, now64(3)",
		m.cfg.Database, migration.Version, quote(migration.Name), quote(migration.Checksum()))
	if err := m.conn.Exec(ctx, insert); err != nil {
		return fmt.Errorf("record it: %w", err)
	}
	m.log.Info("migrated clickhouse", "database", m.cfg.Database, "version", migration.Version, "name", migration.Name)
	return nil
}

// checkDictionaries makes sure that the dictionaries can read their tables. They hold the credentials that they were created with, so
// that they are made again when those no longer work.
func (m *migrator) checkDictionaries(ctx context.Context) error {
	err := m.reload(ctx)
	if err == nil {
		return nil
	}
	if !strings.Contains(err.Error(), "Authentication failed") {
		return fmt.Errorf("load the dictionaries: %w", err)
	}
	for _, s := range tables.Dictionaries() {
		s.SQL = strings.Replace(s.SQL, "CREATE DICTIONARY IF NOT EXISTS", "CREATE OR REPLACE DICTIONARY", 1)
		if err := m.exec(ctx, s); err != nil {
			return err
		}
	}
	if err := m.reload(ctx); err != nil {
		return fmt.Errorf("load the dictionaries: %w", err)
	}
	m.log.Info("gave the dictionaries new credentials", "database", m.cfg.Database)
	return nil
}

// reload loads all dictionaries.
func (m *migrator) reload(ctx context.Context) error {
	for _, name := range dictionaries() {
		if err := m.conn.Exec(ctx, reloadStatement(m.cfg, name)); err != nil {
			return err
		}
	}
	return nil
}

// retain sets, changes or removes the TTL of each table whose retention is a setting.
func (m *migrator) retain(ctx context.Context) error {
	for _, k := range m.cfg.Retention.tables() {
		var engine string
		query := "SELECT engine_full FROM system.tables WHERE database = " + quote(m.cfg.Database) + " AND name = " + quote(k.table)
		if err := m.conn.QueryRow(ctx, query).Scan(&engine); err != nil {
			return fmt.Errorf("read the retention of %s: %w", k.table, err)
		}
		change := k.change(engine)
		if change == "" {
			continue
		}
		if err := m.exec(ctx, tables.Statement{Name: "retention of " + k.table,
			SQL: "ALTER TABLE {database}." + k.table + m.onCluster() + " " + change}); err != nil {
			return err
		}
		m.log.Info("changed retention", "table", k.table, "days", k.days)
	}
	return nil
}

// change gives what an ALTER has to do to a table with this engine; nothing where it is as it should be.
func (k kept) change(engine string) string {
	want := fmt.Sprintf("toDateTime(%s) + toIntervalDay(%d)", k.column, k.days)
	_, ttl, has := strings.Cut(engine, " TTL ")
	ttl, _, _ = strings.Cut(ttl, " SETTINGS ")
	switch {
	case k.days == 0 && has:
		return "REMOVE TTL"
	case k.days > 0 && ttl != want:
		return "MODIFY TTL " + want
	}
	return ""
}

// propertiesAreJSON tells the type of events.properties, which was chosen when the table was created.
func propertiesAreJSON(ctx context.Context, cfg Config, log *slog.Logger) (bool, error) {
	conn, err := cfg.open()
	if err != nil {
		return false, fmt.Errorf("read the schema: %w", err)
	}
	defer conn.Close()
	var kind string
	query := "SELECT type FROM system.columns WHERE database = " + quote(cfg.Database) + " AND table = 'events' AND name = 'properties'"
	if err := conn.QueryRow(ctx, query).Scan(&kind); err != nil {
		return false, fmt.Errorf("read the type of events.properties: %w", err)
	}
	if want := cfg.values().Properties; kind != want {
		log.Warn("events.properties was created with another type than clickhouse.properties says; it stays", "type", kind, "setting", cfg.Properties)
	}
	return kind == "JSON", nil
}
