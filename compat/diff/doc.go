// Package diff proves compatibility by comparison: the same bytes go to Apache ZooKeeper 3.9.5 and to
// this project's server, and what comes back must be the same: replies, error codes, Stats, zxids,
// watch events and the order in which they arrive. All of it is tests; switch it on with ZK_COMPAT=1.
//
// A case is a function that drives named connections of one server step by step (script_test.go). It
// runs on both servers at once and leaves two transcripts, which are compared step by step. Cases are
// grouped by the settings they need (configs_test.go); each group has one server of either kind, so a
// case works below a path of its own. The tables are in one file per family of operations.
//
// What cannot be equal is written down in normal form: zxids relative to the start of the case, times
// as "agrees with the other times of the same zxid", session ids by the name of their connection,
// unordered lists sorted. Where we differ on purpose is in allowed_test.go, each with its reason; such
// steps run on our server only, against an expectation of their own.
//
// Expectations in the tables (want...) are facts of the protocol as the project believes them. They are
// checked against the Java server, so a wrong belief shows even where both servers agree by luck.
//
// With DIFF_SECOND=java the second server is Java too: the cases must then show no difference, which
// proves that they are deterministic.
package diff
