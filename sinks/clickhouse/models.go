package clickhouse

import "github.com/seamline/seamline/schemas"

// modelTable is the table models.
type modelTable struct {
	block
	model, parameter words
	version          fixed[uint32]
	fitted           fixed[int64]
	people, batch    fixed[uint64]
	likelihood       fixed[float64]
	value            fixed[float64]
	parameters       dictionary
}

func newModelTable(database string) *modelTable {
	t := &modelTable{version: uint32s(), fitted: times(), people: uint64s(), batch: uint64s(), likelihood: float64s(), value: float64s()}
	t.parameters.keys, t.parameters.values = &t.parameter, &t.value
	t.block = newBlock(database, "models",
		named{"name", &t.model}, named{"version", &t.version}, named{"fitted_at", &t.fitted}, named{"people", &t.people},
		named{"log_likelihood", &t.likelihood}, named{"parameters", &t.parameters}, named{"_batch", &t.batch})
	return t
}

func (t *modelTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Models {
		m := &b.Models[i]
		t.model.add(m.Name)
		t.version.add(m.Version)
		t.fitted.add(int64(m.FittedAt))
		t.people.add(m.People)
		t.likelihood.add(m.LogLikelihood)
		for _, p := range m.Parameters {
			t.parameter.add(p.Name)
			t.value.add(p.Value)
		}
		t.parameters.end()
		t.batch.add(b.Number)
		t.keyed.add(addTo(printText(m.Name), uint64(m.Version)))
	}
	return t.filled()
}

// sessionAliasTable is the table session_aliases.
type sessionAliasTable struct {
	block
	session, became, batch fixed[uint64]
}

func newSessionAliasTable(database string) *sessionAliasTable {
	t := &sessionAliasTable{session: uint64s(), became: uint64s(), batch: uint64s()}
	t.block = newBlock(database, "session_aliases",
		named{"session_id", &t.session}, named{"became", &t.became}, named{"_batch", &t.batch})
	return t
}

func (t *sessionAliasTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for _, a := range b.SessionAliases {
		t.session.add(a.SessionID)
		t.became.add(a.Became)
		t.batch.add(b.Number)
		t.keyed.add(a.SessionID)
	}
	return t.filled()
}

// accountTable is the table accounts.
type accountTable struct {
	block
	id                         texts
	currency                   words
	stage                      names
	people, sessions           fixed[uint32]
	events, views, batch       fixed[uint64]
	orders                     fixed[int64]
	revenue, first, last, demo fixed[int64]
}

func newAccountTable(database string) *accountTable {
	t := &accountTable{people: uint32s(), sessions: uint32s(), events: uint64s(), views: uint64s(), batch: uint64s(), orders: int64s(),
		revenue: decimals(), first: times(), last: times(), demo: times()}
	stages := make([]string, schemas.JourneyCount)
	for s := range stages {
		stages[s] = schemas.JourneyStage(s).String()
	}
	t.stage = newNames(stages)
	t.block = newBlock(database, "accounts",
		named{"id", &t.id}, named{"people", &t.people}, named{"stage", &t.stage}, named{"events", &t.events},
		named{"sessions", &t.sessions}, named{"product_views", &t.views}, named{"orders", &t.orders}, named{"revenue", &t.revenue},
		named{"currency", &t.currency}, named{"first_seen", &t.first}, named{"last_seen", &t.last}, named{"demo_at", &t.demo},
		named{"_batch", &t.batch})
	return t
}

func (t *accountTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Accounts {
		a := &b.Accounts[i]
		t.id.add(a.ID)
		t.people.add(a.People)
		t.stage.add(uint8(a.Stage))
		t.events.add(a.Events)
		t.sessions.add(a.Sessions)
		t.views.add(a.Views)
		t.orders.add(a.Orders)
		t.revenue.add(int64(a.Revenue))
		t.currency.add(a.Currency)
		t.first.add(int64(a.First))
		t.last.add(int64(a.Last))
		t.demo.add(int64(a.Demo))
		t.batch.add(b.Number)
		t.keyed.add(printText(a.ID))
	}
	return t.filled()
}
