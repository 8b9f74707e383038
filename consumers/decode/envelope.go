package decode

import (
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
	if len(r.Headers) > 0 {
		if contentType, ok := contentType(r); ok && strings.HasPrefix(contentType, "application/cloudevents+json") {
			return cloudEvent(value)
		}
	}
	return value, nil
}

func contentType(r *schemas.Record) (string, bool) {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, "content-type") {
			return strings.ToLower(strings.TrimSpace(string(h.Value))), true
		}
	}
	return "", false
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
