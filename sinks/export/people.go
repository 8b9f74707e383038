package export

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// Bounds of a pass over people.
const (
	commitWaitMax = 30 * time.Second // for a batch whose rows are seen before its commit
	commitPoll    = 20 * time.Millisecond
	changesMax    = 1_000_000 // that are not committed, or were since the pass began
	contactsMax   = 4096      // of one person
)

// person is one person of some audiences, with what decides about lists.
type person struct {
	id        schemas.ProfileID
	audiences []int // indexes of those the person is in
	isKnown   bool  // there is a profile
	answers   []answer
	country   string
	contacts  []contact // by kind and identifier
}

// pass reads the people of some audiences once, in order, with memberships as of the newest committed batch.
type pass struct {
	dial      Dial
	database  string
	pipeline  string
	audiences []string
	purposes  []string
	kinds     []kind // that some platform takes from contacts
	forms     map[Form]bool
	sealed    []kind // those of them that some platform takes decrypted
	open      Opener

	batch     uint64 // that memberships are as of
	unread    int    // values that could not be decrypted
	unreadWhy error
	changed   map[schemas.ProfileID][]flip
	members   memberStream
	known     profileStream
	told      contactStream
	now       person
}

// flip is the first change of a membership after the pass's batch.
type flip struct {
	audience int
	isEnter  bool
	sequence uint64
}

type memberStream struct {
	*stream
	id      proto.ColUUID
	at      proto.ColUInt16
	member  proto.ColBool
	version proto.ColUInt64
	has     bool
}

type profileStream struct {
	*stream
	id      proto.ColUUID
	answers []proto.ColUInt8
	country proto.ColStr
	deleted proto.ColUInt8
	has     bool
}

type contactStream struct {
	*stream
	id                     proto.ColUUID
	kind                   proto.ColUInt8
	identifier             proto.ColUInt64
	time                   proto.ColInt64
	plain, google, uid2    proto.ColFixedStr
	value, keyID, cipherer proto.ColStr
	has                    bool
}

// each calls f for every person who is in an audience, in order; the person is valid until f returns.
func (p *pass) each(ctx context.Context, f func(*person) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	if p.batch, err = p.committed(ctx); err != nil {
		return err
	}
	p.members.stream = start(ctx, p.dial, p.membersQuery(), proto.Results{{Name: "p", Data: &p.members.id}, {Name: "a", Data: &p.members.at},
		{Name: "m", Data: &p.members.member}, {Name: "v", Data: &p.members.version}})
	defer func() { cancel(); p.members.wait() }()
	if err := p.members.first(ctx); err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	p.startPeople(ctx)
	defer func() { cancel(); p.known.wait() }()
	p.startContacts(ctx)
	defer func() { cancel(); p.told.wait() }()
	return p.merge(ctx, f)
}

// committed gives the number of the newest batch of which every row is there.
func (p *pass) committed(ctx context.Context) (uint64, error) {
	n, err := one(ctx, p.dial, fmt.Sprintf("SELECT max(batch) AS n FROM %s.commits WHERE pipeline = %s", p.database, quote(p.pipeline)))
	if err != nil {
		return 0, fmt.Errorf("read the newest batch: %w", err)
	}
	return n, nil
}

