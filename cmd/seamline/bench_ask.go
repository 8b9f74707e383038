package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
)

// askClickHouse sends a query over HTTP, with data for it where it is an INSERT, and gives the answer's bytes.
func (b *benchRun) askClickHouse(ctx context.Context, query string, body []byte) ([]byte, error) {
	values := url.Values{"query": {query}, "max_insert_threads": {strconv.Itoa(runtime.NumCPU())}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.clickHouse+"/?"+values.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("ask ClickHouse: %s: %s", query, answer)
	}
	return answer, err
}

// appendPair appends a row of two UInt64 in the format RowBinary.
func appendPair(body []byte, a, b uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(body, a), b)
}

// pairAt reads the n-th row of two UInt64.
func pairAt(body []byte, n int) (a, b uint64) {
	return binary.LittleEndian.Uint64(body[16*n:]), binary.LittleEndian.Uint64(body[16*n+8:])
}
