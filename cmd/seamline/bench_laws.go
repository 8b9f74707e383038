package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/schemas"
)

// Sizes of the scaling laws.
const (
	visits         = 360_000 // records over what is there, at each size
	visitsUnseen   = 120_000 // of them are not counted: what came before is still under way
	lawBatch       = "20000" // records, so that marks are near where they belong
	liveMemoryMax  = 12 << 30
	liveHeap       = 2 << 30 // of it, for all but the state
	liveMost       = 10_000_000
	liveGrowthMax  = 1.5
	identifiersPer = 4 // of one person, in the law of identifiers
)

// lawPlan is the sizes of a form.
type lawPlan struct {
	profiles, identifiers []int
	audiences, partitions []int
	late                  []float64
	shoppers              int
}

func (b *benchRun) lawPlan() lawPlan {
	if b.isShort {
		return lawPlan{profiles: []int{100_000, 300_000}, identifiers: []int{100_000, 400_000}, audiences: []int{10, 1000}, partitions: []int{1, 16},
			late: []float64{0, 0.2}, shoppers: 1000}
	}
	return lawPlan{profiles: []int{100_000, 300_000, 1_000_000, 3_000_000, liveMost}, identifiers: []int{100_000, 1_000_000, 4_000_000, 10_000_000},
		audiences: []int{10, 100, 1000, 10_000}, partitions: []int{1, 4, 16, 64}, late: []float64{0, 0.05, 0.2}, shoppers: 3000}
}

// laws measures how the cost of an event grows, with a sink that discards: none of this is ClickHouse's business.
func (b *benchRun) laws(ctx context.Context) error {
	plan := b.lawPlan()
	for _, law := range []func(context.Context, lawPlan) error{b.lawOfProfiles, b.lawOfIdentifiers, b.lawOfPartitions, b.lawOfLateness, b.lawOfHeat} {
		if err := law(ctx, plan); err != nil {
			return err
		}
	}
	return nil
}

// many measures what audiences cost, the more there are.
func (b *benchRun) many(ctx context.Context) error { return b.lawOfAudiences(ctx, b.lawPlan()) }

func topicOfCalls(name string) map[schemas.Feed]string {
	return map[schemas.Feed]string{schemas.FeedClickstream: name}
}

// addLaw remembers and tells a law.
func (b *benchRun) addLaw(name, x string, points []bench.Point) {
	l := &bench.Law{Name: name, X: x, Y: "CPU us per event", Points: points, Slope: bench.Slope(points)}
	b.part.Laws = append(b.part.Laws, l)
	b.say("%s: slope %.3f", name, l.Slope)
}

// lawOfProfiles has one identifier for each profile.
func (b *benchRun) lawOfProfiles(ctx context.Context, plan lawPlan) error {
	points, state, err := b.lawOfLiving(ctx, "profiles", plan.profiles, 1)
	if err != nil {
		return err
	}
	b.addLaw("profiles", "live profiles", points)
	first, last := points[0], points[len(points)-1]
	if last.X > first.X {
		b.part.Add("state of a million profiles of one identifier", (state[len(state)-1].Y-state[0].Y)/(last.X-first.X)*1e6/(1<<20), "MiB")
	}
	b.part.Targets = append(b.part.Targets, bench.AtMost(fmt.Sprintf("CPU of an event with %s live profiles against %s", human(last.X), human(first.X)),
		last.Y/first.Y, liveGrowthMax, "times").With(fmt.Sprintf("%.1f GiB of state", state[len(state)-1].Y/(1<<30))))
	return nil
}

// lawOfIdentifiers has several identifiers for each profile.
func (b *benchRun) lawOfIdentifiers(ctx context.Context, plan lawPlan) error {
	points, state, err := b.lawOfLiving(ctx, "identifiers", plan.identifiers, identifiersPer)
	if err != nil {
		return err
	}
	b.addLaw("identifiers", fmt.Sprintf("identifiers, %d of each person", identifiersPer), points)
	first, last := points[0], points[len(points)-1]
	if last.X > first.X {
		b.part.Add("state of a million identifiers with their profiles", (state[len(state)-1].Y-state[0].Y)/(last.X-first.X)*1e6/(1<<20), "MiB")
	}
	return nil
}

