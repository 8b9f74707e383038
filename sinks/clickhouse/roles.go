package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// role is what people of one kind may read. Its name is that of the database and the suffix: seamline_analyst.
type role struct {
	suffix  string
	global  string // what views need that read dictionaries as tables: it lasts as long as a session
	grants  []grant
	filters []filter
	ones    []string // settings that are 1 for the role, whatever a query says
}

// grant lets some tables or views be read, or dictionaries be looked up.
type grant struct {
	tables  []string
	columns []string // these alone; nil for all
	but     []string // all but these
	verb    string   // SELECT where it is empty
}

// filter lets only some rows of a table be read.
type filter struct{ table, condition string }

// results are views that tell of everybody together, or of people by nothing but their profile's id.
var results = []string{"attribution", "audience_sizes", "channel_results", "channel_switches", "email_engagement", "journey_funnel", "sku_affinity",
	"sku_live", "spend_by_channel_count", "split_tests"}

// lookUps are the dictionaries behind views of resolved people, which are read as tables too.
var lookUps = []string{aliasesRecent, aliasesSettled, leavesRecent, leavesSettled, "profile_aliases_dict"}

// roles are who may read what. Nobody but seamline_contacts reads contacts_clear, and nobody but Seamline's own user writes, but for the
// ledger of exports.
var roles = []role{
	{suffix: "analyst", global: "CREATE TEMPORARY TABLE", grants: []grant{
		{tables: results},
		{tables: []string{"accounts", "audience_changes", "audience_members", "audiences", "catalog", "commits", "consents", "customer_timeline", "customers",
			"events", "events_resolved", "identity_links", "identity_log", "journey_changes", "leaf_profiles", "models", "order_lines",
			"order_lines_current", "profile_aliases", "session_aliases", "stock", "survey_answers"}},
		{tables: []string{"identifiers"}, but: []string{"value_hash", "display"}},
		{tables: []string{"profiles"}, but: []string{"state"}},
		{tables: []string{"dead_letters"}, but: []string{"key", "value"}},
		{tables: lookUps}, {tables: lookUps, verb: "dictGet"},
	}},
	{suffix: "marketer", grants: []grant{
		{tables: results},
		{tables: []string{"audience_changes", "audience_members", "audiences", "catalog", "customers", "models", "stock"}},
		{tables: []string{"profiles"}, but: []string{"state"}},
		{tables: []string{"events"}, but: []string{"identifiers", "kafka_offset", "kafka_partition", "kafka_topic", "link_url"}},
		{tables: []string{"order_lines"}},
		{tables: lookUps}, {tables: lookUps, verb: "dictGet"},
	}, filters: []filter{{"profiles", "has(mapValues(consent), 'granted')"}}, ones: []string{settingFinal, afterFinal}},
	{suffix: "export", grants: []grant{
		{tables: []string{"audience_changes", "audience_members", "audience_sizes", "audiences", "contacts", "export_changes", "export_snapshots"}},
		{tables: []string{"profiles"}, columns: []string{"profile_id", "consent", "country", "deleted", "version"}},
		{tables: []string{"identifiers"}, columns: []string{"identifier_id", "namespace", "profile_id", "quarantined"}},
		{tables: []string{"commits"}, columns: []string{"pipeline", "batch"}},
		{tables: []string{"export_changes", "export_snapshots"}, verb: "INSERT"},
	}},
	{suffix: "contacts", grants: []grant{{tables: []string{"contacts_clear"}}}},
}

// closed are the tables that no role but those which name them reads: how Seamline keeps itself.
var closed = []string{"contacts", "contacts_clear", "export_changes", "export_snapshots", "schema_migrations", "squash_points", "state_backups"}

// name gives the role's name in a database.
func (r *role) name(database string) string { return database + "_" + r.suffix }

// privileges writes what a GRANT gives, for the columns that the tables have now. Tables that are not there are left out.
func (r *role) privileges(database string, columns map[string][]string) string {
	var parts []string
	if r.global != "" {
		parts = append(parts, r.global+" ON *.*")
	}
	for _, g := range r.grants {
		verb := g.verb
		if verb == "" {
			verb = "SELECT"
		}
		for _, table := range g.tables {
			if columns[table] == nil {
				continue
			}
			list := ""
			if g.columns != nil {
				list = "(" + strings.Join(g.columns, ", ") + ")"
			} else if g.but != nil {
				left := slices.DeleteFunc(slices.Clone(columns[table]), func(c string) bool { return slices.Contains(g.but, c) })
				list = "(" + strings.Join(left, ", ") + ")"
			}
			parts = append(parts, fmt.Sprintf("%s%s ON %s.%s", verb, list, database, table))
		}
	}
	return strings.Join(parts, ", ")
}

