package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// identity: the names are those of the records, and two names belong to one profile exactly where records connect them.
func (c *checker) identity() error {
	rows, err := c.rows("SELECT concat(namespace, ' ', lower(hex(value_hash))), toString(profile_id) FROM identifiers FINAL WHERE namespace IN ('user_id', 'email', 'loyalty_id', 'anonymous_id')")
	if err != nil {
		return err
	}
	profile := map[string]string{}
	for _, row := range rows {
		profile[row[0]] = row[1]
	}
	persons := map[string]string{} // representative by profile
	for name := range c.oracle.persons {
		namespace, value, _ := strings.Cut(name, ":")
		key := namespace + " " + hash(value)
		got := profile[key]
		delete(profile, key)
		who := c.oracle.find(name)
		if got == "" {
			c.say("identity: %s is not in identifiers", name)
		} else if persons[got] != "" && persons[got] != who {
			c.say("identity: profile %s is %s and %s", got, persons[got], who)
		}
		persons[got] = who
	}
	for key := range profile {
		c.say("identity: identifiers has %s, which no record names", key)
	}
	counted := map[string]string{}
	for id, who := range persons {
		if counted[who] != "" {
			c.say("identity: %s is profile %s and profile %s", who, counted[who], id)
		}
		counted[who] = id
	}
	return c.belonging(persons)
}

// belonging: every event belongs to the profile of its names, after all merges.
func (c *checker) belonging(persons map[string]string) error {
	rows, err := c.rows(resolved + `SELECT concat(kafka_topic, '/', toString(kafka_partition), '/', toString(kafka_offset), '/', toString(element)),
		toString(if(mapContains(aliases, profile_id), aliases[profile_id], profile_id)) FROM ` + c.from("events"))
	if err != nil {
		return err
	}
	who := map[string]string{}
	for key, places := range c.oracle.places {
		for _, place := range places {
			who[place] = c.oracle.find(c.oracle.events[key].names[0])
		}
	}
	for _, row := range rows {
		if persons[row[1]] != who[row[0]] {
			c.say("identity: the event at %s belongs to %q by its profile %s, and to %q by its names", row[0], persons[row[1]], row[1], who[row[0]])
		}
	}
	return nil
}

// profiles: there is one for each person, with the figures that the records give.
func (c *checker) profiles() error {
	names := slices.Sorted(maps.Keys(figureColumns))
	var columns []string
	for _, name := range names {
		columns = append(columns, "toString("+figureColumns[name]+")")
	}
	rows, err := c.rows("SELECT arrayJoin(ids), " + strings.Join(columns, ", ") + ` FROM profiles FINAL
		LEFT JOIN (SELECT profile_id, groupArray(concat(namespace, ' ', lower(hex(value_hash)))) AS ids FROM identifiers FINAL GROUP BY profile_id) AS names USING (profile_id)`)
	if err != nil {
		return err
	}
	byName := map[string][]string{}
	for _, row := range rows {
		byName[row[0]] = row[1:]
	}
	for who, p := range c.oracle.figures {
		namespace, value, _ := strings.Cut(who, ":")
		row := byName[namespace+" "+hash(value)]
		if row == nil {
			c.say("profiles: there is none for %s", who)
			continue
		}
		for i, name := range names {
			if want := fmt.Sprint(p.figure(name)); row[i] != want {
				c.say("profiles: %s of %s is %s, want %s", name, who, row[i], want)
			}
		}
	}
	count, err := c.rows("SELECT toString(count()), toString(countIf(profile_id IN (SELECT alias_id FROM profile_aliases FINAL))) FROM profiles FINAL")
	if err != nil {
		return err
	}
	if want := fmt.Sprint(len(c.oracle.figures)); count[0][0] != want || count[0][1] != "0" {
		c.say("profiles: there are %s, of which %s are merged away; want %s and none", count[0][0], count[0][1], want)
	}
	return nil
}

// audienceDefinitions are the rules of crowdAudiences in SQL over profiles.
var audienceDefinitions = map[string]string{
	"repeat_buyers": "orders >= 2",
	"big_spenders":  "revenue > 25",
	"fresh_buyers":  "toUnixTimestamp64Milli(last_order) > 0 AND toUnixTimestamp64Milli(last_order) + 2400000 > %[1]d",
	"idle_carts":    "cart_quantity > 0 AND toUnixTimestamp64Milli(cart_updated) > 0 AND toUnixTimestamp64Milli(cart_updated) + 1200000 <= %[1]d",
}

