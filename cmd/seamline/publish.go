package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// lineBytesMax bounds one line of a published file.
const lineBytesMax = 64 << 20

// publishOptions are the flags of publish.
type publishOptions struct {
	topic   string
	key     string
	whole   bool
	headers []schemas.Header
}

func runPublish(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("publish", flag.ContinueOnError)
	var opt publishOptions
	fs.StringVar(&opt.topic, "topic", "", "topic to publish to")
	fs.StringVar(&opt.key, "key", "", "key of every record; empty for none")
	fs.BoolVar(&opt.whole, "whole", false, "publish each file as one record, not each line")
	fs.Func("header", "header of every record, as name=value; may be given again", func(text string) error {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return errors.New("a header is name=value")
		}
		opt.headers = append(opt.headers, schemas.Header{Key: name, Value: []byte(value)})
		return nil
	})
	if err := s.parse(fs, args); err != nil {
		return err
	}
	switch {
	case opt.topic == "":
		return usageError{errors.New("publish: --topic is missing")}
	case fs.NArg() == 0:
		return usageError{errors.New("publish: name the files, or - for standard input")}
	}
	if err := s.Kafka.Validate(); err != nil {
		return usageError{err}
	}
	publisher, err := openPublisher(&s.Kafka)
	if err != nil {
		return err
	}
	defer publisher.Close()
	for _, name := range fs.Args() {
		if err := publishFile(ctx, publisher, name, opt); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := publisher.Flush(ctx); err != nil {
		return err
	}
	records, size := publisher.Published()
	fmt.Printf("published %d records, %d bytes, to %s\n", records, size, opt.topic)
	return nil
}

func openPublisher(cfg *consumer.Config) (*producer.Publisher, error) {
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	return producer.OpenPublisher(opts)
}

func publishFile(ctx context.Context, publisher *producer.Publisher, name string, opt publishOptions) error {
	in := io.Reader(os.Stdin)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	send := func(value []byte) error {
		m := producer.Message{Topic: opt.topic, Value: value, Headers: opt.headers}
		if opt.key != "" {
			m.Key = []byte(opt.key)
		}
		return publisher.Publish(ctx, m)
	}
	if opt.whole {
		value, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return send(value)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), lineBytesMax)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := send(bytes.Clone(lines.Bytes())); err != nil {
			return err
		}
	}
	return lines.Err()
}
