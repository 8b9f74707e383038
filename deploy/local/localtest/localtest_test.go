package localtest

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestTestsShareAServerAndNoData(t *testing.T) {
	t.Parallel()
	c := ClickHouse(t)
	if again := ClickHouse(t); again != c {
		t.Errorf("two servers, %s and %s", c.Addr(), again.Addr())
	}
	var name string
	t.Run("inner", func(t *testing.T) {
		name = Database(t)
		if other := Database(t); other == name {
			t.Errorf("two databases are %s", name)
		}
		for _, statement := range []string{
			"CREATE TABLE " + name + ".words (word String) ENGINE = MergeTree ORDER BY word",
			"INSERT INTO " + name + ".words VALUES ('mine')",
		} {
			if _, err := c.Query(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	})
	answer, err := c.Query(t.Context(), "SELECT count() FROM system.databases WHERE name = '"+name+"'")
	if err != nil || strings.TrimSpace(answer) != "0" {
		t.Errorf("after the test there are %s databases %s, %v", strings.TrimSpace(answer), name, err)
	}
}

func TestDatabaseNamesArePlain(t *testing.T) {
	t.Parallel()
	f := func(test, want string) {
		t.Helper()
		if got := databaseName(test, 7); got != want {
			t.Errorf("%q becomes %q, want %q", test, got, want)
		}
	}
	f("TestMoney", "testmoney_7")
	f("TestMoney/a b-ü", "testmoney_a_b___7")
	f("Test"+strings.Repeat("x", 100), "test"+strings.Repeat("x", 36)+"_7")
}

func TestABrokerIsOfOneTest(t *testing.T) {
	t.Parallel()
	a, b := Kafka(t, "clickstream"), Kafka(t)
	if a.Addr() == b.Addr() {
		t.Errorf("both on %s", a.Addr())
	}
	if a.Cluster().TopicInfo("clickstream") == nil || b.Cluster().TopicInfo("clickstream") != nil {
		t.Error("clickstream is not where it should be")
	}
}

const envInner = "SEAMLINE_LOCALTEST_INNER"

// TestInner is what TestNothingIsLeftBehind runs in another process.
func TestInner(t *testing.T) {
	if os.Getenv(envInner) == "" {
		t.Skip("only within TestNothingIsLeftBehind")
	}
	c := ClickHouse(t)
	t.Logf("pid=%d", c.PID())
	t.Logf("dir=%s.", c.DataDir())
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestInner$", "-test.v")
	cmd.Env = append(os.Environ(), envInner+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := regexp.MustCompile(`(?s)pid=(\d+).*dir=(\S+)\.\n`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("it says %s", out)
	}
	pid, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err = syscall.Kill(pid, 0); err == syscall.ESRCH {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != syscall.ESRCH {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	if _, err := os.Stat(string(found[2])); !os.IsNotExist(err) {
		t.Errorf("directory %s is still there: %v", found[2], err)
	}
}
