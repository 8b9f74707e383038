package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/sinks/export"
)

// TestExportSign: a URL that the command signs is let in by who holds the public key, until it ends.
func TestExportSign(t *testing.T) {
	t.Parallel()
	private, public, err := export.NewSecret(export.KindSigned)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	text := "credentials:\n  - {name: partner, kind: signed, audiences: ['*'], platforms: [meta], secrets: [{public_key: " + public.PublicKey + "}]}\n"
	credentials := filepath.Join(dir, "credentials.yaml")
	if err := errors.Join(os.WriteFile(file, []byte(private+"\n"), 0o600), os.WriteFile(credentials, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	const at = "https://shop.example.com/v1/audiences/lapsed/export/meta.csv"
	if err := exportSign(&out, []string{"--key-file", file, "--for", "1h", at}); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(strings.TrimSpace(out.String()))
	if err != nil || !strings.HasPrefix(out.String(), at+"?exp=") {
		t.Fatalf("got %s: %v", out.String(), err)
	}
	now := time.Now()
	door := export.NewDoor(credentials, func() time.Time { return now })
	if c, err := door.Signed(u.EscapedPath(), u.Query().Get("exp"), u.Query().Get("sig")); err != nil || c == nil || c.Name != "partner" {
		t.Errorf("the URL is of %v: %v", c, err)
	}
	now = now.Add(2 * time.Hour)
	if c, _ := door.Signed(u.EscapedPath(), u.Query().Get("exp"), u.Query().Get("sig")); c != nil {
		t.Error("the URL does not end")
	}
	for _, wrong := range [][]string{{at}, {"--key-file", file}, {"--key-file", file, "https://shop.example.com/elsewhere"}, {"--key-file", file, at + "?x=1"}, {"--key-file", credentials, at}} {
		if err := exportSign(io.Discard, wrong); err == nil {
			t.Errorf("%v is signed", wrong)
		}
	}
}

// TestExportCredential: what the command prints can stand in the file, and the secret stands nowhere in it.
func TestExportCredential(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{export.KindBasic, export.KindBearer, export.KindSigned} {
		var entry, secret bytes.Buffer
		if err := exportCredential(&entry, &secret, []string{"--name", "etl", "--kind", kind, "--audiences", "lapsed*,vip", "--platforms", "meta,generic", "--valid", "24h"}); err != nil {
			t.Fatal(err)
		}
		all, err := export.ParseCredentials([]byte("credentials:\n" + entry.String()))
		if err != nil || len(all) != 1 || all[0].Name != "etl" || !all[0].Allows(export.List{Audience: "lapsed_90d", Platform: "generic"}) || all[0].Secrets[0].NotAfter.IsZero() {
			t.Errorf("%s: %v\n%s", kind, err, entry.String())
		}
		private := regexp.MustCompile(`: (\S+)\n$`).FindStringSubmatch(secret.String())
		if len(private) != 2 || strings.Contains(entry.String(), private[1]) {
			t.Fatalf("%s: the secret is %q", kind, secret.String())
		}
		if chance, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(private[1]), "=")); err != nil || len(chance) != 32 {
			t.Errorf("%s: the secret has %d bytes: %v", kind, len(chance), err)
		}
	}
	for _, wrong := range [][]string{{}, {"--name", "etl", "--kind", "magic"}, {"--name", "etl", "--audiences", "*"}, {"--name", "e t l", "--audiences", "*", "--platforms", "meta"}} {
		if err := exportCredential(io.Discard, io.Discard, wrong); err == nil {
			t.Errorf("%v makes a credential", wrong)
		}
	}
}

// TestExportsPage: settings and platforms that the page names exist, and every platform stands there.
func TestExportsPage(t *testing.T) {
	t.Parallel()
	page, known := readDoc(t, "docs/exports.md"), readDoc(t, "docs/settings.md")
	for _, m := range regexp.MustCompile("`(exports\\.[a-z.-]+[a-z])`").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(known, "| `"+m[1]+"` |") {
			t.Errorf("there is no setting %s", m[1])
		}
	}
	platforms, err := export.ReadPlatforms("")
	if err != nil {
		t.Fatal(err)
	}
	for name := range platforms {
		if !strings.Contains(page, "\n| `"+name+"` | ") {
			t.Errorf("the page does not say what is in a list for %s", name)
		}
	}
	if strings.Count(page, "`EEA=deny") != 1 || !strings.Contains(page, "`"+export.DefaultConfig().Unset+"`") {
		t.Error("the page names another rule for people who never answered than the program has")
	}
}

// TestExportCredentialsAreChecked when the process starts: a file that lets nobody in is found out before somebody asks.
func TestExportCredentialsAreChecked(t *testing.T) {
	t.Parallel()
	var entry bytes.Buffer
	if err := exportCredential(&entry, io.Discard, []string{"--name", "etl", "--audiences", "*", "--platforms", "meta"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "credentials.yaml")
	f := func(text, want string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := defaultSettings()
		s.Exports.Credentials, s.Exports.Dir = path, t.TempDir()
		r := &pipelineRun{settings: &s, runOptions: runOptions{registry: newRegistry()}}
		err := r.openExports()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: a run starts with %v, want %q", text, err, want)
		}
		err = runCheck(t.Context(), []string{"--kafka.brokers", "127.0.0.1:9092", "--exports.credentials", path})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the check gives %v, want %q", text, err, want)
		}
	}
	f("credentials:\n"+entry.String(), "") // as docs/exports.md has it made
	f("credentials:\n", "")
	f(entry.String(), "exports.credentials")
	f("credentials:\n  - {name: etl}\n", "credential etl")
}
