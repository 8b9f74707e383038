package field

import "testing"

func TestWords(t *testing.T) {
	t.Parallel()
	w := NewWords(map[uint8][]string{1: {"a", "order_id", "orderId", "name"}, 2: {"name", "engagement_time_msec"}})
	f := func(word string, want uint8) {
		t.Helper()
		if got := w.Of(word); got != want {
			t.Errorf("%q is %d, want %d", word, got, want)
		}
	}
	f("a", 1)
	f("order_id", 1)
	f("orderId", 1)
	f("name", 3)
	f("engagement_time_msec", 2)
	f("", 0)
	f("b", 0)
	f("Name", 0)
	f("order_ie", 0)
	f("engagement_time_mseconds", 0)
}
