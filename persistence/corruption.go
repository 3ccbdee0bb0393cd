package persistence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// CorruptionError says that bytes on the disk are not what was written there. The store must not be
// served from as if it were whole.
type CorruptionError struct {
	Path   string // file or folder, as far as known
	Offset int64  // in Path; 0 when not known
	Key    string // what was being read, as far as known
	Err    error  // what was found
}

func (e *CorruptionError) Error() string {
	s := "persistence: corrupt data"
	if e.Path != "" {
		s += " in " + e.Path
	}
	if e.Offset != 0 {
		s += " at offset " + strconv.FormatInt(e.Offset, 10)
	}
	if e.Key != "" {
		s += " (reading " + e.Key + ")"
	}
	// Pebble hangs markers on its errors that print as further lines.
	text, _, _ := strings.Cut(e.Err.Error(), "\n")
	return s + ": " + text
}

// Unwrap gives what was found.
func (e *CorruptionError) Unwrap() error { return e.Err }

// ExitCode is the process's exit code when a start meets it: data directory problems.
func (e *CorruptionError) ExitCode() int { return exitDataDir }

// readError wraps an error of a read; Pebble's corruption (it names file and block) becomes ours.
func readError(key string, err error) error {
	if err == nil {
		return nil
	}
	if pebble.IsCorruptionError(err) {
		return &CorruptionError{Key: key, Err: err}
	}
	return fmt.Errorf("persistence: read %s: %w", key, err)
}

// The chunk format of Pebble's record files (record/record.go): 32 KiB blocks of chunks, no chunk across
// two blocks; each begins with
//
//	crc (4, LE, of everything after the length) | payload length (2) | kind (1) | ...
//
// and then log number (4) for kinds 5-12 and synced offset (8) for 9-12. Kinds come in groups of
// four: whole record, first, middle, last part of one.
const (
	chunkBlockBytes = 32 << 10

	chunkKindLegacy     = 1
	chunkKindRecyclable = 5
	chunkKindSync       = 9
	chunkKindEnd        = 13
)

// chunkCRC is Pebble's checksum: Castagnoli, rotated and offset as in LevelDB.
func chunkCRC(table *crc32.Table, b []byte) uint32 {
	c := crc32.Update(0, table, b)
	return c>>15 | c<<17 + 0xa282ead8
}

// chunkHeadLen is the length of a chunk's head; 0 for no such kind.
func chunkHeadLen(kind byte) int {
	switch {
	case kind < chunkKindLegacy || kind >= chunkKindEnd:
		return 0
	case kind >= chunkKindSync:
		return 19
	case kind >= chunkKindRecyclable:
		return 11
	}
	return 7
}

// chunkAt reads the chunk at offset i of a file's bytes, if a valid one is there. logNum is 0 for a file
// whose chunks carry none.
func chunkAt(table *crc32.Table, b []byte, i int, logNum uint32) (kind byte, payload []byte, ok bool) {
	room := min(len(b), (i/chunkBlockBytes+1)*chunkBlockBytes) - i
	if room < 7 {
		return 0, nil, false
	}
	kind = b[i+6]
	head := chunkHeadLen(kind)
	if head == 0 || (logNum != 0) != (head > 7) || head > room {
		return 0, nil, false
	}
	if logNum != 0 && binary.LittleEndian.Uint32(b[i+7:]) != logNum {
		return 0, nil, false
	}
	n := int(binary.LittleEndian.Uint16(b[i+4:]))
	if head+n > room || chunkCRC(table, b[i+6:i+head+n]) != binary.LittleEndian.Uint32(b[i:]) {
		return 0, nil, false
	}
	return kind, b[i+head : i+head+n], true
}

// beginsRecord tells whether a chunk of this kind is a whole record or the first part of one.
func beginsRecord(kind byte) bool { return (kind-1)%4 <= 1 }

// recordsEnd walks the records of a file's bytes. It returns where the good ones end, and whether
// something broken (or foreign, in a recycled file) follows there.
func recordsEnd(b []byte, logNum uint32) (end int, cut bool) {
	table := crc32.MakeTable(crc32.Castagnoli)
	inside := false // a record's first part was seen, its last not yet
	for i := 0; i < len(b); {
		room := min(len(b), (i/chunkBlockBytes+1)*chunkBlockBytes) - i
		if room < 7 || room < 19 && allZero(b[i:i+room]) {
			i += room // the writer fills what holds no header with zeros
			continue
		}
		kind, payload, ok := chunkAt(table, b, i, logNum)
		if !ok {
			return end, !(logNum != 0 && !inside && endTrailer(b[i:i+room], logNum))
		}
		part := (kind - 1) % 4 // whole, first, middle, last
		if inside != (part >= 2) {
			return end, true
		}
		inside = part == 1 || part == 2
		i += chunkHeadLen(kind) + len(payload)
		if !inside {
			end = i
		}
	}
	return end, inside
}

