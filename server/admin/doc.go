// Package admin is ZooKeeper's AdminServer: the commands that operators, probes and charts send over
// HTTP, with their answers in JSON, and the two that carry a whole tree, snapshot and restore.
//
//	GET  /commands            links to all commands
//	GET  /commands/NAME       the command with that name or alias; ?key=value are its arguments
//	POST /commands/restore    the body is a snapshot
//
// It renders what figures.Server gives and holds no figures of its own. Names, aliases, fields, their
// order and spacing, statuses and the order of checks are Java's, because scripts match on them.
//
// What differs from Java on purpose:
//   - Commands that list sessions, connections, watches, paths, environment or settings answer only to
//     callers on the machine itself and to authenticated ones (access.go); admin.sensitive=open gives
//     them to everybody, as Java does.
//   - A command called with the wrong method is 405, where Java fails with 500.
//   - Passwords are not shown among the settings.
//
// # Bounds
//
// A caller can hurt only itself: heads, bodies, connections in all and from one address are limited, a
// connection that neither reads nor writes is closed, at most two long lists are on their way at once and
// each within a minute, and snapshots and restores come at most once per interval (limiter.go). Lists
// are sent in chunks.
//
// The rules come from Java's JettyAdminServer, Commands and JsonOutputter (Apache ZooKeeper 3.9.5), as
// described in the reference on the AdminServer, and are compared with a running one in compat/admin.
package admin
