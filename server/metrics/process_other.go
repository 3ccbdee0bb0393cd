//go:build !unix

package metrics

// openFiles and openFilesMax answer -1: unknown, as Java's OSMXBean does on such systems.
func openFiles() int64 { return -1 }

func openFilesMax() int64 { return -1 }
