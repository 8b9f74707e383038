package stitch

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Hash gives what stands in the column value_hash of identifiers for a value as producers or operators write it: the first bytes of the
// HMAC of its normalised form under the installation's key. It gives false for values that name nobody: of the wrong form, or placeholders.
// Goroutines may call it.
func (r *Rules) Hash(key []byte, namespace, value string) (hash [16]byte, ok bool) {
	ns := r.look(namespace)
	value, ok = normalise(ns.Normalise, value, r.Region)
	if !ok || r.isBlocked(ns, value) {
		return hash, false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	copy(hash[:], mac.Sum(nil))
	return hash, true
}
