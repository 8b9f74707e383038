// Command seamline turns the separate streams of an omnichannel retailer into one live picture of every customer.
// It is the only place that knows all rooms: it reads settings, wires rooms together, and exits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/seamline/seamline/deploy/local"
)

// Exit codes of the command line.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// command is one subcommand.
type command struct {
	name  string
	args  string
	about string
	run   func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"demo", "[flags]", "start everything embedded, with live traffic, and show what comes of it", runDemo},
		{"local", "[flags]", "start only the embedded Kafka and ClickHouse, and print their addresses", runLocal},
		{"run", "--config F [flags]", "process the topics until a signal", runRun},
		{"check", "--config F [flags]", "validate the settings and print those in effect", runCheck},
		{"migrate", "--config F [flags]", "create or update the ClickHouse tables", runMigrate},
		{"publish", "--topic T [flags] FILE...", "publish records to Kafka, one a line, or whole files", runPublish},
		{"generate", "[flags]", "publish sample traffic of simulated shoppers, with ground truth", runGenerate},
		{"replay", "--from-start | --topic T --from TIME | --compare", "process topics again: rebuild everything, pick up what was never accepted, or prove the tables", runReplay},
		{"identity", "explain|retract|quarantine|release|erase|dry-run", "say why identifiers are one person, take links back, and try other rules", runIdentity},
		{"audiences", "check|preview [--file F]", "find mistakes in a file of audiences, and see what it would change", runAudiences},
		{"profile", "show|explain NS:VALUE|ID", "show one person as a clerk needs it, or say what each score is made of", runProfile},
		{"export", "[flags] | credential|sign", "write lists of audiences for platforms into a directory, and make credentials for those who pull", runExport},
		{"bench", "[flags]", "measure events per second and CPU per event, end to end", runBench},
		{"version", "", "print the version", runVersion},
	}
}

func main() {
	local.Main() // the embedded ClickHouse is this program, started again
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(exitCode(run(ctx, os.Args[1:]), os.Stderr))
}

func exitCode(err error, out io.Writer) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintln(out, "seamline:", err)
		return exitUsage
	}
	fmt.Fprintln(out, "seamline:", err)
	return exitFailed
}

func run(ctx context.Context, args []string) error {
	return dispatch(ctx, args, commands(), printUsage)
}

// dispatch runs the command that the first argument names.
func dispatch(ctx context.Context, args []string, list []command, usage func(out io.Writer)) error {
	if len(args) == 0 {
		usage(os.Stderr)
		return usageError{errors.New("a command is missing")}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(os.Stdout)
		return nil
	}
	for _, c := range list {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	usage(os.Stderr)
	return usageError{fmt.Errorf("unknown command %q", args[0])}
}

func printUsage(out io.Writer) {
	fmt.Fprintln(out, "seamline: one live, explainable profile per customer, from Kafka to ClickHouse")
	fmt.Fprintln(out)
	for _, c := range commands() {
		fmt.Fprintf(out, "  seamline %-9s %-28s %s\n", c.name, c.args, c.about)
	}
	fmt.Fprintln(out, "\n`seamline COMMAND -h` lists the flags of a command.")
}

func runVersion(context.Context, []string) error {
	fmt.Println("seamline", version())
	return nil
}

// release is set by the linker in builds that know no module version, such as the image's.
var release string

// version is the release, the module's version or, in a checkout, the commit.
func version() string {
	if release != "" && release != "dev" {
		return release + " " + runtime.Version()
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, dirty := info.Main.Version, ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			if v == "" || v == "(devel)" {
				v = s.Value[:min(12, len(s.Value))]
			}
		case "vcs.modified":
			if s.Value == "true" {
				dirty = " (modified)"
			}
		}
	}
	return v + dirty + " " + info.GoVersion
}
