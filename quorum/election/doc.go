// Package election is ZooKeeper's fast leader election: who of an ensemble should lead next, and whom a
// server that comes late should follow.
//
// A Node is one server's part in it. It is stepped: Look begins an election, Receive takes a notification of
// another server, Tick lets time pass, Actions gives what is to be sent and what was decided. It has no
// goroutine, socket, clock or log; time is an argument, any monotonic one. Between elections it goes on
// answering those who look for a leader. A Node belongs to one goroutine.
//
// The package also has the codecs of the election port: Notification and InitialMessage. Who may be dialled,
// and what becomes of a connection, is decided elsewhere. Nothing here is durable: an election only proposes a
// leader, and it is discovery and synchronization (quorum/zab) that keep a wrong choice from losing anything.
//
// The rules come from FastLeaderElection, Vote and QuorumCnxManager.InitialMessage of Apache ZooKeeper 3.9.5
// (reference quorum-protocol, section 1), with these departures; Java's servers take part without noticing:
//   - Java waits 200 ms in silence before it decides (finalizeWait). So does a Node, but it decides at once
//     when every voter has sent the vote it would decide for, and after AgreedWait when every voter has that
//     can be reached. While it waits it takes in all that comes, and useless messages don't lengthen the wait.
//   - A LOOKING voter of the same round whose vote is not the better one is told ours when it is the first we
//     hear of it, or when its vote is worse. Java leaves that to the next time out of one of the two.
//   - Servers without a vote are answered only while they look, and don't send their vote to voters of an
//     earlier round: in Java two such servers can answer each other's answers without end.
//   - A server whose zxid is -1 has lost its memory. Java and a Node ignore its votes. A Node never takes
//     such a server, itself, for the leader, even when others say that it leads. An empty one becomes such a
//     server when a voter shows that the ensemble has a history (Options.Empty).
//   - A server can withdraw: it neither votes nor answers until it looks again, as if it were down. One that only
//     wants to know if there is a leader looks with the zxid -1.
//   - A round that no election can have reached (negative, or above 2^62) is dropped from LOOKING
//     notifications; Java's counter would overflow.
//   - A newer config in a notification is told to the caller and otherwise ignored: reconfig is off.
//   - The oracle of two-server ensembles does not exist.
package election
