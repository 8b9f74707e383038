package stitch

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

func TestHash(t *testing.T) {
	t.Parallel()
	rules, key := DefaultRules(), []byte("secret")
	f := func(namespace, value, normalised string) {
		t.Helper()
		var want [16]byte
		if normalised != "" {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(normalised))
			copy(want[:], mac.Sum(nil))
		}
		got, ok := rules.Hash(key, namespace, value)
		if got != want || ok != (normalised != "") {
			t.Errorf("%s %q: got %x, %v; want %x", namespace, value, got, ok, want)
		}
	}
	f("email", " Customer-17@Example.com ", "customer-17@example.com")
	f("phone", "(202) 555-0117", "+12025550117")
	f("loyalty_id", "ab 12-3", "AB123")
	f("badge", " A7 ", "A7")
	f("email", "no address", "")
	f("email", "test@example.com", "")
	f("user_id", "undefined", "")
	f("user_id", "0000-0000", "")
	f("user_id", " ", "")
	if other, _ := rules.Hash([]byte("other"), "user_id", "u1"); func() bool { own, _ := rules.Hash(key, "user_id", "u1"); return own == other }() {
		t.Error("the key makes no difference")
	}
}
