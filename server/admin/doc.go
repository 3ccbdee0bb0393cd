// Package admin is ZooKeeper's AdminServer: the commands that operators, probes and charts send over
// HTTP, with their answers in JSON, and the two that carry a whole tree, snapshot and restore.
package admin
