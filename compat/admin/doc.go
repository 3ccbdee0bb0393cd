// Package admin sends the same HTTP requests to the AdminServers of Apache ZooKeeper 3.9.5 and of this
// server, both with the same sessions, watches, ephemerals, quotas and TTL nodes, and compares statuses,
// heads and bodies to the byte after names are put in the place of what has to differ (session ids, ports,
// times). It compares the lines of both audit logs after one scripted run of operations as well.
//
// Where this server differs on purpose, the row of the table says how.
package admin
