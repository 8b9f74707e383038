package catalog

import (
	"bytes"
	"unicode/utf8"
	"unsafe"

	"github.com/seamline/seamline/schemas"
)

// column is one column of a table.
type column struct {
	name string
	what meaning
}

// Bounds of a table: what stands in columns behind the last is left out, and quotes that end nowhere are taken for text from then on, so
// that a table costs little more than its length.
const (
	columnsMax   = 512
	badQuotesMax = 64
)

// table reads a table with tabs: a line of names, and a row per line. Row n of it is element n of the record.
func (s *scratch) table(text []byte) {
	if !utf8.Valid(text) {
		s.out.Reject(schemas.ReasonMalformed, "not UTF-8")
		return
	}
	cells := cells{text: text}
	if !s.header(&cells) {
		s.out.Reject(schemas.ReasonUnknownFormat, "the first line of the table names no id, or neither price nor quantity nor availability")
		return
	}
	rows := 0
	for cells.more() {
		start := cells.at
		s.begin()
		s.out.Element = rows
		filled := false
		for n := 0; cells.next(); n++ {
			if n >= len(s.columns) || cells.cell == nil {
				continue
			}
			filled = true
			s.take(s.columns[n].name, s.columns[n].what, value{text: s.cell(&cells)})
		}
		if !filled {
			continue // an empty line
		}
		rows++
		s.finish(bytes.TrimRight(text[start:cells.at], "\r\n"))
	}
	if rows == 0 {
		s.out.Drop(sourceMerchant, schemas.DropNoEvent)
	}
}

// header reads the line of names, and tells whether it is one.
func (s *scratch) header(c *cells) bool {
	s.columns = s.columns[:0]
	id, fact := false, false
	for c.next() {
		name := s.cell(c)
		what := meaningOf(name)
		switch what.attribute {
		case attributeSKU, attributeOfferID:
			id = true
		case attributePrice, attributeQuantity, attributeAvailability:
			fact = true
		case attributeOther:
			if name == "" {
				what.attribute = attributeNone
			}
		}
		if len(s.columns) < columnsMax {
			s.columns = append(s.columns, column{name, what})
		}
	}
	return id && fact
}

// cell gives the text of a cell.
func (s *scratch) cell(c *cells) string {
	if !c.doubled {
		return unsafe.String(unsafe.SliceData(c.cell), len(c.cell))
	}
	s.text = s.text[:0]
	for i := 0; i < len(c.cell); i++ {
		s.text = append(s.text, c.cell[i])
		if c.cell[i] == '"' {
			i++
		}
	}
	return s.out.Text(s.text)
}

// cells walks over the cells of a table line by line.
type cells struct {
	text    []byte
	at      int
	cell    []byte // the current one, without its quotes and white space around it; nil for an empty one
	doubled bool   // it has quotes, each written twice
	ended   bool   // it was the last of its line
	bad     int    // quotes that ended nowhere
}

// more tells whether there is another line.
func (c *cells) more() bool {
	c.ended = false
	return c.at < len(c.text)
}

// next goes to the next cell of the line and gives false behind the last.
func (c *cells) next() bool {
	if c.ended {
		return false
	}
	c.doubled = false
	if c.at < len(c.text) && c.text[c.at] == '"' && c.bad < badQuotesMax {
		if c.quoted() {
			return true
		}
		c.bad++
	}
	end := c.at
	for end < len(c.text) && c.text[end] != '\t' && c.text[end] != '\n' {
		end++
	}
	c.close(c.text[c.at:end], end)
	return true
}

// quoted reads a cell in quotes, in which tabs and line ends are text.
func (c *cells) quoted() bool {
	doubled := false
	for i := c.at + 1; ; {
		n := bytes.IndexByte(c.text[i:], '"')
		if n < 0 {
			return false
		}
		end := i + n
		behind := end + 1
		if behind < len(c.text) && c.text[behind] == '"' {
			doubled, i = true, behind+1
			continue
		}
		if behind < len(c.text) && c.text[behind] == '\r' {
			behind++
		}
		if behind < len(c.text) && c.text[behind] != '\t' && c.text[behind] != '\n' {
			return false
		}
		c.close(c.text[c.at+1:end], behind)
		c.doubled = doubled
		return true
	}
}

// close ends a cell whose separator stands at end.
func (c *cells) close(cell []byte, end int) {
	c.ended = end >= len(c.text) || c.text[end] == '\n'
	c.at = min(end+1, len(c.text))
	if c.cell = bytes.TrimSpace(cell); len(c.cell) == 0 {
		c.cell = nil
	}
}
