package kafka

import (
	"errors"
	"testing"

	"github.com/seamline/seamline/deploy/local/localtest"
)

// TestCommand: commands stand one after the other in one partition of a topic that has several; without the topic nothing is made.
func TestCommand(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t, "seamline.identity")
	cfg := testConfig(k)
	first, _, err := Command(t.Context(), cfg, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for want := range int64(3) {
		partition, offset, err := Command(t.Context(), cfg, []byte("{}"))
		if err != nil || partition != first || offset != want+1 {
			t.Errorf("partition %d offset %d, error %v; want partition %d offset %d", partition, offset, err, first, want+1)
		}
	}
	cfg.Identity = "nowhere"
	if _, _, err := Command(t.Context(), cfg, []byte("{}")); !errors.Is(err, ErrNoTopic) || !IsMissing(err) {
		t.Errorf("without the topic: %v", err)
	}
}
