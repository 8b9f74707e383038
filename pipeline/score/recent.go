package score

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// moment is when a product was last looked at or bought, to the second.
type moment struct {
	sku uint32 // 0 for none
	at  uint32 // seconds since 1970
}

// recentMax is how many products a list of the latest holds: those with the latest times, so that the list is the same in any order.
const recentMax = 8

// recent is a list of different products, latest first.
type recent [recentMax]moment

// compareMoments orders by time; all lines of an order have the same, and go by their SKUs then: the numbers of those depend on which was
// met first.
func compareMoments(skus []string, a, b moment) int {
	if a.at != b.at {
		return cmp.Compare(b.at, a.at)
	}
	return strings.Compare(skus[b.sku], skus[a.sku])
}

// note adds a product to the list. It tells whether the list changed.
func (r *recent) note(skus []string, m moment) bool {
	i := slices.IndexFunc(r[:], func(o moment) bool { return o.sku == m.sku })
	if i >= 0 {
		if r[i].at >= m.at {
			return false
		}
	} else if i = recentMax - 1; r[i].sku != 0 && compareMoments(skus, r[i], m) < 0 {
		return false
	}
	for ; i > 0 && compareMoments(skus, m, r[i-1]) < 0; i-- {
		r[i] = r[i-1]
	}
	r[i] = m
	return true
}

// noteRecent adds a product to one of a leaf's lists.
func (s *Stage) noteRecent(list *uint32, sku uint32, t schemas.Time) bool {
	if *list == 0 {
		*list = s.recents.Append(recent{})
	}
	return s.recents.At(*list).note(s.skus.words, moment{sku: sku, at: uint32(max(0, t) / schemas.Second)})
}
