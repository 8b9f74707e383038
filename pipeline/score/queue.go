package score

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// deadlines remembers what is to be looked at when a time has passed, by the minute. What falls due in one minute comes in the order of its
// keys, so that a queue that was made anew gives the same order.
type deadlines struct {
	minutes []int64 // sorted
	keys    map[int64][]uint64
	spare   [][]uint64
	newest  int64 // minute that was begun last
}

func newDeadlines() deadlines { return deadlines{keys: map[int64][]uint64{}} }

// minuteAfter is the first whole minute at or after a time.
func minuteAfter(t schemas.Time) int64 { return int64((t + schemas.Minute - 1) / schemas.Minute) }

// push puts a key under a time.
func (d *deadlines) push(key uint64, t schemas.Time) {
	m := minuteAfter(t)
	list, ok := d.keys[m]
	if !ok {
		i, _ := slices.BinarySearch(d.minutes, m)
		d.minutes = slices.Insert(d.minutes, i, m)
		if n := len(d.spare); n > 0 {
			list, d.spare = d.spare[n-1][:0], d.spare[:n-1]
		} else { // as long as that of the minute before became
			list = make([]uint64, 0, max(16, len(d.keys[d.newest])*9/8))
		}
		d.newest = m
	}
	d.keys[m] = append(list, key)
}

// isDue tells whether anything is due at a time.
func (d *deadlines) isDue(now schemas.Time) bool {
	return len(d.minutes) > 0 && d.minutes[0] <= int64(now/schemas.Minute)
}

// pass calls read for some keys whose time has come, and then due for each of them, minute by minute. Due gives when the key is to come again, in a later minute; 0 for
// never. What was put under an earlier time than its own, and what was put under its own at a start, thus come in the same order.
func (d *deadlines) pass(now schemas.Time, read func(keys []uint64), due func(key uint64, minute int64) schemas.Time) {
	for d.isDue(now) {
		m := d.minutes[0]
		d.minutes = slices.Delete(d.minutes, 0, 1)
		list := d.keys[m]
		delete(d.keys, m)
		slices.Sort(list)
		for i, key := range list {
			if i%aheadEvents == 0 {
				read(list[i:min(i+aheadEvents, len(list))])
			}
			if i > 0 && list[i-1] == key {
				continue
			}
			if again := due(key, m); again != 0 {
				d.push(key, again)
			}
		}
		d.spare = append(d.spare, list)
	}
}
