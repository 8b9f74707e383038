// Command fetch downloads ClickHouse's library into the cache, so that a first `make demo` does so while it builds.
// Nothing comes in but the environment; what local.EnsureClickHouse says goes to the standard error.
// It never starts a server. Built with the tag fetch, it leaves the broker out and is ready long before the rest.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/seamline/seamline/deploy/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if _, err := local.EnsureClickHouse(ctx, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}