// lawOfLiving makes a line meet more and more people, and at each size lets some of them, by chance, come again. The sizes count
// identifiers. Sizes whose state would not fit into memory are left out, by what the first two take.
func (b *benchRun) lawOfLiving(ctx context.Context, name string, sizes []int, each int) (points, state []bench.Point, err error) {
	if len(sizes) > 2 {
		points, state, err = b.living(ctx, name+"_first", sizes[:2], each)
		if err != nil {
			return nil, nil, err
		}
		sizes = fitting(sizes, state, float64(min(liveMemoryMax, b.report.Machine.Memory/2)-liveHeap))
		b.say("%s: sizes that fit into memory are %v", name, sizes)
		if len(sizes) == 2 {
			return points, state, nil
		}
	}
	return b.living(ctx, name, sizes, each)
}

// fitting gives the sizes that fit into so much memory, by what the first two took. In the place of the first that does not, there is the
// most that does, where that is clearly more than the size before.
func fitting(sizes []int, state []bench.Point, limit float64) []int {
	grows := (state[1].Y - state[0].Y) / (state[1].X - state[0].X)
	if grows <= 0 {
		return sizes
	}
	most := int(state[0].X + (limit-state[0].Y)/grows)
	fit := sizes[:2:2]
	for _, size := range sizes[2:] {
		if size > most {
			if most > fit[len(fit)-1]*3/2 {
				fit = append(fit, most)
			}
			break
		}
		fit = append(fit, size)
	}
	return fit
}

