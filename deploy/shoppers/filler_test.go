package shoppers

import "testing"

// TestFillers makes sure that each kind of made-up value is on records, that the truth lists it as nobody's, and that it is as rare as asked.
func TestFillers(t *testing.T) {
	t.Parallel()
	c := untidy(t)
	c.Shoppers, c.VisitsPerDay, c.PlaceholderShare = 600, 1, 0
	r, truth, _ := consume(t, c)
	listed := map[string]bool{}
	for _, id := range truth.Identifiers {
		if id.Owner == OwnerPlaceholder {
			listed[id.Namespace+" "+id.Value] = true
		}
	}
	kinds := map[string]int{}
	for id, n := range r.fillers {
		if id[len(id)-1] == ' ' {
			continue // an empty field
		}
		if !listed[id] {
			t.Errorf("truth does not list %q as a placeholder", id)
		}
		kinds[id] += n
	}
	for _, id := range []string{"email store-01@shop.example.com", "email x@x.example", "email none@none.com", "phone 0000000", "loyalty_id LC00STAFF01",
		"device_id 00000000-0000-0000-0000-000000000000"} {
		if kinds[id] == 0 {
			t.Errorf("no record has %s; those with fillers have %v", id, kinds)
		}
	}
	if share := float64(truth.Counts.Fillers) / float64(truth.Counts.Events); share == 0 || share > c.FillerShare {
		t.Errorf("%.4f of the events have a filler, want some and at most %v", share, c.FillerShare)
	}
}
