// Package operators compares what operators see of an ensemble: an ensemble of Apache ZooKeeper 3.9.5 and one of ours
// do the same, beside each other, and are asked the same: four-letter words, AdminServer commands and metrics of
// leader, followers and observer. Then the leaders are killed, and the next ones are asked.
//
// Keys, types and layout must be the same, and so must every value that does not depend on times, ports and the
// machine: zxids, roles, counts. What Java's ensemble fills of its metrics ours must fill, too. The differences that
// are meant are in allowed_test.go, each with its reason. It is switched on by ZK_COMPAT=1.
package operators
