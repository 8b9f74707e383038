package email

import "testing"

// hot are payloads of the kinds that make up most traffic.
var hot = []string{"sendgrid_array", "sendgrid_click", "sendgrid_bounce", "mailgun_opened", "mailgun_accepted", "mailgun_failed_permanent", "postmark_open",
	"postmark_delivery", "postmark_bounce_hard", "sns_open", "sns_delivery_several", "sns_bounce_several", "ses_delivery", "ses_open_machine",
	"brevo_delivered", "brevo_click", "brevo_custom_pipes", "customerio_opened", "customerio_sms_sent"}

func TestHotReportsUseNoMemory(t *testing.T) {
	for _, name := range hot {
		suite.Allocations(t, name, suite.Compact(t, name+".json"), 0)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"sendgrid_array", "mailgun_opened", "postmark_open", "sns_open", "ses_delivery", "brevo_delivered", "customerio_opened"} {
		b.Run(name, func(b *testing.B) { suite.Benchmark(b, suite.Compact(b, name+".json")) })
	}
}
