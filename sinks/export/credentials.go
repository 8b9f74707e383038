package export

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"gopkg.in/yaml.v3"
)

// Kinds of credentials.
const (
	KindBasic  = "basic"
	KindBearer = "bearer"
	KindSigned = "signed"
)

// secretsMax is how many secrets a credential may have: the one in use, and the one that takes its place.
const secretsMax = 2

// Secret is what proves a credential. The file holds nothing that would do for a request: hashes of random secrets, and public keys.
type Secret struct {
	SHA256    string    `yaml:"sha256,omitempty"`     // of the password or token, in hex
	PublicKey string    `yaml:"public_key,omitempty"` // ed25519, in base64: of signed URLs
	NotAfter  time.Time `yaml:"not_after,omitempty"`  // zero for no end
	sum       [32]byte
	key       ed25519.PublicKey
}

// Credential says who may pull what.
type Credential struct {
	Name      string   `yaml:"name"`
	Kind      string   `yaml:"kind"`
	Audiences []string `yaml:"audiences"` // names or patterns
	Platforms []string `yaml:"platforms"`
	Rate      float64  `yaml:"rate,omitempty"`  // requests per minute; 0 for the default
	Burst     int      `yaml:"burst,omitempty"` // requests at once; 0 for the default
	Secrets   []Secret `yaml:"secrets"`
}

// Limits of requests where a credential names none.
const (
	rateDefault  = 120
	burstDefault = 30
)

// Allows tells whether a credential is for a list.
func (c *Credential) Allows(l List) bool {
	return slices.Contains(c.Platforms, l.Platform) && c.Sees(l.Audience)
}

// Sees tells whether a credential is for an audience, whatever the platform.
func (c *Credential) Sees(audience string) bool {
	return slices.ContainsFunc(c.Audiences, func(p string) bool { is, _ := path.Match(p, audience); return is })
}

