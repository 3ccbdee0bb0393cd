// Package persistence keeps the transaction log and the znode tree on disk, in two Pebble stores.
package persistence