// endTrailer is what Pebble writes at the end of a WAL file that it closes: a chunk head with the next
// log number.
func endTrailer(b []byte, logNum uint32) bool {
	return len(b) >= 11 && b[6] == chunkKindRecyclable && binary.LittleEndian.Uint32(b[7:]) == logNum+1
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func readWhole(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// checkManifest looks for a broken record in the middle of a store's manifest. Pebble takes a broken
// record for the torn end of the file, wherever it is, and so would open the store as it was at some
// earlier time, without the tables made since. Only the very last record can be torn (each is synced
// before the next is written), so a whole one behind a broken one proves corruption.
func checkManifest(fs vfs.FS, dir string) error {
	desc, err := pebble.Peek(dir, fs)
	if err != nil {
		if pebble.IsCorruptionError(err) {
			return &CorruptionError{Path: dir, Err: err}
		}
		return fmt.Errorf("persistence: open %s: %w", dir, err)
	}
	if !desc.Exists {
		return nil
	}
	b, err := readWhole(fs, desc.ManifestFilename)
	if err != nil {
		return fmt.Errorf("persistence: read manifest: %w", err)
	}
	end, cut := recordsEnd(b, 0)
	if !cut {
		return nil
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	for i := end + 1; i < len(b); i++ {
		if kind, payload, ok := chunkAt(table, b, i, 0); ok && beginsRecord(kind) && len(payload) > 0 {
			return &CorruptionError{Path: desc.ManifestFilename, Offset: int64(end), Err: errors.New("a broken record before whole ones")}
		}
	}
	return nil
}

// checkWAL looks for acknowledged entries behind a broken record of the newest WAL file, before Pebble
// opens the store and cuts the file there.
//
// Pebble does tell a torn end from a broken middle by the synced offset in later chunks, but only
// roughly (seen in v2.1.7): it looks from the next 32 KiB block on, the offset does not count blocks
// that were written whole (record/log_writer.go, writtenOffset), and the first WAL of a new store
// carries none at all. So each of our writes begins with a mark of its own: all up to zxid m was
// durable when this was written. If any mark behind the break is greater than the last entry before it,
// entries that were acknowledged are missing: corruption. If none is, what is lost was never
// acknowledged as far as anything on the disk says, and Pebble may cut it. Bytes of an older file that
// this one was recycled from carry another number and count for nothing.
//
// Older WAL files need no check: Pebble demands a clean end of those.
func checkWAL(fs vfs.FS, dir string, opts *pebble.Options) error {
	name, logNum, err := newestWAL(fs, dir)
	if err != nil || name == "" {
		return err
	}
	path := fs.PathJoin(dir, name)
	b, err := readWhole(fs, path)
	if err != nil {
		return fmt.Errorf("persistence: read %s: %w", path, err)
	}
	end, cut := recordsEnd(b, logNum)
	if !cut {
		return nil
	}
	mark := lastMarkBehind(b, end, logNum)
	if mark == 0 {
		return nil
	}
	last, err := lastBefore(dir, opts)
	if err != nil {
		return err
	}
	if mark > last {
		return &CorruptionError{Path: path, Offset: int64(end), Key: last.String(),
			Err: fmt.Errorf("a broken record; entries up to %v were durable and the good ones end at %v", mark, last)}
	}
	return nil
}

// lastMarkBehind finds the greatest durable mark in whole chunks behind an offset. Lengths before the
// offset can't be trusted, so every place is tried; a WAL file is little more than a memtable.
func lastMarkBehind(b []byte, end int, logNum uint32) (mark jute.Zxid) {
	table := crc32.MakeTable(crc32.Castagnoli)
	for i := end + 1; i < len(b); i++ {
		kind, payload, ok := chunkAt(table, b, i, logNum)
		if !ok || !beginsRecord(kind) || len(payload) <= batchrepr.HeaderLen {
			continue
		}
		if m, ok := markOf(payload); ok {
			mark = max(mark, m)
		}
	}
	return mark
}

// markOf reads the durable mark at the beginning of a batch; only its first part may be there.
func markOf(batch []byte) (jute.Zxid, bool) {
	// Not by Pebble's reader, which takes its input to be whole: kind, length in one byte, mark.
	if len(batch) < batchrepr.HeaderLen+2+durableMarkLen {
		return 0, false
	}
	body := batch[batchrepr.HeaderLen:]
	if pebble.InternalKeyKind(body[0]) != pebble.InternalKeyKindLogData || body[1] != durableMarkLen {
		return 0, false
	}
	m, ok := decodeDurableMark(body[2 : 2+durableMarkLen])
	return jute.Zxid(m), ok
}

// lastBefore opens the store without changing it, cut as Pebble would cut it, for its last entry.
func lastBefore(dir string, opts *pebble.Options) (jute.Zxid, error) {
	ro := *opts
	ro.ReadOnly = true
	db, err := openPebble(dir, &ro)
	if err != nil {
		return 0, err
	}
	base, berr := getMetaInt64(db, metaCompleteFrom)
	_, last, err := firstAndLast(db, jute.Zxid(base))
	return max(last, jute.Zxid(base)), errors.Join(err, berr, db.Close())
}

// newestWAL finds the WAL file with the highest number; "" when there is none.
func newestWAL(fs vfs.FS, dir string) (name string, logNum uint32, err error) {
	ls, err := fs.List(dir)
	if err != nil {
		return "", 0, fmt.Errorf("persistence: list %s: %w", dir, err)
	}
	sort.Strings(ls)
	best := uint64(0)
	for _, f := range ls {
		digits, isLog := strings.CutSuffix(f, ".log")
		if !isLog {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err == nil && n >= best {
			best, name = n, f
		}
	}
	return name, uint32(best), nil // chunks carry the lower half
}
