package mixed

import (
	"fmt"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// roomBytes is the size of a disk whose low-water mark is at its least, 48 MiB; littleRoom is below that, and above what
// would end the server.
const roomBytes, littleRoom = 160 << 20, 10 << 20

// TestNoRoom takes the room of one of our servers beside two of Java: first it leads, then it follows. It leaves
// the ensemble, Java's servers go on, and with room again it comes back by itself and has everything.
func TestNoRoom(t *testing.T) {
	control.Need(t)
	disk, err := harness.NewDisk(t, roomBytes)
	if err != nil {
		t.Skip("no disk of its own for a server: ", err)
	}
	members := kinds(t, "jgj")
	members[1].Dir = disk.Dir
	r := newRig(t, members)
	ours := r.e.Servers[1]
	others := r.othersVoting(ours)
	r.lead(ours)
	for _, role := range []string{"leader", "follower"} {
		if got := ours.Mode(); got != role {
			t.Fatalf("our server is %q, not %s", got, role)
		}
		pid := ours.PID()
		remove, err := harness.FillDisk(ours.Dir, littleRoom)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); ours.Mode() != ""; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("our server without room is still %q", ours.Mode())
			}
		}
		r.awaitQuorum(others[0], others[1])
		r.write(others[0], 50)
		if got := ours.Mode(); got != "" {
			t.Errorf("our server is %q without room", got)
		}
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		r.await(ours)
		if ours.PID() != pid {
			t.Error("our server has ended meanwhile")
		}
		r.same(fmt.Sprintf("our server, as %s, had no room", role))
	}
	r.finish()
}
