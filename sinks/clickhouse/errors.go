package clickhouse

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/seamline/seamline/schemas"
)

// hopeless are answers that no retry of the same block mends: the tables are not what this build writes.
var hopeless = []proto.Error{
	proto.ErrIncorrectNumberOfColumns, proto.ErrThereIsNoColumn, proto.ErrNotFoundColumnInBlock, proto.ErrNoSuchColumnInTable,
	proto.ErrNumberOfColumnsDoesntMatch, proto.ErrIllegalTypeOfArgument, proto.ErrIllegalColumn, proto.ErrUnknownFunction,
	proto.ErrUnknownIdentifier, proto.ErrUnknownType, proto.ErrTypeMismatch, proto.ErrUnknownTable, proto.ErrSyntaxError,
	proto.ErrCannotConvertType, proto.ErrUnknownDatabase, proto.ErrIncorrectData, proto.ErrCannotParseText, proto.ErrUnknownSetting,
}

// passing are answers that time may mend. Everything else that a server answers to a migration is for a person to mend.
var passing = []proto.Error{
	proto.ErrTimeoutExceeded, proto.ErrTooManySimultaneousQueries, proto.ErrSocketTimeout, proto.ErrNetworkError, proto.ErrAborted,
	proto.ErrMemoryLimitExceeded, proto.ErrTableIsReadOnly, proto.ErrNotEnoughSpace, proto.ErrTooManyParts, proto.ErrAllConnectionTriesFailed,
	proto.ErrKeeperException, proto.ErrNoZookeeper, proto.ErrCannotWriteToFileDescriptor, proto.ErrQuotaExpired, proto.ErrQueryWasCancelled,
}

// writeError gives an error of an INSERT its class: schemas.ErrFatal where no retry helps, else the error as it is.
func writeError(doing string, err error) error {
	if err == nil {
		return nil
	}
	if code, ok := answer(err); ok && slices.Contains(hopeless, code) {
		return fmt.Errorf("%s: %w: %w", doing, schemas.ErrFatal, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// answer gives the code of a server's exception.
func answer(err error) (proto.Error, bool) {
	if e, ok := ch.AsException(err); ok {
		return e.Code, true
	}
	var e *driver.Exception
	if errors.As(err, &e) {
		return proto.Error(e.Code), true
	}
	return 0, false
}

// mayPass tells whether an error at the start is worth waiting for.
func mayPass(err error) bool {
	if code, ok := answer(err); ok {
		return slices.Contains(passing, code)
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return !errors.Is(err, schemas.ErrFatal) && !errors.As(err, &certificate) && !errors.As(err, &record)
}

// secretive is an error whose text leaves out a secret: a server may quote the statement that it refuses.
type secretive struct {
	error
	secret string
}

// Error gives the text without the secret.
func (e secretive) Error() string { return strings.ReplaceAll(e.error.Error(), e.secret, "***") }

// Unwrap gives the error as it was.
func (e secretive) Unwrap() error { return e.error }

func withoutSecret(err error, secret string) error {
	if err == nil || secret == "" || !strings.Contains(err.Error(), secret) {
		return err
	}
	return secretive{err, secret}
}