// audiences: the members are those whose profile meets the definition.
func (c *checker) audiences() error {
	clock := c.clock
	if clock.IsZero() {
		clock = c.oracle.latest
	}
	for _, name := range slices.Sorted(maps.Keys(audienceDefinitions)) {
		definition := audienceDefinitions[name]
		if strings.Contains(definition, "%") {
			definition = fmt.Sprintf(definition, clock.UnixMilli())
		}
		rows, err := c.rows(fmt.Sprintf(`SELECT toString(profile_id), if(sum(side) = 1, 'meets the definition and is no member', 'is a member and does not meet the definition') FROM (
			SELECT profile_id, 1 AS side FROM profiles FINAL WHERE %s UNION ALL SELECT profile_id, -1 FROM audience_members FINAL WHERE audience = '%s' AND member
			) GROUP BY profile_id HAVING sum(side) != 0 ORDER BY 1`, definition, name))
		if err != nil {
			return err
		}
		for _, row := range rows {
			c.say("audiences: %s: profile %s %s at %s", name, row[0], row[1], clock.Format("2006-01-02T15:04:05.000"))
		}
	}
	return nil
}

// changes: they are numbered without gaps, a person enters before leaving and leaves before entering again, and the last change is what
// the members say.
func (c *checker) changes() error {
	rows, err := c.rows(`SELECT toString(audience), toString(sequence), toString(profile_id), toString(change) FROM ` + c.from("audience_changes") + ` ORDER BY audience, sequence`)
	if err != nil {
		return err
	}
	next, last := map[string]int{}, map[string]string{}
	for _, row := range rows {
		next[row[0]]++
		if row[1] != fmt.Sprint(next[row[0]]) {
			c.say("audience_changes: number %s of %s stands where number %d is due", row[1], row[0], next[row[0]])
		}
		key := row[0] + " " + row[2]
		if last[key] == row[3] || last[key] == "" && row[3] != "enter" {
			c.say("audience_changes: number %s: %s after %q of %s", row[1], row[3], last[key], key)
		}
		last[key] = row[3]
	}
	members, err := c.rows("SELECT concat(audience, ' ', toString(profile_id)), if(member, 'enter', 'exit') FROM audience_members FINAL")
	if err != nil {
		return err
	}
	for _, row := range members {
		if last[row[0]] != row[1] {
			c.say("audience_members: %s: the last change is %q, want %q", row[0], last[row[0]], row[1])
		}
		delete(last, row[0])
	}
	for key := range last {
		c.say("audience_members: %s is not there, and has changes", key)
	}
	return nil
}

// positions: the identity log and the identifiers are numbered from 1 without gaps.
func (c *checker) positions() error {
	for _, q := range [][2]string{{"identity_log", "position"}, {"identifiers", "identifier_id"}} {
		table := c.from(q[0])
		if q[0] == "identifiers" {
			table = "identifiers FINAL" // a row is written again whenever it changes
		}
		rows, err := c.rows(fmt.Sprintf("SELECT toString(count()), toString(uniqExact(%[1]s)), toString(min(%[1]s)), toString(max(%[1]s)) FROM %[2]s", q[1], table))
		if err != nil {
			return err
		}
		if r := rows[0]; r[0] != r[1] || r[0] != r[3] || r[2] != "1" && r[0] != "0" {
			c.say("%s: %s rows with %s numbers from %s to %s", q[0], r[0], r[1], r[2], r[3])
		}
	}
	// A merge is in the log, and its alias in profile_aliases.
	rows, err := c.rows(`SELECT toString(count()) FROM (SELECT other_profile_id AS id, 1 AS side FROM identity_log FINAL WHERE kind = 'merged'
		UNION ALL SELECT alias_id, -1 FROM profile_aliases FINAL) GROUP BY id HAVING sum(side) != 0`)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		c.say("identity_log: %d merges differ from profile_aliases", len(rows))
	}
	return nil
}

// commits: batches are numbered without gaps, each begins where the one before ended, and the last ends where the topics do.
func (c *checker) commits() error {
	rows, err := c.rows("SELECT toString(count()), toString(uniqExact(batch)), toString(min(batch)), toString(max(batch)) FROM " + c.from("commits"))
	if err != nil {
		return err
	}
	if r := rows[0]; r[0] != r[1] || r[0] != r[3] || r[2] != "1" {
		c.say("commits: %s rows with %s numbers from %s to %s", r[0], r[1], r[2], r[3])
	}
	rows, err = c.rows(`SELECT concat(topic, '/', toString(partition)) AS place, toString(since), toString(upto), toString(batch) FROM commits FINAL
		ARRAY JOIN topics AS topic, partitions AS partition, offsets_from AS since, offsets_to AS upto ORDER BY place, batch`)
	if err != nil {
		return err
	}
	reached := map[string]string{}
	for _, row := range rows {
		if before := reached[row[0]]; before != row[1] && (before != "" || row[1] != "0") {
			c.say("commits: batch %s begins at offset %s of %s, where %q is due", row[3], row[1], row[0], before)
		}
		reached[row[0]] = row[2]
	}
	for place, end := range c.oracle.ends {
		if reached[place] != fmt.Sprint(end) {
			c.say("commits: %s is processed up to %q, and ends at %d", place, reached[place], end)
		}
	}
	return nil
}
