// Command healthcheck asks one URL and tells by its exit code whether the answer was good.
// In comes a URL; out comes 0 for a 2xx answer and 1 for anything else.
// It never waits longer than the image's health check allows.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

const waitMax = 2 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: healthcheck URL")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(url string) error {
	client := &http.Client{Timeout: waitMax}
	resp, err := client.Get(url)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("check health: %s answers %s", url, resp.Status)
	}
	return nil
}
