//go:build (linux || darwin) && !nolibrary

package local

import (
	"fmt"
	"runtime"

	"github.com/ebitengine/purego"
)

// libraryLoads tells whether this build can load the library. The build tag nolibrary leaves the loader out, for a static binary.
const libraryLoads = true

// serveLibrary loads the library and runs its command line, which returns only when it failed to start: on SIGTERM the
// library shuts down and ends the process itself.
func serveLibrary(spec childSpec) error {
	runtime.LockOSThread()
	handle, err := purego.Dlopen(spec.Engine.Path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load %s: %w", spec.Engine.Path, err)
	}
	symbol, err := purego.Dlsym(handle, "chdb_query_cmdline")
	if err != nil {
		return fmt.Errorf("find the library's command line in %s: %w", spec.Engine.Path, err)
	}
	var query func(argc int32, argv **byte) uintptr
	purego.RegisterFunc(&query, symbol)
	args := append([]string{"clickhouse"}, spec.Args...)
	argv := make([]*byte, 0, len(args)+1)
	for _, arg := range args {
		argv = append(argv, &append([]byte(arg), 0)[0])
	}
	query(int32(len(args)), &append(argv, nil)[0])
	runtime.KeepAlive(argv)
	return fmt.Errorf("the server ended")
}
