package export

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// renderer writes people as the rows of a platform's files.
type renderer struct {
	platform *Platform
	format   string
	vault    *vault
	clear    []byte           // of the person whose values were sealed
	places   [kindCount][]int // of each kind: its columns, by which its values are dealt out
	values   [kindCount][][]byte
}

func newRenderer(p *Platform, format string, v *vault) *renderer {
	r := &renderer{platform: p, format: format, vault: v}
	for i := range p.Columns {
		if c := &p.Columns[i]; c.Constant == nil {
			r.places[c.kind] = append(r.places[c.kind], i)
		}
	}
	return r
}

// header appends the first line, where the platform wants one.
func (r *renderer) header(to []byte) []byte {
	if !r.platform.Header || r.format == FormatNDJSON {
		return to
	}
	for i := range r.platform.Columns {
		to = r.cell(to, i, []byte(r.platform.Columns[i].Name))
	}
	return append(to, '\n')
}

// person appends the rows of one person.
func (r *renderer) person(to []byte, id schemas.ProfileID, record []byte) ([]byte, error) {
	clear, err := r.vault.revealed(r.clear[:0], id, record)
	if err != nil {
		return to, err
	}
	if record = clear; len(clear) > cap(r.clear) {
		r.clear = make([]byte, 0, 2*len(clear)) // for the next
	}
	if r.format == FormatNDJSON {
		return append(appendKeysJSON(to, record), '\n'), nil
	}
	for k := range r.values {
		r.values[k] = r.values[k][:0]
	}
	keys(record, func(k kind, value []byte) { r.values[k] = append(r.values[k], value) })
	for row := range r.rowsOf() {
		for i := range r.platform.Columns {
			to = r.cell(to, i, r.at(i, row))
		}
		to = append(to, '\n')
	}
	return to, nil
}

// rowsOf tells how many rows the person takes whose values there are.
func (r *renderer) rowsOf() int {
	rows := 1
	for k := range r.values {
		if n := len(r.places[k]); n > 0 && kind(k).isMany() {
			rows = max(rows, (len(r.values[k])+n-1)/n)
		}
	}
	return rows
}

// at gives what stands in a column of one of a person's rows.
func (r *renderer) at(column, row int) []byte {
	c := &r.platform.Columns[column]
	if c.Constant != nil {
		return []byte(*c.Constant)
	}
	index := 0
	for i, place := range r.places[c.kind] {
		if place == column {
			index = i
		}
	}
	if c.kind.isMany() {
		index += row * len(r.places[c.kind])
	}
	if index >= len(r.values[c.kind]) {
		return nil
	}
	return r.values[c.kind][index]
}

// cell appends one cell, with the separator before it.
func (r *renderer) cell(to []byte, column int, value []byte) []byte {
	if r.format == FormatTSV {
		if column > 0 {
			to = append(to, '\t')
		}
		for _, b := range value {
			if b == '\t' || b == '\n' || b == '\r' {
				b = ' '
			}
			to = append(to, b)
		}
		return to
	}
	if column > 0 {
		to = append(to, ',')
	}
	if !bytes.ContainsAny(value, ",\"\r\n") {
		return append(to, value...)
	}
	to = append(to, '"')
	to = append(to, strings.ReplaceAll(string(value), `"`, `""`)...)
	return append(to, '"')
}

// appendKeysJSON appends the keys of a record as an object: a list for kinds that a person may have many of, else a text.
func appendKeysJSON(to, record []byte) []byte {
	to = append(to, '{')
	last, isList := kindEnd, false
	keys(record, func(k kind, value []byte) {
		switch {
		case k == last && isList:
			to = append(to, ',')
		default:
			if isList {
				to = append(to, ']')
			}
			if last != kindEnd {
				to = append(to, ',')
			}
			to = append(append(append(to, '"'), k.String()...), '"', ':')
			if isList = k.isMany(); isList {
				to = append(to, '[')
			}
		}
		last = k
		to = appendText(to, value)
	})
	if isList {
		to = append(to, ']')
	}
	return append(to, '}')
}

// appendText appends a JSON string.
func appendText(to, value []byte) []byte {
	for _, b := range value {
		if b < 0x20 || b == '"' || b == '\\' || b >= 0x7f {
			quoted, _ := json.Marshal(string(value)) // a string always has a form
			return append(to, quoted...)
		}
	}
	return append(append(append(to, '"'), value...), '"')
}
