// Package ensemble runs ensembles of real processes of this project's server. Clients write on every server
// while leaders and whole ensembles are killed; afterwards everything that was acknowledged has to be on every
// server, and all trees have to be the same. A follower that comes back takes a DIFF, an emptied one a SNAP.
//
// The in-process tests of server/embed go through the same and more with cut networks and power cuts; here it is
// the program, with its files, ports and signals. It is switched on by ZK_COMPAT=1.
package ensemble
