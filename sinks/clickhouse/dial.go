package clickhouse

import (
	"context"

	"github.com/ClickHouse/ch-go"
)

// Dialer gives a function that opens a connection of the native protocol, which the caller closes. Hosts are tried in order.
func (c Config) Dialer() (func(ctx context.Context) (*ch.Client, error), error) {
	p, err := newPool(c)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*ch.Client, error) {
		var fresh connection
		if err := p.connect(ctx, &fresh); err != nil {
			return nil, err
		}
		return fresh.client, nil
	}, nil
}
