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
			if !strings.Contains(sql, " IF NOT EXISTS shop."+s.Name) && !altersAgain(sql) {
				t.Errorf("%s cannot run again, or names another thing:\n%.100s", s.Name, sql)
			}
			if got := strings.Contains(sql, "ON CLUSTER `c`"); got != (v.Cluster != "") {
				t.Errorf("%s for cluster %q:\n%.100s", s.Name, v.Cluster, sql)
			}
			if strings.Contains(sql, "MergeTree") && strings.Contains(sql, "ReplicatedReplacingMergeTree") != (v.Cluster != "") {
				t.Errorf("%s for cluster %q has the wrong engine", s.Name, v.Cluster)
			}
		}
		if sql := Aliases().Fill(v); strings.Contains(sql, "PASSWORD 'p'") != (v.Credentials != "") {
			t.Errorf("credentials %q give:\n%s", v.Credentials, sql)
		}
	}
}

// altersAgain tells whether an ALTER only adds what is not there.
func altersAgain(sql string) bool {
	return strings.HasPrefix(sql, "ALTER TABLE shop.") && strings.Count(sql, "ADD ") > 0 &&
		strings.Count(sql, "ADD ") == strings.Count(sql, " IF NOT EXISTS ")
}

func TestReleasedMigrationsStay(t *testing.T) {
	t.Parallel()
	for version, want := range map[uint32]string{1: "6137ce6a8f77659c19951e221d50dfa3065106fc97e078a1ef419d5c53188557"} {
		if got := Migrations()[version-1].Checksum(); got != want {
			t.Errorf("migration %d has checksum %s, and databases that it was applied to know it as %s", version, got, want)
		}
	}
}
