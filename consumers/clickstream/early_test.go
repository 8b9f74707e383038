package clickstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seamline/seamline/consumers/field"
)

// TestOrderOfMembers: what a call means does not depend on the order of its members, although properties are read before the rest of the
// call where that seems safe.
func TestOrderOfMembers(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	calls := 0
	for _, file := range suite.Files(t) {
		value := suite.Read(t, strings.TrimPrefix(file, suite.Folder+"/"))
		if !field.Valid(value) {
			continue
		}
		var members []string
		for o := field.ObjectOf(value); o.Next(); {
			members = append(members, string(field.AppendQuoted(nil, o.Key))+":"+string(o.Value))
		}
		want := ""
		for round := range 30 {
			got := outcome(t, []byte("{"+strings.Join(members, ",")+"}"))
			if round == 0 {
				want = got
			}
			if got != want {
				t.Fatalf("%s with its members as %s:\n got %s\nwant %s", file, members, got, want)
			}
			random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		}
		calls += min(len(members), 1)
	}
	if calls < 50 {
		t.Errorf("%d calls", calls)
	}
}

// outcome writes down what comes of a record, but for ids that are hashes of its bytes.
func outcome(t *testing.T, value []byte) string {
	var b strings.Builder
	out := suite.Decode(t, New(DefaultConfig()), value)
	for i := range out.Events {
		e := out.Events[i]
		e.Record = nil
		if strings.HasPrefix(e.ID, e.Source+"-") {
			e.ID = ""
		}
		fmt.Fprintf(&b, "%+v\n", e)
	}
	for _, r := range out.Rejects {
		fmt.Fprintln(&b, r.Element, r.Reason, r.Detail)
	}
	return b.String() + fmt.Sprint(out.Dropped)
}
