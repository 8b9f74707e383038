package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/sinks/clickhouse"
	"github.com/seamline/seamline/sinks/export"
)

// demo is one run of `seamline demo`.
type demo struct {
	shoppers int
	history  time.Duration
	rate     float64
	span     time.Duration // 0: until a signal
	seed     uint64
	token    string // with which lists can be pulled
	local    local.Config

	out      io.Writer
	terminal bool
	stack    *local.Stack
	settings settings
	registry *prometheus.Registry
	past     atomic.Int64 // records of the history, once all of them are sent
}

// Times of the demo.
const (
	demoTick        = time.Second
	demoPlainEvery  = 5  // ticks between counter lines where there is no terminal
	demoResultsAt   = 25 // ticks after which the first results are shown, at the latest
	demoSpanDefault = 45 * time.Second

	demoLiveLead     = 15 * time.Minute
	demoLiveShoppers = 120 // per record and second, so that nobody is busier than a person can be
)

func runDemo(ctx context.Context, args []string) error {
	d := &demo{out: os.Stdout, terminal: isTerminal(os.Stdout)}
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.IntVar(&d.shoppers, "shoppers", 1500, "simulated shoppers")
	fs.DurationVar(&d.history, "history", 14*24*time.Hour, "how far back their traffic begins")
	fs.Float64Var(&d.rate, "rate", 200, "records per second of live traffic once the history is in")
	fs.DurationVar(&d.span, "for", 0, "end by itself after this time; 0: until Ctrl-C on a terminal, else "+demoSpanDefault.String())
	fs.Uint64Var(&d.seed, "seed", 1, "seed of the simulation")
	httpAddr := fs.String("http.addr", "127.0.0.1:0", "address of health, readiness and metrics")
	localFlags(fs, &d.local)
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if d.span == 0 && !d.terminal {
		d.span = demoSpanDefault
	}
	d.settings = defaultSettings()
	d.settings.HTTPAddr = *httpAddr
	return d.run(ctx)
}

