//go:build faults

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// scenario is a misfortune that a protection is for. It gives what is wrong afterwards: nothing with the protection, something without.
type scenario struct {
	protection string
	play       func(t *testing.T, s *stand, env []string) (wrong []string)
}

// scenarios has one for every protection that can be switched off.
var scenarios = []scenario{
	{fault.Intent, playIntent},
	{fault.Verify, playPoisoned},
	{fault.Attempt, playPoisoned},
	{fault.Split, playSplit},
	{fault.Checksum, playChecksum},
	{fault.Order, playOrder},
	{fault.Fence, playZombie},
	{fault.DeadLetters, playDeadLetters},
	{fault.Reset, playReset},
	{fault.Token, playToken},
	{fault.Canonical, playCanonical},
	{fault.Canary, playCanary},
}

// seededMax bounds how often each is played: it is noticed or not.
const seededMax = 3

// TestCrashSeededBugs: each protection, switched off, is missed, and with it the same misfortune does no harm.
func TestCrashSeededBugs(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		for _, isOff := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s off %v", sc.protection, isOff), func(t *testing.T) {
				t.Parallel()
				server := ownServer(t)
				for range min(scale(t), seededMax) {
					sc.expect(t, newCrashStand(t, server), isOff)
				}
			})
		}
	}
}

func (sc *scenario) expect(t *testing.T, s *stand, isOff bool) {
	t.Helper()
	env := []string{}
	if isOff {
		env = append(env, fault.EnvOff+"="+sc.protection)
	}
	wrong := sc.play(t, s, env)
	switch {
	case !isOff && len(wrong) > 0:
		t.Errorf("with the protection %s:\n%s", sc.protection, strings.Join(wrong, "\n"))
	case isOff && len(wrong) == 0:
		t.Errorf("nobody notices that the protection %s is off", sc.protection)
	case isOff:
		t.Logf("without the protection %s: %d findings, such as: %.300s", sc.protection, len(wrong), wrong[0])
	}
}

// crashes starts a process that is to be killed at a point.
func (s *stand) crashes(env []string, point string, args ...string) *child {
	s.t.Helper()
	p := s.spawn(append(env[:len(env):len(env)], fault.EnvCrash+"="+point), append(args, "--until-caught-up")...)
	p.expectKilled(point)
	return p
}

// findingsWaitMax bounds how long a process may take to catch up.
const findingsWaitMax = 40 * time.Second

