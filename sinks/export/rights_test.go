package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
)

// pullerRights are those of the role for exports that migrate makes.
const pullerRights = `<clickhouse><users><puller><password>secret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota><grants>
  <query>GRANT SELECT ON shop.audience_changes, SELECT ON shop.audience_members, SELECT ON shop.audience_sizes, SELECT ON shop.audiences, SELECT ON shop.contacts, SELECT ON shop.export_changes, SELECT ON shop.export_snapshots</query>
  <query>GRANT SELECT(profile_id, consent, country, deleted, version) ON shop.profiles</query>
  <query>GRANT SELECT(identifier_id, namespace, profile_id, quarantined) ON shop.identifiers</query>
  <query>GRANT SELECT(pipeline, batch) ON shop.commits</query>
  <query>GRANT INSERT ON shop.export_changes, INSERT ON shop.export_snapshots</query>
</grants></puller></users></clickhouse>`

// TestRightsOfAPuller: a user who has the role for exports, and no other right, can make and follow lists.
func TestRightsOfAPuller(t *testing.T) {
	t.Parallel()
	localtest.ClickHouse(t) // so that the engine is there
	dir := filepath.Join(t.TempDir(), "data")
	overlay := filepath.Join(dir, "users.d", "puller.xml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(overlay), 0o700), os.WriteFile(overlay, []byte(pullerRights), 0o600)); err != nil {
		t.Fatal(err)
	}
	server, err := local.StartClickHouse(t.Context(), local.ClickHouseConfig{DataDir: dir, MemoryMaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	w := newWorldAt(t, server.Addr(), "shop")
	w.people(0, 20, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 20))
	w.commit()
	puller := w.db
	puller.User, puller.Password = "puller", "secret"
	if w.opt.Dial, err = puller.Dialer(); err != nil {
		t.Fatal(err)
	}
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.refresh(x, l)
	w.exit("lapsed", numbers(0, 2))
	w.commit()
	w.refresh(x, l)
	w.agree(x, l)
	if got := lines(w.list(x, l, FormatCSV)); got != 19 {
		t.Errorf("%d lines", got)
	}
	if err := exec(t.Context(), w.opt.Dial, "SELECT display FROM shop.identifiers"); err == nil || !strings.Contains(err.Error(), "Not enough privileges") {
		t.Errorf("the user reads what it must not, so that this test shows nothing: %v", err)
	}
}

// exec runs a statement without a result.
func exec(ctx context.Context, dial Dial, sql string) error {
	client, err := dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Do(ctx, ch.Query{Body: sql}); err != nil {
		return fmt.Errorf("%.60s: %w", sql, err)
	}
	return nil
}
