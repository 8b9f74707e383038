package local

import "syscall"

// endWithParent asks the kernel to kill the child when the thread that started it ends. See runOnOwnThread.
func endWithParent(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.Pdeathsig = syscall.SIGKILL
	return attr
}