// statements make a role what it should be, whatever it was. What narrows it comes before what it is granted, so that a failure half way
// leaves a role that may read nothing, and the policy for all others before that of the role, so that nobody is left without rows.
func (r *role) statements(cfg *Config, columns map[string][]string, settings []string) []string {
	onCluster := ""
	if cfg.Cluster != "" {
		onCluster = " ON CLUSTER `" + cfg.Cluster + "`"
	}
	name := r.name(cfg.Database)
	all := []string{"CREATE ROLE IF NOT EXISTS " + name + onCluster}
	for _, f := range r.filters {
		policy := func(of, condition, to string) string {
			return fmt.Sprintf("CREATE ROW POLICY OR REPLACE %s%s ON %s.%s USING %s TO %s", of, onCluster, cfg.Database, f.table, condition, to)
		}
		all = append(all, policy(name+"_not", "1", "ALL EXCEPT "+name), policy(name, f.condition, name))
	}
	var ones []string
	for _, setting := range r.ones {
		if slices.Contains(settings, setting) {
			ones = append(ones, setting+" = 1 CONST")
		}
	}
	if len(ones) > 0 {
		all = append(all, "ALTER ROLE "+name+onCluster+" SETTINGS "+strings.Join(ones, ", "))
	}
	return append(all, "GRANT"+onCluster+" "+r.privileges(cfg.Database, columns)+" TO "+name+" WITH REPLACE OPTION")
}

// The settings that let filters look at the newest row of a person only: what was true before must not let that row through, nor hide it.
const (
	settingFinal = "final"
	afterFinal   = "apply_row_policy_after_final"
)

// The values of clickhouse.roles.
const (
	rolesAuto = "auto"
	rolesOn   = "on"
	rolesOff  = "off"
)

// unmanaged are the answers of a server that keeps no roles, or does not let this user make any.
var unmanaged = []proto.Error{proto.ErrAccessDenied, accessStorageReadonly, accessStorageMissing}

const (
	accessStorageReadonly proto.Error = 495
	accessStorageMissing  proto.Error = 514
)

// grantRoles makes the roles, where the settings want them and the server can.
func (m *migrator) grantRoles(ctx context.Context) error {
	if m.cfg.Roles == rolesOff {
		return nil
	}
	columns, settings, err := m.readable(ctx)
	if err != nil {
		return err
	}
	var names []string
	for i := range roles {
		names = append(names, roles[i].name(m.cfg.Database))
		for _, sql := range roles[i].statements(&m.cfg, columns, settings) {
			err := m.conn.Exec(ctx, sql)
			if err == nil {
				continue
			}
			if code, ok := answer(err); m.cfg.Roles == rolesAuto && ok && slices.Contains(unmanaged, code) {
				m.log.Info("roles for analysts, marketers and exports are not made: the server keeps none, or the user may not make them; "+
					"set clickhouse.roles to off where that is meant", "user", m.cfg.User, "role", names[i], "err", err)
				return nil
			}
			return fmt.Errorf("role %s: %w", names[i], err)
		}
	}
	m.log.Debug("roles are as they should be", "roles", strings.Join(names, ", "))
	return nil
}

// readable gives the columns of every table, view and dictionary, and which of the settings of roles the server has.
func (m *migrator) readable(ctx context.Context) (columns map[string][]string, settings []string, err error) {
	columns = map[string][]string{}
	err = m.pairs(ctx, "SELECT table, name FROM system.columns WHERE database = "+quote(m.cfg.Database)+" ORDER BY table, position",
		func(table, name string) { columns[table] = append(columns[table], name) })
	if err != nil {
		return nil, nil, fmt.Errorf("read the columns: %w", err)
	}
	err = m.pairs(ctx, "SELECT name, '' FROM system.settings WHERE name IN ("+quote(settingFinal)+", "+quote(afterFinal)+")",
		func(name, _ string) { settings = append(settings, name) })
	if err != nil {
		return nil, nil, fmt.Errorf("look for settings: %w", err)
	}
	return columns, settings, nil
}

// pairs calls found for each row of two texts.
func (m *migrator) pairs(ctx context.Context, sql string, found func(first, second string)) error {
	rows, err := m.conn.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var first, second string
		if err := rows.Scan(&first, &second); err != nil {
			return err
		}
		found(first, second)
	}
	return rows.Err()
}
