package pos

import "testing"

func TestReceiptsUseNoMemory(t *testing.T) {
	for _, name := range []string{"seamline_sale.json", "seamline_sale_anonymous_cash.json", "seamline_sale_numbers.json", "seamline_refund.json", "seamline_void.json",
		"seamline_array.json", "square_order_updated.json", "square_return.json", "square_exchange.json", "square_payment_updated.json", "square_refund_updated.json",
		"shopify_order_pos.json", "shopify_refund.json", "lightspeed_sale.json", "lightspeed_return.json"} {
		suite.Allocations(t, name, suite.Read(t, name), 0)
	}
	const form = "lightspeed_form.txt"
	suite.Allocations(t, form, suite.Read(t, form), 1) // the JSON without its escapes
}

func BenchmarkDecodeSeamline(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "seamline_sale.json"))
}

func BenchmarkDecodeSquare(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "square_order_updated.json"))
}

func BenchmarkDecodeShopify(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "shopify_order_pos.json"))
}

func BenchmarkDecodeLightspeed(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "lightspeed_sale.json"))
}

func BenchmarkDecodeLightspeedForm(b *testing.B) {
	suite.Benchmark(b, suite.Read(b, "lightspeed_form.txt"))
}

func BenchmarkDecodePOSLog(b *testing.B) { suite.Benchmark(b, suite.Read(b, "poslog_sale.xml")) }
