// Package tables holds the ClickHouse schema: one SQL file per table or view, with a comment on every table and column.
// Nothing comes in; migrations, numbered from 1, go out as statements with places for the database and the like.
// It never talks to a server, and a migration that was released never changes: a later one alters what it made.
package tables

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"strings"
)

//go:embed *.sql
var files embed.FS

// initial is what migration 1 creates, in this order: what a statement reads stands before it.
var initial = []string{
	"events", "order_lines", "identifiers", "identity_log", "profile_aliases", "profile_aliases_dict", "profiles", "audience_members",
	"audience_changes", "dead_letters", "commits", "events_resolved", "order_lines_current", "customers", "audience_sizes",
}

// replay is what migration 2 adds: what a worker needs to start over from ClickHouse alone.
var replay = []string{"commits_replay", "events_positions", "order_lines_batches", "dead_letters_batches", "state_backups"}

// identity is what migration 3 adds: leaves, whose person may change without a merge, and squashing, which keeps small what the views of
// resolved people have to look up.
var identity = []string{"events_leaf", "order_lines_leaf", "leaf_profiles", "profile_aliases_projections", "profile_aliases_by_batch",
	"profile_aliases_by_batch_parts", "profile_aliases_comments", "squash_points", "aliases_recent", "aliases_settled", "leaves_recent",
	"leaves_settled", "events_resolved_leaves", "order_lines_current_leaves", "profile_aliases_dict_old",
	"profile_aliases_dict_direct", "identity_links"}

// scoring is what migration 4 adds: the scores of people, what they are computed from beside events, and the views for analysts.
var scoring = []string{"profiles_scores", "profiles_stage_reason", "journey_changes", "models", "session_aliases", "accounts", "catalog", "stock", "consents", "survey_answers",
	"customers_scores", "customer_timeline", "journey_funnel", "channel_switches", "spend_by_channel_count", "email_engagement", "split_tests", "sku_live",
	"sku_affinity", "channel_results", "attribution"}

// audiences is what migration 5 adds: contact data as hashes, and what audiences and their exports need.
var audiences = []string{"contacts", "contacts_clear", "profiles_country", "export_changes", "export_snapshots", "audiences"}

// Migration is one step of the schema, forward only. Its statements may run again: each says IF NOT EXISTS or the like.
type Migration struct {
	Version    uint32 // from 1, without gaps
	Name       string
	Statements []Statement
}

// Statement is one SQL statement with places for Values.
type Statement struct {
	Name string // of its file
	SQL  string
}

// Values fill the places of a statement.
type Values struct {
	Database    string // {database}: a plain name
	Properties  string // {properties_type}: the type of events.properties, String or JSON
	Cluster     string // {on_cluster} and {replicated}: a plain name, or empty for tables of one server
	Credentials string // {credentials}: what the dictionaries need to read their own server, such as USER 'u' PASSWORD 'p'
}

// Migrations lists all migrations in order. A further one names further files of this folder.
func Migrations() []Migration {
	return []Migration{{Version: 1, Name: "initial", Statements: read(initial...)}, {Version: 2, Name: "replay", Statements: read(replay...)},
		{Version: 3, Name: "identity", Statements: read(identity...)}, {Version: 4, Name: "scoring", Statements: read(scoring...)},
		{Version: 5, Name: "audiences", Statements: read(audiences...)}}
}

// History is the table that remembers which migrations were applied. It is there before the first of them.
func History() Statement { return read("schema_migrations")[0] }

// Dictionaries are all dictionaries as they are now. They are made again when their credentials change.
func Dictionaries() []Statement {
	return read("aliases_recent", "aliases_settled", "leaves_recent", "leaves_settled", "profile_aliases_dict_direct")
}

func read(names ...string) []Statement {
	statements := make([]Statement, len(names))
	for i, name := range names {
		text, err := files.ReadFile(name + ".sql")
		if err != nil {
			panic("tables: no file for " + name) // the lists above name embedded files only
		}
		statements[i] = Statement{Name: name, SQL: strings.TrimSpace(string(text))}
	}
	return statements
}

// Checksum is the SHA-256 of the statements, in hex, before their places are filled.
func (m Migration) Checksum() string {
	hash := sha256.New()
	for _, s := range m.Statements {
		hash.Write([]byte(s.SQL))
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Fill gives the statement for a server.
func (s Statement) Fill(v Values) string {
	onCluster, replicated := "", ""
	if v.Cluster != "" {
		onCluster, replicated = "ON CLUSTER `"+v.Cluster+"`", "Replicated"
	}
	return strings.NewReplacer("{database}", v.Database, "{properties_type}", v.Properties, " {on_cluster}", prefixed(onCluster),
		"{replicated}", replicated, "{credentials}", v.Credentials).Replace(s.SQL)
}

// prefixed puts a space before s, unless s is empty.
func prefixed(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}
