package tables

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

func all() []Statement {
	statements := []Statement{History()}
	for _, m := range Migrations() {
		statements = append(statements, m.Statements...)
	}
	return statements
}

func TestEveryFileIsUsedOnce(t *testing.T) {
	t.Parallel()
	used := map[string]int{}
	for _, s := range all() {
		used[s.Name+".sql"]++
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if used[name] != 1 {
			t.Errorf("%s is used %d times, want once", name, used[name])
		}
	}
	if len(names) != len(used) {
		t.Errorf("%d files and %d statements", len(names), len(used))
	}
}

func TestMigrationsAreNumberedFromOne(t *testing.T) {
	t.Parallel()
	checksums := map[string]bool{}
	for i, m := range Migrations() {
		if m.Version != uint32(i+1) || m.Name == "" || len(m.Statements) == 0 {
			t.Errorf("migration %d is %d %q with %d statements", i+1, m.Version, m.Name, len(m.Statements))
		}
		checksums[m.Checksum()] = true
	}
	if len(checksums) != len(Migrations()) {
		t.Error("two migrations have the same checksum")
	}
	changed := Migrations()[0]
	changed.Statements[0].SQL += " "
	if checksums[changed.Checksum()] {
		t.Error("an edited migration keeps its checksum")
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	place := regexp.MustCompile(`\{[a-z_]+\}`)
	for _, v := range []Values{{Database: "shop", Properties: "String"}, {Database: "shop", Properties: "JSON", Cluster: "c", Credentials: "USER 'u' PASSWORD 'p' "}} {
		for _, s := range all() {
			sql := s.Fill(v)
			if left := place.FindString(sql); left != "" {
				t.Errorf("%s: nobody fills %s", s.Name, left)
			}
			if !strings.Contains(sql, " IF NOT EXISTS shop."+s.Name) && !replaces(s, sql) && !altersAgain(sql) {
				t.Errorf("%s cannot run again, or names another thing:\n%.100s", s.Name, sql)
			}
			if got := strings.Contains(sql, "ON CLUSTER `c`"); got != (v.Cluster != "") {
				t.Errorf("%s for cluster %q:\n%.100s", s.Name, v.Cluster, sql)
			}
			if strings.Contains(sql, "MergeTree") && strings.Contains(sql, "ReplicatedReplacingMergeTree") != (v.Cluster != "") {
				t.Errorf("%s for cluster %q has the wrong engine", s.Name, v.Cluster)
			}
		}
		for _, s := range Dictionaries() {
			if sql := s.Fill(v); strings.Contains(sql, "PASSWORD 'p'") != (v.Credentials != "") {
				t.Errorf("credentials %q give:\n%s", v.Credentials, sql)
			}
		}
	}
}

// replaces tells whether a statement makes, takes away or puts something in the place of what has the first part of its name.
func replaces(s Statement, sql string) bool {
	for _, verb := range []string{"CREATE OR REPLACE VIEW", "CREATE DICTIONARY IF NOT EXISTS", "DROP DICTIONARY IF EXISTS"} {
		if rest, found := strings.CutPrefix(sql, verb+" shop."); found {
			return strings.HasPrefix(s.Name, strings.Fields(rest)[0]+"_")
		}
	}
	return false
}

// altersAgain tells whether an ALTER changes nothing the second time.
func altersAgain(sql string) bool {
	first, actions, isAlter := strings.Cut(sql, "\n")
	if !isAlter || !strings.HasPrefix(first, "ALTER TABLE shop.") {
		return false
	}
	for _, action := range strings.Split(actions, "\n") {
		action = strings.TrimSpace(action)
		isAgain := strings.HasPrefix(action, "MODIFY SETTING ") || strings.HasPrefix(action, "MATERIALIZE PROJECTION ") ||
			strings.HasPrefix(action, "ADD ") && strings.Contains(action, " IF NOT EXISTS ") ||
			strings.HasPrefix(action, "COMMENT COLUMN IF EXISTS ")
		if !isAgain {
			return false
		}
	}
	return true
}

func TestReleasedMigrationsStay(t *testing.T) {
	t.Parallel()
	for version, want := range map[uint32]string{1: "6137ce6a8f77659c19951e221d50dfa3065106fc97e078a1ef419d5c53188557",
		2: "2a3902180e0124590afd37e37b54bdbdc7b900b047bcabe4d52bd259598edd53",
		3: "fba346461267383da36cf4caf48bdcc5a6bfdaab38a48a5b28f63a7ed03cc1e0",
		4: "ef644102afab4245bfe7470b4750979e5cb0eaadd6081d6571a6d03426436a35"} {
		if got := Migrations()[version-1].Checksum(); got != want {
			t.Errorf("migration %d has checksum %s, and databases that it was applied to know it as %s", version, got, want)
		}
	}
}
