//go:build !linux

package local

import "syscall"

// endWithParent has no help from the kernel here: the inherited pipe alone ends the child.
func endWithParent(attr *syscall.SysProcAttr) *syscall.SysProcAttr { return attr }
