// Package prep turns requests into transactions: it checks a request against the tree as it will be
// when all that was prepared before is applied, gives it the next zxid and writes the proposal's bytes,
// once, in the form in which they are logged, replicated and applied.
//
// A Preparer has one owner at a time (a goroutine or the holder of a lock) and is pure: no goroutine,
// clock, lock, file or random source inside; the time is an argument. It reads the committed tree through
// tree.View and keeps, on top of it, the changes in flight: for each node touched by a transaction that
// is prepared but not yet applied, what it will look like. A change is dropped when its owner says that
// the transaction is applied (Applied). The committed tree may move on between two calls to the View:
// what has no change in flight is final there, and what has one is read here.
//
// A request that fails still takes its zxid and its place in the order, as an error transaction: replies
// carry that zxid, and a Java follower counts on it. A multi fails as a whole and leaves no change.
//
// The digest in each proposal is that of the tree after it, computed from the nodes it changes; the
// CRC over path and data that the tree keeps makes a change of stat cost 60 bytes of CRC.
//
// What prep does not do: it knows no connection, decides nothing about permissions (Authorizer) or
// session states (Sessions), and does not refuse ops that only a server may originate: what gets here
// was checked at the edge (Request.Decode and the connection).
//
// The rules come from Java's PrepRequestProcessor, PathUtils, EphemeralType, MultiOperationRecord and
// ZooKeeperServer.checkQuota (Apache ZooKeeper 3.9.5), and from sections 4.3, 6-9, 14 and 18 of the
// project's client protocol reference. It differs from Java on purpose where Java's view of the changes
// in flight is wrong, so that an answer never depends on how far apply has come:
//
//   - setACL is in force for the requests right behind it (Java checks them against the old list);
//   - the ephemerals of a closing session no longer count as children (Java refuses the delete of their
//     parent until the close is applied);
//   - "/" is one node (Java keeps the changes made under its two names apart);
//   - the digest has the owner that createContainer with other flags, or create with the container flag,
//     will store, and of a parent whose cversion can grow no more what apply will leave of it.
package prep
