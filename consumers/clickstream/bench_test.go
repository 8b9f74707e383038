package clickstream

import "testing"

func TestHotCallsUseNoMemory(t *testing.T) {
	for _, name := range []string{"track_product_viewed", "track_product_added", "page", "screen", "track_custom", "rudderstack_track", "track_order_completed", "batch",
		"track_cart_viewed", "identify", "no_message_id", "track_custom_unicode"} {
		suite.Allocations(t, name, suite.Read(t, name+".json"), 0)
	}
}

func BenchmarkDecodeTrack(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "track_product_viewed.json"))
}

func BenchmarkDecodePage(b *testing.B) { suite.Benchmark(b, suite.Compact(b, "page.json")) }

func BenchmarkDecodeOrder(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "track_order_completed.json"))
}

func BenchmarkDecodeBatch(b *testing.B) { suite.Benchmark(b, suite.Compact(b, "batch.json")) }
