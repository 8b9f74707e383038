package pipeline_test

import "github.com/cockroachdb/pebble/v2/vfs"

// disk is a file system that tells of each step that makes something durable, before and after it.
type disk struct {
	vfs.FS
	synced func()
}

// Create makes a file.
func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.watch(d.FS.Create(name, category))
}

// OpenReadWrite opens a file that may be written to.
func (d *disk) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.watch(d.FS.OpenReadWrite(name, category, opts...))
}

// ReuseForWrite makes another file of one.
func (d *disk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.watch(d.FS.ReuseForWrite(oldname, newname, category))
}

// OpenDir opens a directory.
func (d *disk) OpenDir(name string) (vfs.File, error) { return d.watch(d.FS.OpenDir(name)) }

func (d *disk) watch(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &watched{f, d.synced}, nil
}

// watched is a file that tells when it is made durable.
type watched struct {
	vfs.File
	synced func()
}

// Sync makes everything durable.
func (f *watched) Sync() error {
	f.synced()
	defer f.synced()
	return f.File.Sync()
}

// SyncData makes the content durable.
func (f *watched) SyncData() error {
	f.synced()
	defer f.synced()
	return f.File.SyncData()
}

// SyncTo makes the content up to a length durable.
func (f *watched) SyncTo(length int64) (bool, error) {
	f.synced()
	defer f.synced()
	return f.File.SyncTo(length)
}
