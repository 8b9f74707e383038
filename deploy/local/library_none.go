//go:build nolibrary || !(linux || darwin)

package local

import "errors"

// libraryLoads tells whether this build can load the library. This one has no loader.
const libraryLoads = false

func serveLibrary(childSpec) error {
	return errors.New("this build cannot load the ClickHouse library")
}
