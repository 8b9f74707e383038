package decode

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/encoding/json"

	"github.com/seamline/seamline/schemas"
)

// Errors of unwrap.
var (
	errEmpty     = errors.New("the value is empty")
	errTruncated = errors.New("the value ends within its schema registry frame")
)

// unwrap takes the envelope off a record's value: the Confluent schema registry frame with a 4-byte id (0x00) or a 16-byte GUID
// (0x01), and a CloudEvents 1.0 structured event. A CloudEvents binary record, and an id in headers, leave the value bare.
func unwrap(r *schemas.Record) ([]byte, error) {
	value := r.Value
	if len(value) == 0 {
		return nil, errEmpty
	}
	switch value[0] {
	case 0:
		if len(value) <= 5 {
			return nil, errTruncated
		}
		value = value[5:]
	case 1:
		if len(value) <= 17 {
			return nil, errTruncated
		}
		value = value[17:]
	}
	if len(r.Headers) > 0 && structured(r) {
		return cloudEvent(value)
	}
	return value, nil
}

// cloudEventType starts the content type of a structured CloudEvents event in JSON.
var cloudEventType = []byte("application/cloudevents+json")

// structured tells by the record's content type whether it is a structured CloudEvents event.
func structured(r *schemas.Record) bool {
	for i := range r.Headers {
		if h := &r.Headers[i]; strings.EqualFold(h.Key, "content-type") {
			value := bytes.TrimSpace(h.Value)
			return len(value) >= len(cloudEventType) && bytes.EqualFold(value[:len(cloudEventType)], cloudEventType)
		}
	}
	return false
}

// cloudEvent gives the data of a structured CloudEvents 1.0 event.
func cloudEvent(value []byte) ([]byte, error) {
	var event struct {
		SpecVersion string          `json:"specversion"`
		ID          string          `json:"id"`
		Source      string          `json:"source"`
		Type        string          `json:"type"`
		Data        json.RawMessage `json:"data"`
		DataBase64  string          `json:"data_base64"`
	}
	if rest, err := json.Parse(value, &event, json.ZeroCopy); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("not a JSON CloudEvent")
	}
	if event.SpecVersion != "1.0" || event.ID == "" || event.Source == "" || event.Type == "" {
		return nil, errors.New("a CloudEvent needs specversion 1.0, id, source and type")
	}
	switch {
	case event.DataBase64 != "":
		data, err := base64.StdEncoding.DecodeString(event.DataBase64)
		if err != nil {
			return nil, errors.New("data_base64 of the CloudEvent is not base64")
		}
		return data, nil
	case len(event.Data) == 0 || string(event.Data) == "null":
		return nil, errors.New("the CloudEvent has no data")
	case event.Data[0] == '"':
		// XML and other text travels as a JSON string.
		var text string
		if err := json.Unmarshal(event.Data, &text); err != nil {
			return nil, errors.New("data of the CloudEvent is no JSON string")
		}
		return []byte(text), nil
	}
	return event.Data, nil
}
