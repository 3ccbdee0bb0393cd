package persistence

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are what Open needs to know.
type Options struct {
	// DataDir and DataLogDir are zoo.cfg's folders; they may be the same.
	DataDir, DataLogDir string
	// ServerID is myid; 0 for a standalone server.
	ServerID int64
	// NoAutoCreate refuses missing folders (zookeeper.datadir.autocreate=false).
	NoAutoCreate bool
	FS           vfs.FS
	Logger       *slog.Logger
	// Log and State carry the tuning of each store; their Dir, FS and Logger are filled in by Open.
	Log   LogOptions
	State StateOptions
}

// Recovered is what Open found: both stores, checked, with State.Applied() <= Log.LastLogged().
// What to do next: fill from State, redo Log.Read(State.Applied()+1), then Start both.
type Recovered struct {
	Log   *Log
	State *State
	// StoreID is the random id both stores carry.
	StoreID StoreID
	// Fresh is true when nothing was there before.
	Fresh bool
	// Took is the time opening took.
	Took time.Duration
}

// StoreID is the random id that ties a log and a state store together.
type StoreID [16]byte

// Open opens both stores, creating them where there is nothing, and checks that they belong together
// (design I9). Its errors that an operator must act on are *StartError and *CorruptionError.
func Open(o Options) (*Recovered, error) { return nil, nil }

// Close closes both, state first.
func (r *Recovered) Close() error { return nil }

// StartError says why the folders can't be served, and what to do. Nothing was changed in them.
type StartError struct {
	Reason              string
	DataDir, DataLogDir string
	Remedy              string
	Err                 error
}

func (e *StartError) Error() string { return e.Reason }
func (e *StartError) Unwrap() error { return e.Err }

// ExitCode is the process's exit code: 3, data directory problems.
func (e *StartError) ExitCode() int { return 3 }