// run starts the parts, sends traffic, shows what comes of it, and stops the parts in reverse.
func (d *demo) run(ctx context.Context) error {
	if d.local.DataDir == "" {
		dir, err := os.MkdirTemp("", "seamline-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		d.local.DataDir = dir
	}
	fmt.Fprintln(d.out, "Seamline demo: simulated shoppers on web, app, e-mail and in shops; Kafka and ClickHouse embedded.")
	d.local.Progress = d.out
	stack, err := local.Start(ctx, d.local)
	if err != nil {
		return err
	}
	defer stack.Close()
	d.stack = stack
	a := stack.Addresses()
	fmt.Fprintf(d.out, "  Kafka       %s   (kfake, the in-process broker of franz-go)\n  ClickHouse  %s native, %s\n  data        %s\n", a.Kafka, a.ClickHouse, a.ClickHouseHTTP, a.DataDir)
	d.settings.Kafka.Brokers, d.settings.Kafka.CreateTopics = a.Kafka, true
	d.settings.ClickHouse.Addr = a.ClickHouse
	d.settings.StateDir = filepath.Join(a.DataDir, "state")
	d.settings.Identity.Key = "seamline demo"
	d.settings.Decode.BytesMax = 500_000 // small enough for the broker to take a larger one, which must be refused
	if err := d.credential(); err != nil {
		return err
	}
	if err := d.settings.validate(); err != nil {
		return err
	}
	return d.play(ctx)
}

// credential makes one with which all lists can be pulled while the demo runs.
func (d *demo) credential() error {
	token, secret, err := export.NewSecret(export.KindBearer)
	if err != nil {
		return err
	}
	c := export.Credential{Name: "demo", Kind: export.KindBearer, Audiences: []string{"*"}, Platforms: []string{"google", "meta", "generic"}, Secrets: []export.Secret{secret}}
	text, err := yaml.Marshal(map[string]any{"credentials": []export.Credential{c}})
	if err != nil {
		return err
	}
	d.token, d.settings.Exports.Credentials = token, filepath.Join(d.local.DataDir, "credentials.yaml")
	return os.WriteFile(d.settings.Exports.Credentials, text, 0o600)
}

// play runs pipeline and traffic side by side until the span ends, ctx does, or either fails.
func (d *demo) play(ctx context.Context) error {
	logFile, err := os.Create(filepath.Join(d.local.DataDir, "seamline.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := slog.New(slog.NewTextHandler(logFile, nil))
	d.registry = newRegistry()

	running, stopRunning := context.WithCancel(ctx)
	defer stopRunning()
	failed := make(chan error, 3)
	pipelineDone, trafficDone := make(chan struct{}), make(chan struct{})
	supervised, stopSupervising := context.WithCancel(context.WithoutCancel(ctx))
	supervisorDone := make(chan struct{})
	defer func() { stopSupervising(); <-supervisorDone }()
	go func() {
		defer close(supervisorDone)
		if err := supervise(supervised, d.stack, d.out); err != nil {
			failed <- err
		}
	}()
	httpAddr := make(chan string, 1)
	go func() {
		defer close(pipelineDone)
		failed <- runPipeline(running, &d.settings, runOptions{registry: d.registry, log: log, started: func(addr string) { httpAddr <- addr }})
	}()
	go func() {
		defer close(trafficDone)
		if err := d.traffic(running, log); err != nil {
			failed <- fmt.Errorf("traffic: %w", err)
		}
	}()
	err = d.watch(ctx, failed, httpAddr)
	stopRunning()
	<-trafficDone
	<-pipelineDone
	if err != nil {
		return fmt.Errorf("%w; the log is %s", err, d.keepLog(logFile.Name()))
	}
	fmt.Fprintln(d.out, "Stopped; everything read was committed.")
	return nil
}

// keepLog saves the log from a temporary data directory, so that a failure can be looked at.
func (d *demo) keepLog(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return path
	}
	kept := filepath.Join(os.TempDir(), "seamline-demo.log")
	if os.WriteFile(kept, text, 0o600) != nil {
		return path
	}
	return kept
}

// traffic sends the history flat out, and then what happens from now on, as it happens.
func (d *demo) traffic(ctx context.Context, log *slog.Logger) error {
	if err := ensureTopics(ctx, &d.settings, func(error) {}, log); err != nil {
		return ignoreEnd(ctx, err)
	}
	publisher, err := openPublisher(&d.settings.Kafka)
	if err != nil {
		return err
	}
	defer publisher.Close()
	now := time.Now().UTC()
	past := shoppers.DefaultConfig()
	past.Seed, past.Shoppers, past.Start, past.Duration = d.seed, d.shoppers, now.Add(-d.history), d.history
	past.MalformedShare, past.OversizeBytes, past.Feeds = 0.001, d.settings.Decode.BytesMax+1, true
	t := &traffic{kafka: &d.settings.Kafka, publisher: publisher, generator: shoppers.New(past), stamp: true, until: now}
	sent, err := t.send(ctx)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	d.past.Store(sent)
	live := past
	live.Seed, live.Shoppers, live.Duration = d.seed+1, max(d.shoppers, int(d.rate*demoLiveShoppers)), 24*time.Hour
	// They began a while ago, so that the traffic is at its rate from the first second.
	live.Start = time.Now().UTC().Add(-demoLiveLead)
	live = live.WithRate(d.rate)
	t = &traffic{kafka: &d.settings.Kafka, publisher: publisher, generator: shoppers.New(live), stamp: true, live: true, from: time.Now()}
	_, err = t.send(ctx)
	return ignoreEnd(ctx, err)
}

// ignoreEnd makes the end of ctx no failure.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// watch prints a line of counters every second and query results now and then.
func (d *demo) watch(ctx context.Context, failed <-chan error, httpAddr <-chan string) error {
	tick := time.NewTicker(demoTick)
	defer tick.Stop()
	var end <-chan time.Time
	if d.span > 0 {
		timer := time.NewTimer(d.span)
		defer timer.Stop()
		end = timer.C
		fmt.Fprintf(d.out, "Ends by itself after %s (--for); Ctrl-C ends it earlier.\n", d.span)
	} else {
		fmt.Fprintln(d.out, "Ctrl-C ends it.")
	}
	shown, addr, lastAt := false, "", 0
	var last counters
	for n := 1; ; n++ {
		select {
		case err := <-failed:
			d.line("")
			if err == nil && ctx.Err() == nil {
				err = errors.New("the pipeline ended")
			}
			return ignoreEnd(ctx, err)
		case <-ctx.Done():
			d.line("")
			return nil
		case <-end:
			d.line("")
			return d.results(context.WithoutCancel(ctx))
		case addr = <-httpAddr:
			fmt.Fprintf(d.out, "  HTTP        http://%s  /healthz /readyz /metrics\n", addr)
		case <-tick.C:
			c := d.count()
			if d.terminal || n%demoPlainEvery == 0 || last.records == 0 && c.records > 0 {
				d.line(c.line(last, float64(n-lastAt)*demoTick.Seconds()))
				last, lastAt = c, n
			}
			if past := d.past.Load(); !shown && (n >= demoResultsAt || past > 0 && c.durable >= float64(past)) {
				d.line("")
				shown = true
				if err := d.results(ctx); err != nil {
					return ignoreEnd(ctx, err)
				}
				d.goOn(addr)
			}
		}
	}
}

// line prints text, in place on a terminal. An empty text leaves the line that is being rewritten.
func (d *demo) line(text string) {
	switch {
	case d.terminal && text == "":
		fmt.Fprintln(d.out)
	case d.terminal:
		fmt.Fprintf(d.out, "\r\033[K%s", text)
	case text != "":
		fmt.Fprintln(d.out, text)
	}
}

// demoQuery is one question that the demo answers from ClickHouse.
type demoQuery struct{ title, sql string }

func demoQueries() []demoQuery {
	return []demoQuery{
		{"Customers across channels: the biggest spenders who use at least two",
			"SELECT substring(toString(profile_id), 1, 8) AS customer, stage, channels, orders, revenue, currency FROM customers WHERE length(channels) >= 2 AND orders > 0 ORDER BY revenue DESC, customer LIMIT 5"},
		{"Cart abandoners: an open cart, untouched for an hour, and no sale on any channel since",
			"SELECT substring(toString(c.profile_id), 1, 8) AS customer, m.since AS abandoned_at, c.cart_quantity AS items, c.cart_value AS value FROM audience_members AS m FINAL INNER JOIN customers AS c ON c.profile_id = m.profile_id WHERE m.audience = 'cart_abandoners' AND m.member ORDER BY value DESC, customer LIMIT 5"},
		{"The funnel: how far people have come",
			"SELECT stage, count() AS people, sum(orders) AS orders, sum(revenue) AS revenue FROM customers GROUP BY stage ORDER BY people DESC"},
		{"What is to be expected of the best customers, by models of all of them",
			"SELECT substring(toString(profile_id), 1, 8) AS customer, round(alive_now, 2) AS alive, round(expected_orders, 1) AS orders_in_90_days, lifetime_value, toString(toDate(next_order)) AS next_order, recommended_skus[1] AS recommended, round(discount_share, 2) AS discounts FROM customers WHERE orders > 0 ORDER BY lifetime_value DESC, customer LIMIT 5"},
		{"Products that are bought together",
			"SELECT sku_a, sku_b, together, round(lift, 1) AS lift, round(llr, 1) AS llr FROM sku_affinity WHERE kind = 'basket' ORDER BY llr DESC, sku_a, sku_b LIMIT 5"},
		{"Sold out: the products that most places have none of, by the latest stock that each has told",
			"SELECT sku, countIf(quantity = 0) AS sold_out_in, sum(quantity) AS pieces FROM stock FINAL GROUP BY sku ORDER BY sold_out_in DESC, sku LIMIT 5"},
		{"Satisfaction, as people answered",
			"SELECT survey, kind, count() AS answers, round(avg(score), 2) AS mean FROM survey_answers FINAL GROUP BY survey, kind ORDER BY survey"},
		{"Audiences", "SELECT audience, members, last_change FROM audience_sizes ORDER BY audience"},
		{"Why identities were joined or kept apart",
			"SELECT kind, a_namespace, b_namespace, rule, count() AS decisions FROM identity_log FINAL GROUP BY ALL ORDER BY decisions DESC LIMIT 6"},
		{"Refused records, none lost", "SELECT topic, reason, count() AS records FROM dead_letters FINAL GROUP BY ALL ORDER BY records DESC LIMIT 6"},
	}
}

// results prints the answers.
func (d *demo) results(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, q := range demoQueries() {
		columns, rows, err := clickhouse.Query(ctx, d.settings.ClickHouse, q.sql)
		if err != nil {
			return fmt.Errorf("query %q: %w", q.title, err)
		}
		fmt.Fprintf(d.out, "\n%s\n%s", q.title, table(columns, rows))
	}
	fmt.Fprintln(d.out)
	return nil
}

// goOn prints commands for looking further.
func (d *demo) goOn(httpAddr string) {
	a := d.stack.Addresses()
	host, port, _ := strings.Cut(a.ClickHouse, ":")
	fmt.Fprintf(d.out, `Go on while it runs:
  clickhouse client --host %s --port %s --database %s --query "SELECT * FROM customers LIMIT 3 FORMAT Vertical"
  curl '%s/?database=%s' --data-binary 'SELECT * FROM customers LIMIT 3 FORMAT Vertical'
  kcat -b %s -t %s -C -o beginning -c 3 -f '%%k %%h %%s\n'
  curl -H 'Authorization: Bearer %s' http://%s/v1/audiences
  curl -H 'Authorization: Bearer %s' http://%s/v1/audiences/social_seed_buyers/export/google.csv   # as Google would pull it; at first it says when to come again
  curl http://%s/metrics

`, host, port, d.settings.ClickHouse.Database, a.ClickHouseHTTP, d.settings.ClickHouse.Database, a.Kafka, d.settings.Kafka.Audiences, d.token, httpAddr, d.token, httpAddr, httpAddr)
}
