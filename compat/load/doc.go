// Package load puts more on a server process than it can do, and looks at what others notice of it and
// what is left afterwards. It holds tests only; they need no Java.
//
// Ten thousand sessions with two hundred thousand watches, events for thousands of clients at once,
// clients that don't read what they asked for, several times the load that the server can do, and one
// client that lists a node of very many children, counts trees and asks operators' words in a loop. Each
// time a few ordinary clients in a process of their own write and read beside it (probe_test.go), and the load is
// nice to them. Others like them use a server of their own, and tell what the load costs everybody on the machine.
// Asserted is: the slowest hundredth of requests stays near what it was before, and is elsewhere, in the same run; their
// writes get ahead of those of clients that send one behind the other; no session expires; the memory of
// the process stays within what the settings allow; and afterwards its sessions, watches, connections and
// file descriptors are back where they were.
//
// How long requests take depends on what else the machine does, so the bounds are wide in a plain run.
// The long form (SOAK_MINUTES) has the full sizes and takes longer.
package load
