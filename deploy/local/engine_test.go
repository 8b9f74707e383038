package local

import (
	"bytes"
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestABinaryComesBeforeTheLibrary(t *testing.T) {
	t.Parallel()
	f := func(named string, onPath []string, want string) {
		t.Helper()
		engine, found, err := findBinary(named, func(name string) (string, error) {
			for _, path := range onPath {
				if strings.HasSuffix(path, "/"+name) || path == name {
					return path, nil
				}
			}
			return "", exec.ErrNotFound
		})
		switch {
		case want == "error":
			if err == nil || !strings.Contains(err.Error(), envBinary+" names "+named) {
				t.Errorf("%s of %v: error is %v", named, onPath, err)
			}
		case err != nil || found != (want != "") || engine.Path != want || (found && engine.Kind != Binary):
			t.Errorf("%s of %v: %+v, %t, %v, want %s", named, onPath, engine, found, err, want)
		}
	}
	f("", nil, "")
	f("", []string{"/bin/clickhouse"}, "/bin/clickhouse")
	f("", []string{"/bin/clickhouse-server"}, "/bin/clickhouse-server")
	f("", []string{"/bin/clickhouse-server", "/bin/clickhouse"}, "/bin/clickhouse")
	f("/opt/ch", []string{"/opt/ch", "/bin/clickhouse"}, "/opt/ch")
	f("/opt/ch", []string{"/bin/clickhouse"}, "error")
}

func TestReleasesArePinned(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"} {
		goos, goarch, _ := strings.Cut(at, "/")
		rel, err := releaseFor(goos, goarch)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(rel.spec(), "@chdb/lib-"+goos+"-") || !strings.HasSuffix(rel.spec(), "@"+libraryVersion) {
			t.Errorf("%s is %s", at, rel.spec())
		}
		if rel.integrity == "" {
			continue // ensure refuses such a release without a value from the user; TestWhatIsNotExactlyThePackageIsRefused.
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(rel.integrity, "sha512-"))
		if err != nil || len(sum) != 64 {
			t.Errorf("%s: %q is no sha512: %v", at, rel.integrity, err)
		}
	}
	if rel, err := releaseFor("linux", "amd64"); err != nil || rel.integrity == "" {
		t.Errorf("linux/amd64 has no pin: %v", err)
	}
	if _, err := releaseFor("plan9", "386"); err == nil || !strings.Contains(err.Error(), envBinary) {
		t.Errorf("error is %v", err)
	}
}

func TestProgressIsPlainOrRewritten(t *testing.T) {
	t.Parallel()
	var plain bytes.Buffer
	p := newProgress(&plain)
	p.say("begin")
	p.update("step", 1, 2)
	if got := plain.String(); got != "begin\n" {
		t.Errorf("an early update was printed: %q", got)
	}
	p.last = time.Now().Add(-time.Hour)
	p.update("step", 50e6, 200e6)
	p.last = time.Now().Add(-time.Hour)
	p.update("step", 60e6, 0)
	if got := plain.String(); got != "begin\nstep ... 25% (50 of 200 MB), 0 s\nstep ... 60 MB, 0 s\n" {
		t.Errorf("plain lines are %q", got)
	}
	var screen bytes.Buffer
	p = &progress{w: &screen, terminal: true, began: time.Now()}
	p.update("step", 1e6, 100e6)
	p.say("end")
	if got, want := screen.String(), "\rstep ... 1% (1 of 100 MB), 0 s\rend"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " \n") {
		t.Errorf("the terminal sees %q", got)
	}
	newProgress(nil).say("nobody reads this")
	newProgress(nil).update("nor this", 1, 2)
}
