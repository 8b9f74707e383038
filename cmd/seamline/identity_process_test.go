package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// prompt runs lines of one command, with flags added to each.
type prompt struct {
	t       *testing.T
	command string
	flags   []string
}

// run gives what a line prints, and looks for parts of that.
func (p prompt) run(line string, wantCode int, parts ...string) string {
	p.t.Helper()
	out, errs, code := seamline(p.t, append(append([]string{p.command}, strings.Fields(line)...), p.flags...)...)
	for _, part := range parts {
		if !strings.Contains(out+errs, part) {
			p.t.Errorf("%s: %q is not in\n%s%s", line, part, out, errs)
		}
	}
	if code != wantCode {
		p.t.Errorf("%s: exit code %d, want %d\n%s%s", line, code, wantCode, out, errs)
	}
	return out
}

// TestIdentityCommandLine: the commands as operators type them, with what they print and their exit codes.
func TestIdentityCommandLine(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.publish(identifies(1, `"anonymousId":"phone"`), identifies(2, `"anonymousId":"laptop"`), identifies(3, `"anonymousId":"phone","userId":"u-1"`),
		identifies(4, `"anonymousId":"laptop","userId":"u-1"`))
	s.run(nil)
	k, c := &s.settings.Kafka, &s.settings.ClickHouse
	connect := []string{"--kafka.brokers", k.Brokers, "--kafka.topics.identity", k.Identity, "--kafka.topics.clickstream", k.Clickstream, "--kafka.topics.email", k.Email,
		"--kafka.topics.pos", k.POS, "--clickhouse.addr", c.Addr, "--clickhouse.database", c.Database, "--identity.key", s.settings.Identity.Key}
	f := prompt{t, "identity", connect}.run
	f("explain anonymous_id:phone anonymous_id:laptop", exitDone, "they are one person, by a chain of 2 links", "1. anonymous_id phone - user_id ***")
	f("explain anonymous_id:phone anonymous_id:laptop --as-of 2026-09-01T12:03:30Z", exitDone, "as of 2026-09-01T12:03:30.000Z: they are apart")
	f("explain anonymous_id:phone", exitDone, "anonymous_id phone: shared, identifier 1", "belongs to profile")
	out := f("explain --json anonymous_id:phone anonymous_id:laptop", exitDone)
	var answer struct {
		Together bool  `json:"together"`
		Chain    []any `json:"chain"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || !answer.Together || len(answer.Chain) != 2 {
		t.Errorf("as JSON: %v\n%s", err, out)
	}
	f("explain anonymous_id:phone user_id:u-8", exitFailed, "b (user_id) is unknown")
	f("explain", exitUsage, "needs 1 or 2 identifiers")
	f("explain phone", exitUsage, "NAMESPACE:VALUE")
	f("explain anonymous_id:phone --as-of yesterday", exitUsage, "RFC 3339")
	f("retract anonymous_id:phone user_id:u-1", exitUsage, "reason is missing")
	f("quarantine anonymous_id:phone --reason r --forbid", exitUsage, "forbid")
	f("quarantine anonymous_id:phone user_id:u-1 --reason r", exitUsage, "needs 1 identifier")
	f("frobnicate", exitUsage, "unknown command", "seamline identity retract")
	f("retract anonymous_id:phone anonymous_id:laptop --reason r", exitFailed, "there is no link between the two", "anonymous_id phone - user_id *** - anonymous_id laptop")
	f("retract anonymous_id:laptop user_id:u-1 --reason r --id ticket-7 --timeout 200ms", exitFailed, "nobody processes topic", "ticket-7")
	f("quarantine anonymous_id:phone --reason r --no-wait", exitDone, "was given")
	s.run(nil)
	f("retract anonymous_id:laptop user_id:u-1 --reason r --id ticket-7", exitDone, "retract ticket-7 was carried out", "profiles on their own again: 1", "aliases taken back: 1")
	f("release anonymous_id:laptop --reason r", exitFailed, "not quarantined")
	f("dry-run", exitUsage, "--rules is missing")
	f("dry-run --rules /nowhere", exitFailed, "--rules", "/nowhere")
	f("dry-run --rules "+rulesFile(t, "region: DE\n"), exitDone, "merges gained: 0", "merges lost: 0")
	f("dry-run --from log --rules "+rulesFile(t, "region: DE\n"), exitDone, "of the identity log twice")
}
