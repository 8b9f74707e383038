package main

import (
	"context"
	"errors"
)

func runIdentityDryRun(_ context.Context, _ []string) error {
	return errors.New("soon")
}