// findings goes on to the topics' ends and has the checker look. A process that ends in error is a finding as well.
func (s *stand) findings(env []string) []string {
	s.t.Helper()
	p := s.spawn(env, "--until-caught-up")
	select {
	case <-p.ended:
	case <-time.After(findingsWaitMax):
		p.kill()
		return []string{"the process does not catch up: " + lastLine(p.text())}
	}
	if code := p.wait(); code != 0 {
		return []string{fmt.Sprintf("exit %d: %s", code, lastLine(p.text()))}
	}
	var wrong []string
	patiently(s.t, func() (err error) {
		wrong, err = (&checker{settings: &s.settings}).check(s.t.Context())
		return err
	})
	return wrong
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// rarely makes checkpoints and copies so rare that a crash loses all of a run's.
func (s *stand) rarely() { s.settings.CheckpointEvery, s.settings.BackupEvery = time.Hour, 0 }

// keepParts makes rows that stand twice stay so: merges would take one of two away.
func (s *stand) keepParts(env []string) {
	s.t.Helper()
	s.publish(newCrowd(rand.New(rand.NewPCG(7, 0)), 12).messages(20)...)
	s.spawn(env, "--until-caught-up").expectDone("the first batch")
	for _, table := range []string{"events", "dead_letters", "identity_log", "audience_changes", "commits"} {
		s.query("ALTER TABLE " + table + " MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1")
	}
}

// laterCrowd makes traffic after that of keepParts.
func laterCrowd(t *testing.T) *crowd {
	c := newCrowd(seeded(t), 12)
	c.at, c.made = c.at.Add(time.Hour), 1000
	return c
}

// playIntent: a process is killed between two tables of a batch, and goes on with other batches.
func playIntent(t *testing.T, s *stand, env []string) []string {
	s.keepParts(env)
	s.publish(laterCrowd(t).messages(150)...)
	s.rarely()
	s.settings.Kafka.RecordsMax = 37
	s.crashes(env, fault.PointTables+":2")
	s.settings.Kafka.RecordsMax = 11
	return s.findings(env)
}

// playPoisoned: ClickHouse lost rows whose token it remembers.
func playPoisoned(t *testing.T, s *stand, env []string) []string {
	s.keepParts(env)
	s.publish(laterCrowd(t).messages(150)...)
	s.settings.Kafka.RecordsMax = 37
	s.crashes(env, fault.PointTables+":2")
	s.query("ALTER TABLE events DELETE WHERE _batch = (SELECT max(_batch) FROM events) SETTINGS mutations_sync = 2") // tokens stay
	return s.findings(env)
}

// playSplit: a batch is sent again by a process that the seeded bug makes cut it elsewhere.
func playSplit(t *testing.T, s *stand, env []string) []string {
	s.keepParts(env)
	s.publish(laterCrowd(t).messages(150)...)
	s.settings.Kafka.RecordsMax = 60
	for n := range 5 { // each leaves some of the batch's blocks
		s.crashes(env, fmt.Sprintf("%s:%d", fault.PointBlock, 1+n))
	}
	return s.findings(env)
}

// playChecksum: between the crash and the restart the records became others.
func playChecksum(t *testing.T, s *stand, env []string) []string {
	c := newCrowd(seeded(t), 12)
	messages := c.messages(60)
	s.publish(messages...)
	s.crashes(env, fault.PointIntent)
	topic := s.settings.Kafka.Clickstream
	client, err := kgo.NewClient(kgo.SeedBrokers(s.settings.Kafka.Brokers))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	old := &checker{settings: &s.settings, ctx: t.Context()}
	records, err := old.readTopic(topic)
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	if _, err := admin.DeleteTopics(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(t.Context(), int32(s.settings.Kafka.Partitions), 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	again, err := kgo.NewClient(kgo.SeedBrokers(s.settings.Kafka.Brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, r := range records {
		changed := strings.Replace(string(r.value), `"path":"/`, `"path":"/other`, 1)
		if err := again.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: r.partition, Value: []byte(changed), Timestamp: r.at}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	p := s.spawn(env, "--until-caught-up")
	if code := p.wait(); code != 1 || !strings.Contains(p.text(), "the replay of a batch does not give the rows that it had at first") {
		return []string{fmt.Sprintf("records changed under an intent, and the process ended with exit %d: %s", code, lastLine(p.text()))}
	}
	return nil
}

// playOrder: the process is killed when a checkpoint is committed.
func playOrder(t *testing.T, s *stand, env []string) []string {
	s.publish(newCrowd(seeded(t), 12).messages(150)...)
	s.settings.Kafka.RecordsMax, s.settings.CheckpointEvery = 20, time.Millisecond
	for i := range 3 {
		p := s.spawn(append(env[:len(env):len(env)], fmt.Sprintf("%s=%s:%d", fault.EnvCrash, fault.PointCheckpoint, i+1)), "--until-caught-up")
		if code := p.wait(); !p.wasKilled() && code != 0 {
			return []string{fmt.Sprintf("exit %d: %s", code, lastLine(p.text()))}
		}
	}
	return s.findings(env)
}

// playZombie: the leader is paused until a second instance has taken over, and wakes up.
func playZombie(t *testing.T, s *stand, env []string) []string {
	s.keepParts(env)
	s.rarely()
	zombie := s.spawn(env)
	zombie.await("msg=running")
	c := laterCrowd(t)
	load := s.load(c, 10, 40*time.Millisecond)
	time.Sleep(700 * time.Millisecond)
	s.loseState()
	second := s.spawn(env)
	second.await("standby: another instance leads")
	time.Sleep(300 * time.Millisecond)
	signal := func(sig syscall.Signal) {
		if err := zombie.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	second.await("msg=leading")
	time.Sleep(500 * time.Millisecond)
	signal(syscall.SIGCONT)
	var wrong []string
	select {
	case <-zombie.ended:
		if code := zombie.wait(); code != 1 || !strings.Contains(zombie.text(), "another instance has taken over") {
			wrong = append(wrong, fmt.Sprintf("the zombie ended with exit %d: %s", code, lastLine(zombie.text())))
		}
	case <-time.After(5 * time.Second):
		wrong = append(wrong, "the zombie goes on")
		zombie.kill()
	}
	load.sent()
	if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	if code := second.wait(); code != 0 {
		wrong = append(wrong, fmt.Sprintf("the second instance ended with exit %d: %s", code, lastLine(second.text())))
	}
	return append(wrong, s.findings(env)...)
}

// playDeadLetters: the broker refuses dead letters for a while. No audience changes, so that they come in requests of their own.
func playDeadLetters(t *testing.T, s *stand, env []string) []string {
	broker := localtest.Kafka(t)
	s.settings.Kafka.Brokers = broker.Addr()
	s.create()
	refuse(broker, s.settings.Kafka.DeadLetters, 3)
	c := newCrowd(seeded(t), 12)
	for c.made < 30 {
		if m := c.messages(1)[0]; m.Topic == string(schemas.FeedClickstream) && strings.Contains(string(m.Value), `"type":"page"`) {
			s.publish(m, message(schemas.FeedClickstream, m.Time, "nonsense"))
		}
	}
	return s.findings(env)
}

// refuse makes a broker refuse records of a topic, as one does whose policy forbids them, so many times.
func refuse(broker *local.Kafka, topic string, times int) {
	cluster := broker.Cluster()
	info := cluster.TopicInfo(topic)
	cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		r, ok := request.(*kmsg.ProduceRequest)
		if !ok || times == 0 {
			return nil, nil, false
		}
		concerned := false
		answer := r.ResponseKind().(*kmsg.ProduceResponse)
		for _, rt := range r.Topics {
			concerned = concerned || rt.Topic == topic || info != nil && rt.TopicID == info.TopicID
			at := kmsg.NewProduceResponseTopic()
			at.Topic, at.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				ap := kmsg.NewProduceResponseTopicPartition()
				ap.Partition, ap.ErrorCode = rp.Partition, kerr.PolicyViolation.Code
				at.Partitions = append(at.Partitions, ap)
			}
			answer.Topics = append(answer.Topics, at)
		}
		if !concerned {
			return nil, nil, false
		}
		times--
		return answer, nil, true
	})
}

// playReset: records that were never processed are gone from a topic.
func playReset(t *testing.T, s *stand, env []string) []string {
	c := newCrowd(seeded(t), 12)
	for range 12 { // a publisher fills one partition after another
		s.publish(c.messages(10)...)
	}
	s.spawn(env, "--until-caught-up").expectDone("before the loss")
	for range 12 {
		s.publish(c.messages(10)...)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.settings.Kafka.Brokers))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(t.Context(), s.settings.Kafka.Clickstream)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRecords(t.Context(), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	p := s.spawn(env, "--until-caught-up")
	if code := p.wait(); code != 1 || !strings.Contains(p.text(), "and the next to process is") {
		return []string{fmt.Sprintf("records are gone, and the process ended with exit %d: %s", code, lastLine(p.text()))}
	}
	return nil
}

// playToken: a batch is sent again after a crash.
func playToken(t *testing.T, s *stand, env []string) []string {
	s.keepParts(env)
	s.publish(laterCrowd(t).messages(150)...)
	s.crashes(env, fault.PointTables+":2")
	return s.findings(env)
}

// playCanonical: partitions do not deliver at the same time.
func playCanonical(t *testing.T, s *stand, env []string) []string {
	s.publish(streetTraffic(seeded(t), 30, 700)...)
	s.settings.Kafka.RecordsMax = 20
	s.spawn(env, "--until-caught-up").expectDone("a run")
	if text := s.unlike("in canonical order"); text != "" {
		return []string{text}
	}
	return nil
}

// playCanary: the room of the state has a test that takes a checkpoint out of the middle. It must fail.
func playCanary(t *testing.T, _ *stand, env []string) []string {
	test := exec.CommandContext(t.Context(), "go", "test", "-tags", "faults", "-count=1", "-timeout", "60s", "-run", "^TestMissingPieceInTheMiddle$", "../../pipeline/state")
	test.Env = append(os.Environ(), env...)
	out, err := test.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case !strings.Contains(string(out), "--- FAIL: TestMissingPieceInTheMiddle"):
		t.Fatalf("%v: %s", err, out)
	}
	return []string{string(out)}
}
