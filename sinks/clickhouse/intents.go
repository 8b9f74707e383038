package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// ErrForgotten says that the table commits does not hold what a replay needs of a batch: its row is gone, or an older build wrote it.
var ErrForgotten = errors.New("the table commits does not say what a batch consists of")

// Intents gives the intents of this pipeline's batches after a number, in order and without gaps, from their rows in commits: for when
// the journal has forgotten them. They have no blocks, so that a replay cannot be held against them. It fails where a batch is missing,
// or was written by a build that did not note enough.
func (s *Sink) Intents(ctx context.Context, after uint64) ([]schemas.Intent, error) {
	conn, err := s.cfg.open()
	if err != nil {
		return nil, fmt.Errorf("read intents: %w", err)
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, "SELECT batch, format, toUnixTimestamp64Milli(time), fixed, toUnixTimestamp64Milli(latest), toUnixTimestamp64Milli(advance_to), rewind, "+
		"toString(rules), topics, partitions, offsets_from, offsets_to FROM "+s.cfg.Database+".commits FINAL WHERE pipeline = ? AND batch > ? ORDER BY batch", s.pipeline, after)
	if err != nil {
		return nil, fmt.Errorf("read intents: %w", err)
	}
	defer rows.Close()
	var intents []schemas.Intent
	for next := after + 1; rows.Next(); next++ {
		i, err := intent(rows)
		if err != nil {
			return nil, fmt.Errorf("read intents: %w", err)
		}
		switch {
		case i.Batch != next:
			return nil, fmt.Errorf("read intents: %w: the table commits lacks batch %d of pipeline %s, but has batch %d", ErrForgotten, next, s.pipeline, i.Batch)
		case i.Format == 0:
			return nil, fmt.Errorf("read intents: %w: batch %d was written by an older build, which did not note what a replay needs", ErrForgotten, i.Batch)
		case i.Format > schemas.IntentFormat:
			return nil, fmt.Errorf("read intents: batch %d has format %d and this build reads up to %d: use the build that wrote it", i.Batch, i.Format, schemas.IntentFormat)
		}
		intents = append(intents, i)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read intents: %w", err)
	}
	return intents, nil
}

// intent reads one row of the query of Intents.
func intent(row interface{ Scan(...any) error }) (i schemas.Intent, err error) {
	var format uint16
	var now, latest, advance int64
	var topics []string
	var partitions []int32
	var froms, tos []int64
	if err := row.Scan(&i.Batch, &format, &now, &i.Fixed, &latest, &advance, &i.Rewind, &i.Rules, &topics, &partitions, &froms, &tos); err != nil {
		return i, err
	}
	if len(partitions) != len(topics) || len(froms) != len(topics) || len(tos) != len(topics) {
		return i, fmt.Errorf("the ranges of batch %d do not fit together: %w", i.Batch, schemas.ErrDamaged)
	}
	i.Format, i.Now, i.Latest, i.Advance = int(format), schemas.Time(now), schemas.Time(latest), schemas.Time(advance)
	for k := range topics {
		i.Ranges = append(i.Ranges, schemas.Range{Topic: topics[k], Partition: partitions[k], From: froms[k], To: tos[k]})
	}
	return i, nil
}

// installationBytes is how much of a digest is enough to tell installations apart.
const installationBytes = 16

// Installation gives an id of this installation of the tables, which stays until they are dropped: the UUID of the table
// schema_migrations or, where the database's engine gives none, a digest of the server's address and the database's name.
func (s *Sink) Installation(ctx context.Context) (string, error) {
	_, rows, err := Query(ctx, s.cfg, "SELECT toString(uuid), uuid = toUUID('00000000-0000-0000-0000-000000000000') FROM system.tables WHERE database = ? AND name = 'schema_migrations'", s.cfg.Database)
	if err != nil {
		return "", fmt.Errorf("read the id of the installation: %w", err)
	}
	if len(rows) != 1 {
		return "", fmt.Errorf("read the id of the installation: database %s has no table schema_migrations", s.cfg.Database)
	}
	if id, ok := rows[0][0].(string); ok && rows[0][1] == uint8(0) {
		return id, nil
	}
	sum := sha256.Sum256([]byte(s.cfg.Addr + "\x00" + s.cfg.Database))
	return hex.EncodeToString(sum[:installationBytes]), nil
}