// settle reads what changed after the pass's batch. The members were read before: a batch that they show in part is waited for, so that
// each of its changes is there.
func (p *pass) settle(ctx context.Context) error {
	seen, err := one(ctx, p.dial, fmt.Sprintf("SELECT max(version) AS n FROM %s.audience_members WHERE audience IN (%s)", p.database, quoteAll(p.audiences)))
	if err != nil {
		return fmt.Errorf("read the newest membership: %w", err)
	}
	for waited := time.Duration(0); seen > p.batch; waited += commitPoll {
		newest, err := p.committed(ctx)
		if err != nil {
			return err
		}
		if newest >= seen {
			break
		}
		if waited >= commitWaitMax {
			return fmt.Errorf("batch %d has written memberships and was not committed within %s", seen, commitWaitMax)
		}
		select {
		case <-time.After(commitPoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return p.readChanges(ctx)
}

func (p *pass) readChanges(ctx context.Context) error {
	p.changed = map[schemas.ProfileID][]flip{}
	var id proto.ColUUID
	var at proto.ColUInt16
	var enter proto.ColUInt8
	var sequence proto.ColUInt64
	// The rows of a sequence are alike, but for an older life of the tables, which the newest row replaces.
	sql := fmt.Sprintf(`SELECT profile_id AS p, toUInt16(indexOf(%s, CAST(audience AS String))) AS a, toUInt8(CAST(change AS String) = 'enter') AS e, sequence AS s
		FROM %s.audience_changes FINAL WHERE audience IN (%s) AND _batch > %d LIMIT %d`, array(p.audiences), p.database, quoteAll(p.audiences), p.batch, changesMax+1)
	count := 0
	err := each(ctx, p.dial, sql, proto.Results{{Name: "p", Data: &id}, {Name: "a", Data: &at}, {Name: "e", Data: &enter}, {Name: "s", Data: &sequence}}, func(row int) error {
		if count++; count > changesMax {
			return fmt.Errorf("more than %d changes are not committed", changesMax)
		}
		who, change := schemas.ProfileID(id.Row(row)), flip{int(at.Row(row)) - 1, enter.Row(row) == 1, sequence.Row(row)}
		flips := p.changed[who]
		for i := range flips {
			if flips[i].audience == change.audience {
				if change.sequence < flips[i].sequence {
					flips[i] = change
				}
				return nil
			}
		}
		p.changed[who] = append(flips, change)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read changes of audiences: %w", err)
	}
	return nil
}

func (p *pass) membersQuery() string {
	return fmt.Sprintf("SELECT profile_id AS p, toUInt16(indexOf(%s, CAST(audience AS String))) AS a, member AS m, version AS v FROM %s.audience_members FINAL WHERE audience IN (%s) ORDER BY p, a",
		array(p.audiences), p.database, quoteAll(p.audiences))
}

// people is a condition on profile ids: it holds for all members as of the batch, and for some more.
func (p *pass) people() string {
	return fmt.Sprintf("profile_id IN (SELECT profile_id FROM %s.audience_members WHERE audience IN (%s) AND (member OR version > %d))", p.database, quoteAll(p.audiences), p.batch)
}

func (p *pass) startPeople(ctx context.Context) {
	var columns strings.Builder
	p.known.answers = make([]proto.ColUInt8, len(p.purposes))
	results := proto.Results{{Name: "p", Data: &p.known.id}}
	for i, purpose := range p.purposes {
		name := "c" + strconv.Itoa(i)
		fmt.Fprintf(&columns, ", toUInt8(indexOf(['granted', 'denied'], CAST(consent[%s] AS String))) AS %s", quote(purpose), name)
		results = append(results, proto.ResultColumn{Name: name, Data: &p.known.answers[i]})
	}
	results = append(results, proto.ResultColumn{Name: "co", Data: &p.known.country}, proto.ResultColumn{Name: "d", Data: &p.known.deleted})
	// The newest row of a person comes first. FINAL would carry the map through its merge, which takes many times as long.
	p.known.stream = start(ctx, p.dial, fmt.Sprintf("SELECT profile_id AS p%s, CAST(country AS String) AS co, deleted AS d FROM %s.profiles WHERE %s ORDER BY p, version DESC",
		columns.String(), p.database, p.people()), results)
}

// startContacts reads what was told of people, of each identifier and kind the newest first. Identifiers that too many people share name nobody.
func (p *pass) startContacts(ctx context.Context) {
	t := &p.told
	t.plain.Size, t.google.Size, t.uid2.Size = 32, 32, 32
	names := namesOf(p.kinds)
	if len(names) == 0 {
		names = []string{""} // platforms that take ids only: nothing is read
	}
	clear, join := "'' AS ki, '' AS ci", ""
	if p.open != nil && len(p.sealed) > 0 {
		clear = "CAST(e.key_id AS String) AS ki, e.ciphertext AS ci"
		join = fmt.Sprintf(`LEFT JOIN (SELECT identifier_id, kind, time, key_id, ciphertext FROM %s.contacts_clear FINAL WHERE kind IN (%s)) AS e
			ON e.identifier_id = c.identifier_id AND e.kind = c.kind AND e.time = c.time`, p.database, quoteAll(namesOf(p.sealed)))
	}
	sql := fmt.Sprintf(`SELECT i.profile_id AS p, toUInt8(indexOf(%s, CAST(c.kind AS String)) - 1) AS k, c.identifier_id AS n, toUnixTimestamp64Milli(c.time) AS tm, %s, c.value AS va, %s
		FROM (SELECT identifier_id, kind, time, plain, google, uid2, value, _batch FROM %s.contacts WHERE kind IN (%s)) AS c
		INNER JOIN (SELECT identifier_id, profile_id FROM %s.identifiers FINAL WHERE NOT quarantined AND %s) AS i ON i.identifier_id = c.identifier_id %s
		ORDER BY p, k, n, tm DESC, c._batch DESC`, array(kindNames[:]), p.formColumns(), clear, p.database, quoteAll(names), p.database, p.people(), join)
	t.stream = start(ctx, p.dial, sql, proto.Results{{Name: "p", Data: &t.id}, {Name: "k", Data: &t.kind}, {Name: "n", Data: &t.identifier}, {Name: "tm", Data: &t.time},
		{Name: "pl", Data: &t.plain}, {Name: "go", Data: &t.google}, {Name: "ui", Data: &t.uid2}, {Name: "va", Data: &t.value}, {Name: "ki", Data: &t.keyID}, {Name: "ci", Data: &t.cipherer}})
}

// formColumns are the hashes that some platform of the pass takes; the others are not read.
func (p *pass) formColumns() string {
	var columns []string
	for _, f := range []struct {
		form Form
		as   string
	}{{FormPlain, "pl"}, {FormGoogle, "go"}, {FormUID2, "ui"}} {
		if p.forms[f.form] {
			columns = append(columns, "c."+string(f.form)+" AS "+f.as)
		} else {
			columns = append(columns, "toFixedString('', 32) AS "+f.as)
		}
	}
	return strings.Join(columns, ", ")
}

func namesOf(kinds []kind) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.String()
	}
	return names
}

var errOrder = errors.New("ClickHouse gave people out of order")

// merge walks the three streams side by side.
func (p *pass) merge(ctx context.Context, f func(*person) error) (err error) {
	var last schemas.ProfileID
	isFirst := true
	if p.members.has, err = p.members.next(ctx); err != nil {
		return err
	}
	if p.known.has, err = p.known.next(ctx); err != nil {
		return err
	}
	if p.told.has, err = p.told.next(ctx); err != nil {
		return err
	}
	for p.members.has {
		who := &p.now
		who.id, who.audiences = schemas.ProfileID(p.members.id.Row(p.members.row)), who.audiences[:0]
		if !isFirst && !before(last, who.id) {
			return errOrder
		}
		last, isFirst = who.id, false
		if err := p.memberships(ctx, who); err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		if len(who.audiences) == 0 {
			continue
		}
		if err := p.profile(ctx, who); err != nil {
			return fmt.Errorf("read consent: %w", err)
		}
		if err := p.contacts(ctx, who); err != nil {
			return fmt.Errorf("read contact data: %w", err)
		}
		if err := f(who); err != nil {
			return err
		}
	}
	return nil
}

// memberships reads the rows of one person.
func (p *pass) memberships(ctx context.Context, who *person) (err error) {
	flips := p.changed[who.id]
	for p.members.has && schemas.ProfileID(p.members.id.Row(p.members.row)) == who.id {
		at, isMember := int(p.members.at.Row(p.members.row))-1, p.members.member.Row(p.members.row)
		isFlipped := false
		for i := range flips {
			if flips[i].audience == at {
				isMember, isFlipped = !flips[i].isEnter, true
			}
		}
		if version := p.members.version.Row(p.members.row); version > p.batch && !isFlipped {
			return fmt.Errorf("batch %d changed a membership of %s and has no change of it", version, p.audiences[at])
		}
		if isMember {
			who.audiences = append(who.audiences, at)
		}
		if p.members.has, err = p.members.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) profile(ctx context.Context, who *person) (err error) {
	who.isKnown, who.country, who.answers = false, "", who.answers[:0]
	for p.known.has && before(schemas.ProfileID(p.known.id.Row(p.known.row)), who.id) {
		if p.known.has, err = p.known.next(ctx); err != nil {
			return err
		}
	}
	if !p.known.has || schemas.ProfileID(p.known.id.Row(p.known.row)) != who.id || p.known.deleted.Row(p.known.row) != 0 {
		return nil
	}
	who.isKnown, who.country = true, p.known.country.Row(p.known.row)
	for i := range p.known.answers {
		who.answers = append(who.answers, answer(p.known.answers[i].Row(p.known.row)))
	}
	return nil
}

// isOlder tells whether the row tells of an identifier and kind of which a newer one came before it.
func (t *contactStream) isOlder(who *person) bool {
	if len(who.contacts) == 0 {
		return false
	}
	last := &who.contacts[len(who.contacts)-1]
	return last.kind == kind(t.kind.Row(t.row)) && last.identifier == t.identifier.Row(t.row)
}

func (p *pass) contacts(ctx context.Context, who *person) (err error) {
	who.contacts = who.contacts[:0]
	t := &p.told
	for t.has && !before(who.id, schemas.ProfileID(t.id.Row(t.row))) {
		if schemas.ProfileID(t.id.Row(t.row)) == who.id && len(who.contacts) < contactsMax && !t.isOlder(who) {
			c := contact{kind: kind(t.kind.Row(t.row)), identifier: t.identifier.Row(t.row), time: t.time.Row(t.row), value: t.value.Row(t.row)}
			copy(c.plain[:], t.plain.Row(t.row))
			copy(c.google[:], t.google.Row(t.row))
			copy(c.uid2[:], t.uid2.Row(t.row))
			if sealed := t.cipherer.RowBytes(t.row); len(sealed) > 0 {
				if c.value, err = p.open(c.identifier, c.kind.String(), t.keyID.Row(t.row), sealed); err != nil {
					c.value, p.unread, p.unreadWhy = "", p.unread+1, err // of a key that is gone, perhaps
				}
			}
			who.contacts = append(who.contacts, c)
		}
		if t.has, err = t.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

func quote(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, ",")
}

func array(list []string) string { return "[" + quoteAll(list) + "]" }
