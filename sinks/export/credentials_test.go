package export

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// door makes a door of credentials, with a clock that a test may move.
func door(t *testing.T, all ...Credential) (*Door, *time.Time) {
	t.Helper()
	now := start0
	text, err := yaml.Marshal(map[string]any{"credentials": all})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "credentials.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	d := NewDoor(path, func() time.Time { return now })
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	return d, &now
}

func secretOf(t *testing.T, kind string) (string, Secret) {
	t.Helper()
	private, s, err := NewSecret(kind)
	if err != nil {
		t.Fatal(err)
	}
	return private, s
}

func TestDoor(t *testing.T) {
	t.Parallel()
	password, first := secretOf(t, KindBasic)
	renewed, second := secretOf(t, KindBasic)
	token, third := secretOf(t, KindBearer)
	first.NotAfter = start0.Add(time.Hour)
	of := []string{"lapsed_*"}
	d, now := door(t, Credential{Name: "google", Kind: KindBasic, Audiences: of, Platforms: []string{"google"}, Secrets: []Secret{first, second}},
		Credential{Name: "etl", Kind: KindBearer, Audiences: of, Platforms: []string{"generic", "meta"}, Secrets: []Secret{third}, Rate: 60, Burst: 2})
	basic := func(name, password, want string) {
		t.Helper()
		c, err := d.Password(name, password)
		if err != nil || (c == nil) != (want == "") || c != nil && c.Name != want {
			t.Errorf("%s with %.4s is %v, want %q: %v", name, password, c, want, err)
		}
	}
	basic("google", password, "google")
	basic("google", renewed, "google")
	basic("google", password+"x", "")
	basic("google", "", "")
	basic("goggle", password, "")
	basic("", "", "")
	basic("etl", token, "") // it is no password
	*now = start0.Add(time.Hour)
	basic("google", password, "")
	basic("google", renewed, "google")
	c, err := d.Token(token)
	if err != nil || c == nil || c.Name != "etl" {
		t.Fatalf("the token is %v: %v", c, err)
	}
	for _, wrong := range []string{"", password, token[1:], strings.ToLower(token)} {
		if c, _ := d.Token(wrong); c != nil {
			t.Errorf("%.4s is %s", wrong, c.Name)
		}
	}
	if !c.Allows(List{"lapsed_90d", "meta"}) || c.Allows(List{"lapsed_90d", "google"}) || c.Allows(List{"vip", "meta"}) {
		t.Error("the credential is for other lists than it says")
	}
	for i, want := range []bool{true, true, false} {
		wait, ok := d.Room(c)
		if ok != want || !ok && (wait <= 0 || wait > time.Second) {
			t.Errorf("request %d: %t after %s", i, ok, wait)
		}
	}
	*now = now.Add(time.Second)
	if _, ok := d.Room(c); !ok {
		t.Error("after a second there is no room")
	}
}

func TestSignedURLs(t *testing.T) {
	t.Parallel()
	private, public := secretOf(t, KindSigned)
	key, err := ParsePrivateKey(private + "\n")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := secretOf(t, KindSigned)
	stranger, _ := ParsePrivateKey(other)
	d, now := door(t, Credential{Name: "partner", Kind: KindSigned, Audiences: []string{"*"}, Platforms: []string{"meta"}, Secrets: []Secret{public}})
	const path = "/v1/audiences/lapsed/export/meta.csv"
	f := func(path, query string, want bool) {
		t.Helper()
		exp, sig, _ := strings.Cut(strings.TrimPrefix(query, "exp="), "&sig=")
		c, err := d.Signed(path, exp, sig)
		if err != nil || (c != nil) != want {
			t.Errorf("%s?%s is let in: %t, want %t: %v", path, query, c != nil, want, err)
		}
	}
	good := Sign(key, path, now.Add(time.Hour))
	f(path, good, true)
	f(path+".gz", good, false)
	f(path, Sign(stranger, path, now.Add(time.Hour)), false)
	f(path, strings.Replace(good, "exp=1", "exp=2", 1), false)
	f(path, good[:len(good)-1], false)
	f(path, good+"A", false)
	f(path, "exp=&sig=", false)
	f(path, Sign(key, path, now.Add(367*24*time.Hour)), false)
	*now = now.Add(time.Hour)
	f(path, good, false)
	for _, text := range []string{"", "x", public.PublicKey[:20]} {
		if _, err := ParsePrivateKey(text); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}

func TestCredentialsAreChecked(t *testing.T) {
	t.Parallel()
	const good = "credentials:\n  - name: etl\n    kind: bearer\n    audiences: [lapsed]\n    platforms: [meta]\n    secrets:\n      - sha256: 0000000000000000000000000000000000000000000000000000000000000000\n"
	f := func(text, want string) {
		t.Helper()
		_, err := ParseCredentials([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\ngives %v, want %q", text, err, want)
		}
	}
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	f(good, "")
	f(edit("bearer", "magic"), `kind "magic"`)
	f(edit("etl", "a b"), "its name")
	f(edit("[lapsed]", "[]"), "name what it is for")
	f(edit("[lapsed]", "['[']"), "syntax error in pattern")
	f(edit("sha256: 0", "sha256: "), "64 hex digits")
	f(edit("sha256", "password"), "field password not found")
	f(edit("bearer", "signed"), "public_key")
	f(good+strings.TrimPrefix(good, "credentials:\n"), "stands twice")
	secret := "      - sha256: 0000000000000000000000000000000000000000000000000000000000000000\n"
	f(good+secret, "")
	f(good+secret+secret, "3 secrets")
}

// TestDoorReadsAgain: a file that changes counts at once, and one that cannot be read lets nobody in.
func TestDoorReadsAgain(t *testing.T) {
	t.Parallel()
	token, s := secretOf(t, KindBearer)
	d, _ := door(t, Credential{Name: "etl", Kind: KindBearer, Audiences: []string{"*"}, Platforms: []string{"meta"}, Secrets: []Secret{s}})
	if c, err := d.Token(token); c == nil || err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.path, []byte("credentials: [x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := d.Token(token); c != nil || err == nil {
		t.Errorf("a damaged file lets in %v: %v", c, err)
	}
	if err := os.Remove(d.path); err != nil {
		t.Fatal(err)
	}
	if c, err := d.Token(token); c != nil || err == nil {
		t.Errorf("a missing file lets in %v: %v", c, err)
	}
}