// ParseCredentials reads the text of a file of credentials.
func ParseCredentials(text []byte) ([]*Credential, error) {
	var file struct {
		Credentials []*Credential `yaml:"credentials"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for i, c := range file.Credentials {
		if c == nil || !credentialName.MatchString(c.Name) {
			return nil, fmt.Errorf("credential %d: its name must be letters, digits, dots, hyphens and underscores", i+1)
		}
		if names[c.Name] {
			return nil, fmt.Errorf("credential %s stands twice", c.Name)
		}
		names[c.Name] = true
		if err := c.prepare(); err != nil {
			return nil, fmt.Errorf("credential %s: %w", c.Name, err)
		}
	}
	return file.Credentials, nil
}

var credentialName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (c *Credential) prepare() error {
	switch {
	case c.Kind != KindBasic && c.Kind != KindBearer && c.Kind != KindSigned:
		return fmt.Errorf("kind %q is none of basic, bearer, signed", c.Kind)
	case len(c.Audiences) == 0 || len(c.Platforms) == 0:
		return errors.New("audiences and platforms must name what it is for")
	case len(c.Secrets) == 0 || len(c.Secrets) > secretsMax:
		return fmt.Errorf("it has %d secrets; one is in use, and one may take its place", len(c.Secrets))
	case c.Rate < 0 || c.Burst < 0:
		return errors.New("rate and burst must not be negative")
	}
	for _, p := range c.Audiences {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("audience %q: %w", p, err)
		}
	}
	for i := range c.Secrets {
		s := &c.Secrets[i]
		if c.Kind == KindSigned {
			key, err := base64.StdEncoding.DecodeString(s.PublicKey)
			if err != nil || len(key) != ed25519.PublicKeySize || s.SHA256 != "" {
				return fmt.Errorf("secret %d needs public_key, 32 bytes in base64, and nothing else", i+1)
			}
			s.key = key
			continue
		}
		sum, err := hex.DecodeString(s.SHA256)
		if err != nil || len(sum) != sha256.Size || s.PublicKey != "" {
			return fmt.Errorf("secret %d needs sha256, 64 hex digits, and nothing else", i+1)
		}
		copy(s.sum[:], sum)
	}
	return nil
}

func (s *Secret) isValid(now time.Time) bool { return s.NotAfter.IsZero() || now.Before(s.NotAfter) }

// Door tells who a caller is. It reads the file of credentials again when that changes.
type Door struct {
	path  string
	clock func() time.Time

	mu       sync.Mutex // guards the following
	stamp    string     // of the file that was read
	all      []*Credential
	err      error
	limiters map[string]*rate.Limiter
}

// NewDoor makes a door for a file of credentials.
func NewDoor(path string, clock func() time.Time) *Door {
	return &Door{path: path, clock: clock, limiters: map[string]*rate.Limiter{}}
}

// CheckCredentials finds a file of credentials that cannot be used; an empty path is none.
func CheckCredentials(path string) error {
	if path == "" {
		return nil
	}
	return NewDoor(path, time.Now).Check()
}

// credentials gives those of the file. A file that cannot be read lets nobody in.
func (d *Door) credentials() ([]*Credential, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(d.path)
	if err != nil {
		return nil, fmt.Errorf("exports.credentials: %w", err)
	}
	stamp := fmt.Sprint(info.ModTime().UnixNano(), info.Size())
	if stamp == d.stamp {
		return d.all, d.err
	}
	text, err := os.ReadFile(d.path)
	if err != nil {
		return nil, fmt.Errorf("exports.credentials: %w", err)
	}
	d.stamp = stamp
	if d.all, d.err = ParseCredentials(text); d.err != nil {
		d.all, d.err = nil, fmt.Errorf("exports.credentials: %s: %w", d.path, d.err)
	}
	d.limiters = map[string]*rate.Limiter{}
	return d.all, d.err
}

// Check tells why the file cannot be used.
func (d *Door) Check() error {
	_, err := d.credentials()
	return err
}

// Password gives the credential of a name and password; nil for none. It looks at every credential in any case, so that the time it takes does
// not tell which names there are.
func (d *Door) Password(name, password string) (*Credential, error) {
	all, err := d.credentials()
	wanted := sha256.Sum256([]byte(name))
	return d.find(all, KindBasic, password, func(c *Credential) int {
		has := sha256.Sum256([]byte(c.Name))
		return subtle.ConstantTimeCompare(wanted[:], has[:])
	}), err
}

// Token gives the credential of a bearer token; nil for none.
func (d *Door) Token(token string) (*Credential, error) {
	all, err := d.credentials()
	return d.find(all, KindBearer, token, func(*Credential) int { return 1 }), err
}

func (d *Door) find(all []*Credential, kind, secret string, fits func(*Credential) int) (found *Credential) {
	sum, now := sha256.Sum256([]byte(secret)), d.clock()
	var nobody [32]byte
	_ = subtle.ConstantTimeCompare(sum[:], nobody[:]) // also where the file is empty
	for _, c := range all {
		if c.Kind != kind {
			continue
		}
		is := 0
		for i := range c.Secrets {
			valid := 0
			if c.Secrets[i].isValid(now) {
				valid = 1
			}
			is |= subtle.ConstantTimeCompare(sum[:], c.Secrets[i].sum[:]) & valid
		}
		if is&fits(c) == 1 {
			found = c
		}
	}
	return found
}

// Room takes one request of a credential's rate, or tells how long to wait.
func (d *Door) Room(c *Credential) (wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.limiters[c.Name]
	if l == nil {
		perMinute, burst := c.Rate, c.Burst
		if perMinute == 0 {
			perMinute = rateDefault
		}
		if burst == 0 {
			burst = burstDefault
		}
		l = rate.NewLimiter(rate.Limit(perMinute/60), burst)
		d.limiters[c.Name] = l
	}
	now := d.clock()
	if l.AllowN(now, 1) {
		return 0, true
	}
	reserved := l.ReserveN(now, 1)
	wait = reserved.DelayFrom(now)
	reserved.CancelAt(now)
	return wait, false
}

// Parts of signed URLs.
const (
	signedPurpose = "seamline signed url 1\n"
	keyIDBytes    = 8
	signedAtMost  = 366 * 24 * time.Hour // how far ahead exp may lie
)

// Sign gives the query of a signed URL for a path: whoever has it may GET the path, and nothing else, until then.
func Sign(key ed25519.PrivateKey, path string, until time.Time) string {
	exp := strconv.FormatInt(until.Unix(), 10)
	id := keyID(key.Public().(ed25519.PublicKey)) // which it always is
	signature := ed25519.Sign(key, signedText(path, exp))
	return "exp=" + exp + "&sig=" + base64.RawURLEncoding.EncodeToString(append(id, signature...))
}

func signedText(path, exp string) []byte { return []byte(signedPurpose + path + "\n" + exp) }

// keyID tells apart whose signature it is, so that one has to be checked.
func keyID(key ed25519.PublicKey) []byte {
	sum := sha256.Sum256(key)
	return sum[:keyIDBytes:keyIDBytes]
}

// Signed gives the credential that signed a path; nil for none, and where the time is over.
func (d *Door) Signed(path, exp, sig string) (*Credential, error) {
	all, err := d.credentials()
	text, failed := base64.RawURLEncoding.Strict().DecodeString(sig)
	seconds, wrong := strconv.ParseInt(exp, 10, 64)
	if err != nil || failed != nil || wrong != nil || len(text) != keyIDBytes+ed25519.SignatureSize {
		return nil, err
	}
	now := d.clock()
	if until := time.Unix(seconds, 0); !now.Before(until) || until.Sub(now) > signedAtMost {
		return nil, nil
	}
	for _, c := range all {
		for i := range c.Secrets {
			s := &c.Secrets[i]
			if c.Kind == KindSigned && s.isValid(now) && bytes.Equal(keyID(s.key), text[:keyIDBytes]) && ed25519.Verify(s.key, signedText(path, exp), text[keyIDBytes:]) {
				return c, nil
			}
		}
	}
	return nil, nil
}

// secretBytes is how much chance is in a secret: nobody guesses it, so that a plain SHA-256 is enough to keep it.
const secretBytes = 32

// NewSecret makes the secret of a new credential. What is private goes to who pulls or signs, and the Secret into the file.
func NewSecret(kind string) (private string, s Secret, err error) {
	switch kind {
	case KindBasic, KindBearer:
		private = base64.RawURLEncoding.EncodeToString(chance())
		sum := sha256.Sum256([]byte(private))
		return private, Secret{SHA256: checksum(sum[:])}, nil
	case KindSigned:
		seed := chance()
		key := ed25519.NewKeyFromSeed(seed)
		return base64.StdEncoding.EncodeToString(seed), Secret{PublicKey: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}, nil
	}
	return "", s, fmt.Errorf("kind %q is none of basic, bearer, signed", kind)
}

func chance() []byte {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // it never fails
	return b
}

// ParsePrivateKey reads the key that NewSecret gave for signed URLs.
func ParsePrivateKey(text string) (ed25519.PrivateKey, error) {
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("this is no private key of `seamline export credential --kind signed`")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
