// Package crash kills real servers under load and takes the room from their disks, and looks for what
// must not happen: an acknowledged write that is gone, half a multi, a count, a version, a quota or an
// ephemeral that does not fit.
//
// Each writer of the load has a session and a subtree of its own, pipelines every kind of write, and
// knows from a model what each reply has to be. After a crash the subtree must be what the model says after
// some number of its requests: at least those acknowledged, at most those sent. The data is also
// opened without a server, and everything the tree keeps count of is computed anew, the digest among it.
//
//	TestKill        SIGKILL, again and again; TestKillSoak: 200 times and more
//	TestPowerCut    the image of a mounted ext4 disk is copied at an instant and served from the copy
//	TestFullDisk    a small disk is filled and emptied: no writes, writes again; a start on a full disk
//	TestDiskRunsOut a disk without a mark fills up: the process ends with the reason, nothing is lost
//
// What happens at each single write and sync inside the process is tested in server/embed and
// persistence, on disks in memory.
package crash
