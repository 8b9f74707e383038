package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/contact"
	"github.com/seamline/seamline/sinks/export"
)

// contactsConfig says whether contact data is kept in clear, encrypted, beside its hashes.
type contactsConfig struct {
	Clear   bool
	Key     string
	KeyFile string
}

// Flags registers every setting.
func (c *contactsConfig) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.Clear, "contacts.clear", c.Clear, "keep contact data beside its hashes, encrypted, for what cannot be sent as a hash, such as Google's postal codes")
	fs.StringVar(&c.Key, "contacts.key", c.Key, "key that clear contact data is encrypted with: 32 bytes in base64, as openssl rand -base64 32 gives them")
	fs.StringVar(&c.KeyFile, "contacts.key-file", c.KeyFile, "file that holds contacts.key")
}

// Validate finds settings that cannot work.
func (c *contactsConfig) Validate() error {
	switch {
	case c.Key != "" && c.KeyFile != "":
		return errors.New("contacts.key and contacts.key-file exclude each other")
	case c.Clear && c.Key == "" && c.KeyFile == "":
		return errors.New("contacts.clear needs contacts.key or contacts.key-file")
	}
	_, err := c.opener()
	return err
}

// opener gives what clear contact data is read with; nil where there is no key.
func (c *contactsConfig) opener() (*contact.Sealer, error) {
	name, text := "contacts.key", c.Key
	if c.KeyFile != "" {
		content, err := os.ReadFile(c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("contacts.key-file: %w", err)
		}
		name, text = "contacts.key-file: "+c.KeyFile, string(content)
	} else if text == "" {
		return nil, nil
	}
	key, err := contact.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return contact.NewSealer(key)
}

// sealer gives what contact data is encrypted with; nil where it is not kept.
func (c *contactsConfig) sealer() (*contact.Sealer, error) {
	if !c.Clear {
		return nil, nil
	}
	return c.opener()
}

// digest tells what rows of contact data depend on, without telling the key; empty where nothing is kept in clear.
func (c *contactsConfig) digest() (string, error) {
	sealer, err := c.sealer()
	if sealer == nil {
		return "", err
	}
	return sealer.KeyID(), nil
}

// vault gives functions that read what stands in contacts_clear, and that seal it again for the ledger of exports; nil where there is no key.
func (c *contactsConfig) vault() (export.Opener, export.Closer, error) {
	sealer, err := c.opener()
	if sealer == nil {
		return nil, nil, err
	}
	closer := func(identifier uint64, kind, value string) (keyID string, ciphertext []byte, err error) {
		known, ok := schemas.ParseContactKind(kind)
		if !ok {
			return "", nil, fmt.Errorf("seal contact data: kind %q is not known", kind)
		}
		return sealer.KeyID(), sealer.Seal(identifier, known, value), nil
	}
	return func(identifier uint64, kind, keyID string, ciphertext []byte) (string, error) {
		known, ok := schemas.ParseContactKind(kind)
		if !ok {
			return "", fmt.Errorf("read contact data: kind %q is not known", kind)
		}
		if keyID != sealer.KeyID() {
			return "", fmt.Errorf("read contact data: it was encrypted with key %s, and contacts.key is %s", keyID, sealer.KeyID())
		}
		return sealer.Open(identifier, known, ciphertext)
	}, closer, nil
}
