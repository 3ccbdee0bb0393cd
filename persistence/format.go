package persistence

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// formatMajor is the format version of Pebble that both stores are pinned to. FormatWALSyncChunks is
// the least that will do (below it a corrupt byte cuts the newest WAL without a word, and Pebble's
// default also refuses Excise); FormatTableFormatV6 adds a checksum over each table's footer. Raise it
// on purpose only: a store once raised can't be opened by an older program.
const formatMajor = pebble.FormatTableFormatV6

// formatLog and formatState number our own layout, in keys.go, of the two stores. A store with a higher
// number is refused, one with a lower number goes through migrations.
const (
	formatLog   = 1
	formatState = 1
)

// migration raises a store by one format number. It writes its changes and the new number in one batch,
// so that a crash leaves either layout whole.
type migration func(db *pebble.DB) error

// logMigrations and stateMigrations give the step from each older format. Nothing older than 1 exists.
func logMigrations() map[uint32]migration   { return map[uint32]migration{} }
func stateMigrations() map[uint32]migration { return map[uint32]migration{} }

// Names of meta values. Those of nodestore are its own; these are kept here.
const (
	metaFormat   = "format"
	metaStoreID  = "storeID"
	metaServerID = "serverID"

	metaAcceptedEpoch = "acceptedEpoch" // log
	metaCurrentEpoch  = "currentEpoch"  // log
	metaLiveState     = "liveState"     // log: name of the state folder that counts
	metaCompleteFrom  = "completeFrom"  // log: see Log.CompleteFrom
	metaVouched       = "vouched"       // log: there when somebody said that an empty server is new; see Recovered.Empty
	metaEmptied       = "emptied"       // log: there while no entry counts; see Recovered.Adopt
	metaImported      = "imported"      // log: the last zxid that came from files of Java; see build.go
	metaUnsealed      = "unsealed"      // log: data folders, a line each, whose Java files are to be sealed; see seal.go

	metaApplied = "applied" // state: carried by every Commit
)

// StoreID is the random id that ties a log and a state store together.
type StoreID [16]byte

// String is lower-case hex.
func (id StoreID) String() string { return hex.EncodeToString(id[:]) }

// metaError tells which meta value could not be read.
func metaError(name string, v []byte, want string) error {
	return &CorruptionError{Key: "m" + name, Err: fmt.Errorf("meta value of %d bytes, want %s", len(v), want)}
}

func encodeUint32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func decodeUint32(name string, v []byte) (uint32, error) {
	if len(v) != 4 {
		return 0, metaError(name, v, "4")
	}
	return binary.BigEndian.Uint32(v), nil
}

func encodeInt64(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

func decodeInt64(name string, v []byte) (int64, error) {
	if len(v) != 8 {
		return 0, metaError(name, v, "8")
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}

func decodeStoreID(v []byte) (id StoreID, err error) {
	if len(v) != len(id) {
		return id, metaError(metaStoreID, v, "16")
	}
	copy(id[:], v)
	return id, nil
}

// decodeLiveState checks the name of a state folder: it becomes part of a path, so it is one of ours
// and nothing else.
func decodeLiveState(v []byte) (string, error) {
	if len(v) > 64 || len(v) <= len(stateDirPrefix) || string(v[:len(stateDirPrefix)]) != stateDirPrefix {
		return "", metaError(metaLiveState, v, "a folder name "+stateDirPrefix+"<number>")
	}
	for _, c := range v[len(stateDirPrefix):] {
		if c < '0' || c > '9' {
			return "", metaError(metaLiveState, v, "a folder name "+stateDirPrefix+"<number>")
		}
	}
	return string(v), nil
}

// durableMark is what every write to the log carries in Pebble's WAL; see checkWAL.
const durableMarkLen = 9

func putDurableMark(b []byte, z uint64) {
	b[0] = 'D'
	binary.BigEndian.PutUint64(b[1:], z)
}

func decodeDurableMark(b []byte) (z uint64, ok bool) {
	if len(b) != durableMarkLen || b[0] != 'D' {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[1:]), true
}
