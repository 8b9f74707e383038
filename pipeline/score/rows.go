package score

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// Apply closes the batch: every profile that it touched gets one whole row, as of the last moment that touched it.
func (s *Stage) Apply(b *schemas.Batch) error {
	s.addOwners(b)
	if cap(b.Profiles) < len(b.Touched) { // slices.Grow would copy all that there is room for
		b.Profiles = make([]schemas.Profile, 0, len(b.Touched)+len(b.Touched)/8)
	}
	r := s.newRows(len(b.Touched))
	for i, t := range b.Touched {
		if i%rowsAhead == 0 {
			s.readPeople(b.Touched[i:min(i+rowsAhead, len(b.Touched))])
		}
		if i%coolEvery == 0 {
			if err := s.space.Cool(); err != nil {
				return fmt.Errorf("score: rows of profiles: %w", err)
			}
		}
		b.Profiles = append(b.Profiles, schemas.Profile{Version: b.Number, CartSKUs: r.skus[len(r.skus):]})
		s.row(r, &b.Profiles[len(b.Profiles)-1], t.Profile)
	}
	r.needed.states = len(r.states)
	s.last = r.needed
	for _, t := range b.Touched {
		s.journey(t.Profile).inBatch = false
	}
	s.emitAccounts(b)
	s.measure()
	return nil
}

// rows is memory for what rows refer to. Rows outlive the batch in some sinks, so that it is new for each batch: as much as the batch before
// needed.
type rows struct {
	states      []byte
	skus        []string
	words       []schemas.Weighed // categories
	brands      []schemas.Weighed
	recommended []schemas.Recommendation
	scores      []schemas.Scores
	needed      lengths // also of what had no room
}

// lengths of the lists of rows, in all.
type lengths struct{ states, skus, words, brands, recommended int }

func (s *Stage) newRows(n int) *rows {
	return &rows{states: make([]byte, 0, s.last.states+s.last.states/8), skus: make([]string, 0, s.last.skus+s.last.skus/8),
		words: make([]schemas.Weighed, 0, s.last.words+s.last.words/8), brands: make([]schemas.Weighed, 0, s.last.brands+s.last.brands/8), scores: make([]schemas.Scores, 0, n),
		recommended: make([]schemas.Recommendation, 0, s.last.recommended+s.last.recommended/8)}
}

// row fills the row of one profile.
func (s *Stage) row(r *rows, p *schemas.Profile, index uint32) {
	lives := s.profile(p, index, schemas.FieldsAll)
	s.recount(index, lives)
	if !lives {
		return
	}
	j := s.journey(index)
	p.Stage, p.StageSince, p.StageReason = j.stage, j.since, j.reason.String()
	r.skus, p.CartSKUs = keep(r.skus, p.CartSKUs, &r.needed.skus)
	if sc := s.early[index]; sc != nil && j.step <= s.earlySteps {
		p.Scores = sc
	} else {
		r.scores = append(r.scores, schemas.Scores{Categories: r.words[len(r.words):], Brands: r.brands[len(r.brands):], Recommended: r.recommended[len(r.recommended):]})
		p.Scores = &r.scores[len(r.scores)-1]
		g := s.at(j.step)
		s.scores(&g, p, p.Scores, j.looked)
		sc := p.Scores
		r.words, sc.Categories = keep(r.words, sc.Categories, &r.needed.words)
		r.brands, sc.Brands = keep(r.brands, sc.Brands, &r.needed.brands)
		r.recommended, sc.Recommended = keep(r.recommended, sc.Recommended, &r.needed.recommended)
	}
	from := len(r.states)
	r.states = s.encodeProfile(r.states)
	p.State = r.states[from:len(r.states):len(r.states)]
}

// keep gives the common memory behind a row's list that began where it ended, and the list, which can grow no further; where there was no
// room it has memory of its own. It counts what was needed.
func keep[T any](common, list []T, needed *int) ([]T, []T) {
	*needed += len(list)
	if len(list) <= cap(common)-len(common) {
		common = common[:len(common)+len(list)]
	}
	return common, slices.Clip(list)
}

// coolEvery is after how many profiles, each on some dozen pages, the ceiling of memory is kept.
const coolEvery = 64

// addOwners completes Touched, which stays in order of index.
func (s *Stage) addOwners(b *schemas.Batch) {
	if len(s.owners) == 0 {
		return
	}
	for _, p := range s.owners {
		b.Touched = append(b.Touched, schemas.Touch{Profile: p})
	}
	slices.SortFunc(b.Touched, func(a, c schemas.Touch) int { return cmp.Compare(a.Profile, c.Profile) })
	b.Touched = slices.CompactFunc(b.Touched, func(a, c schemas.Touch) bool { return a.Profile == c.Profile })
}
