package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// contacts: every e-mail address of the records has its hash, once, beside the identifier that it is, and there is no other.
func (c *checker) contacts() error {
	rows, err := c.rows(`SELECT lower(hex(c.plain)), toString(c.kind), lower(hex(i.value_hash)), toString(c.plain = c.uid2 AND c.plain = c.google AND c.value = '')
		FROM (SELECT * FROM ` + c.from("contacts") + `) AS c LEFT JOIN (SELECT identifier_id, value_hash FROM identifiers FINAL) AS i USING (identifier_id)`)
	if err != nil {
		return err
	}
	found := map[string][]string{}
	for _, row := range rows {
		if _, again := found[row[0]]; again {
			c.say("contacts: hash %s is there twice", row[0])
		}
		found[row[0]] = row[1:]
	}
	for name := range c.oracle.persons {
		address, isEmail := strings.CutPrefix(name, "email:")
		if !isEmail {
			continue
		}
		sum := sha256.Sum256([]byte(address))
		row := found[hex.EncodeToString(sum[:])]
		delete(found, hex.EncodeToString(sum[:]))
		if row == nil {
			c.say("contacts: %s is not in contacts", name)
		} else if row[0] != "email" || row[1] != hash(address) || row[2] != "1" {
			c.say("contacts: %s is there as %v", name, row)
		}
	}
	for sum, row := range found {
		c.say("contacts: %s (%s) is of no record", sum, row[0])
	}
	return nil
}