// living publishes people up to the last size, with visits at each, and measures the visits.
func (b *benchRun) living(ctx context.Context, name string, sizes []int, each int) (points, state []bench.Point, err error) {
	d := &dataset{topics: topicOfCalls(name), isSingle: true}
	people, marks := newThrong(each), []int64(nil)
	err = b.publishCalls(ctx, d, b.settings.Kafka.Partitions, func(send func([]byte, time.Time) error) error {
		for _, size := range sizes {
			for people.known*each < size {
				if err := people.meet(send); err != nil {
					return err
				}
			}
			marks = append(marks, marksFrom(people.sent)...)
			for range visits {
				if err := people.again(people.any(), send); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	job := b.job(name, d)
	discard(&job)
	job.Marks, job.Settle, job.Settings["batch.records"], job.Heap = marks, true, lawBatch, liveHeap
	_, result, err := b.pipeline(ctx, d, job, 0)
	if err != nil {
		return nil, nil, err
	}
	if len(result.Marks) != len(marks) {
		return nil, nil, fmt.Errorf("%d marks of %d were reached", len(result.Marks), len(marks))
	}
	for i, size := range sizes {
		settled := result.Marks[marksEach*i]
		points = append(points, bench.Point{X: float64(size), Y: visitCost(result.Marks[marksEach*i:])})
		state = append(state, bench.Point{X: float64(size), Y: float64(settled.State)})
		b.say("%s: %d identifiers: %.2f us per event, state of %d MiB, %d MiB resident", name, size, points[i].Y, settled.State>>20, settled.Resident>>20)
	}
	return points, state, nil
}

// marksEach is how many marks a size has: where the line is held until nothing is left to do, and what is measured between the others.
const marksEach = 3

// marksFrom gives the marks of visits that begin after so many records. What is under way while the line is held is done before the
// second mark.
func marksFrom(sent int64) []int64 { return []int64{sent, sent + visitsUnseen, sent + visits} }

// visitCost gives microseconds of CPU per event between the marks of a size.
func visitCost(marks []benchMark) float64 {
	from, to := marks[1], marks[2]
	return (to.CPU - from.CPU) * 1e6 / float64(to.Records-from.Records)
}

// What an event may cost with many audiences, against ten.
const (
	audiencesThousandMax    = 1.3
	audiencesTenThousandMax = 2.0
)

// lawOfAudiences has more and more rules over the same traffic, round by round.
func (b *benchRun) lawOfAudiences(ctx context.Context, plan lawPlan) error {
	d, err := b.fillCalls(ctx, "audiences", shoppersConfig(plan.shoppers), "")
	if err != nil {
		return err
	}
	rounds := make([][]float64, len(plan.audiences))
	for range b.roundCount {
		for i, count := range plan.audiences {
			path := filepath.Join(b.dir, fmt.Sprintf("audiences_%d.yaml", count))
			if err := os.WriteFile(path, manyAudiences(count), 0o600); err != nil {
				return err
			}
			job := b.job(fmt.Sprintf("audiences_%d", count), d)
			discard(&job)
			job.Settings["audiences.rules"] = path
			job.Profile = b.profile
			r, _, err := b.pipeline(ctx, d, job, 0)
			if err != nil {
				return err
			}
			b.say("%d audiences: %.2f us per event", count, r[bench.Pipeline])
			rounds[i] = append(rounds[i], r[bench.Pipeline])
		}
	}
	points := make([]bench.Point, len(rounds))
	for i, count := range plan.audiences {
		points[i] = bench.Point{X: float64(count), Y: bench.SpreadOf(rounds[i]).Median}
		for at, most := range map[int]float64{1000: audiencesThousandMax, 10_000: audiencesTenThousandMax} {
			if count == at {
				b.part.Targets = append(b.part.Targets, bench.AtMost(fmt.Sprintf("CPU of an event with %d audiences against %d", count, plan.audiences[0]),
					points[i].Y/points[0].Y, most, "times").With(fmt.Sprintf("pipeline process, a sink that discards, median of %d", b.roundCount)))
			}
		}
	}
	b.addLaw("audiences", "audiences", points)
	return nil
}

// productsOfMany is how many products the shop has whose audiences manyAudiences makes. The simulated one sells 300 of them, so that an event
// is about a product with an audience of its own as often as it would be in a shop of this size.
const productsOfMany = 10_000

// manyAudiences makes rules as a retailer with many campaigns has them, each about few people: for single products, and for those who look at
// much of a category, buy much of a brand, or are worth much.
func manyAudiences(count int) []byte {
	var file bytes.Buffer
	file.WriteString("audiences:\n")
	categories := []string{"Shoes", "Shirts", "Trousers", "Jackets", "Bags", "Kitchen", "Lighting", "Garden", "Toys", "Beauty", "Sports", "Books & Paper"}
	brands := []string{"Northwind", "Fabrikam", "Contoso", "Alder & Co", "Lumen", "Kestrel", "Basalt", "Harbor", "Verdant", "Piccolo"}
	for i := range count {
		n := i / 10
		sku, days := fmt.Sprintf("SKU-%04d", 1000+n*7919%productsOfMany), 3+n%12
		category, brand := categories[n%len(categories)], brands[n%len(brands)]
		when := [...]string{
			fmt.Sprintf(`cart_value >= %d and idle(cart_updated, %dm) and within(cart_updated, 30d)`, 100*(1+n), 30+n%60),
			fmt.Sprintf(`count("product_view", sku == "%s", within %dd) >= 2 and not did("order", within %[2]dd)`, sku, days),
			fmt.Sprintf(`did("cart_add", sku == "%s", within %dd) and orders == 0`, sku, days),
			fmt.Sprintf(`did("order", sku == "%s", within %dd)`, sku, 10*days),
			fmt.Sprintf(`count("product_view", category == "%s", within 7d) >= %d`, category, 10*(1+n/len(categories))),
			fmt.Sprintf(`sum("order", total, brand == "%s", within 90d) >= %d`, brand, 200*(1+n/len(brands))),
			fmt.Sprintf(`sequence(event("product_view", sku == "%s"), event("cart_add", sku == "%[1]s"), within 2h, without("order"), during %dd)`, sku, days),
			fmt.Sprintf(`revenue >= %d`, 300*(1+n)),
			fmt.Sprintf(`orders >= %d and idle(last_order, 60d)`, 1+n),
			fmt.Sprintf(`product_views >= %d and orders == 0 and within(last_seen, 14d)`, 20*(1+n)),
		}[i%10]
		fmt.Fprintf(&file, "  - {name: audience_%d, when: '%s'}\n", i, when)
	}
	return file.Bytes()
}

// lawOfPartitions has the same traffic in more and more partitions.
func (b *benchRun) lawOfPartitions(ctx context.Context, plan lawPlan) error {
	before := b.settings.Kafka.Partitions
	defer func() { b.settings.Kafka.Partitions = before }()
	var points []bench.Point
	for _, count := range plan.partitions {
		b.settings.Kafka.Partitions = count
		r, err := b.discarded(ctx, "partitions_"+strconv.Itoa(count), plan.shoppers, 0.05)
		if err != nil {
			return err
		}
		points = append(points, bench.Point{X: float64(count), Y: r[bench.Pipeline]})
	}
	b.addLaw("partitions", "partitions of the topic", points)
	return nil
}

// lawOfLateness has a larger and larger share of records that come minutes to days late.
func (b *benchRun) lawOfLateness(ctx context.Context, plan lawPlan) error {
	var points []bench.Point
	for _, share := range plan.late {
		r, err := b.discarded(ctx, fmt.Sprintf("late_%.0f", 100*share), plan.shoppers, share)
		if err != nil {
			return err
		}
		points = append(points, bench.Point{X: 100 * share, Y: r[bench.Pipeline]})
	}
	b.addLaw("lateness", "records that come late, %", points)
	b.part.Add("CPU of an event with 20 % late records against none", points[len(points)-1].Y/points[0].Y, "times")
	return nil
}

// discarded measures traffic with a share of late records.
func (b *benchRun) discarded(ctx context.Context, name string, count int, late float64) (bench.Round, error) {
	cfg := shoppersConfig(count)
	cfg.LateShare = late
	d, err := b.fillCalls(ctx, name, cfg, "")
	if err != nil {
		return nil, err
	}
	job := b.job(name, d)
	discard(&job)
	r, _, err := b.pipeline(ctx, d, job, 0)
	if err != nil {
		return nil, err
	}
	b.say("%s: %.2f us per event, %.0f events per second", name, r[bench.Pipeline], r[bench.Rate])
	return r, nil
}

// hotPeople is the throng that a hot profile is compared in.
const hotPeople = 100_000

// lawOfHeat lets one profile have half of the events.
func (b *benchRun) lawOfHeat(ctx context.Context, _ lawPlan) error {
	var costs []float64
	for _, name := range []string{"uniform", "hot"} {
		d := &dataset{topics: topicOfCalls(name), isSingle: true}
		people := newThrong(1)
		var marks []int64
		err := b.publishCalls(ctx, d, b.settings.Kafka.Partitions, func(send func([]byte, time.Time) error) error {
			for range hotPeople {
				if err := people.meet(send); err != nil {
					return err
				}
			}
			marks = marksFrom(people.sent)
			for i := range visits {
				who := people.any()
				if name == "hot" && i%2 == 0 {
					who = 0
				}
				if err := people.again(who, send); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		job := b.job(name, d)
		discard(&job)
		job.Marks, job.Settle, job.Settings["batch.records"] = marks, true, lawBatch
		_, result, err := b.pipeline(ctx, d, job, 0)
		if err != nil {
			return err
		}
		if len(result.Marks) < marksEach {
			return fmt.Errorf("%d marks of %d were reached", len(result.Marks), marksEach)
		}
		costs = append(costs, visitCost(result.Marks))
		b.say("%s: %.2f us per event", name, costs[len(costs)-1])
	}
	b.part.Add("CPU of an event where all of 100,000 people are alike", costs[0], "us")
	b.part.Add("CPU of an event where one of them has half of the events", costs[1], "us")
	b.part.Add("one hot profile against none", costs[1]/costs[0], "times")
	return nil
}

// human writes a number with M or k.
func human(v float64) string {
	if v >= 1e6 {
		return fmt.Sprintf("%.3gM", v/1e6)
	}
	return fmt.Sprintf("%.3gk", v/1e3)
}
