package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// queryRowsMax bounds what Query keeps in memory.
const queryRowsMax = 1_000_000

// Query runs a small query and gives its columns' names and its rows. It is for people and tests, not for the line.
func Query(ctx context.Context, cfg Config, sql string, args ...any) (columns []string, rows [][]any, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	conn, err := cfg.open()
	if err != nil {
		return nil, nil, fmt.Errorf("query ClickHouse: %w", err)
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "USE "+cfg.Database); err != nil {
		return nil, nil, fmt.Errorf("query ClickHouse: %w", err)
	}
	found, err := conn.Query(ctx, sql, args...)
	if errors.Is(err, io.EOF) {
		return nil, nil, nil // a statement that has no result, such as DROP
	}
	if err != nil {
		return nil, nil, fmt.Errorf("query ClickHouse: %w", err)
	}
	defer found.Close()
	columns = found.Columns()
	for found.Next() {
		if len(rows) == queryRowsMax {
			return nil, nil, fmt.Errorf("query ClickHouse: more than %d rows; add a LIMIT", queryRowsMax)
		}
		places := make([]any, len(columns))
		for i, t := range found.ColumnTypes() {
			places[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := found.Scan(places...); err != nil {
			return nil, nil, fmt.Errorf("query ClickHouse: %w", err)
		}
		for i := range places {
			places[i] = reflect.ValueOf(places[i]).Elem().Interface()
		}
		rows = append(rows, places)
	}
	if err := found.Err(); err != nil {
		return nil, nil, fmt.Errorf("query ClickHouse: %w", err)
	}
	return columns, rows, nil
}
