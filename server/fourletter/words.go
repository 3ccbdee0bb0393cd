package fourletter

import "strings"

// Word is a four-letter word. The zero Word is none.
type Word uint8

// All words. Source: FourLetterCommands.
const (
	WordConf Word = iota + 1
	WordCons
	WordCrst
	WordDirs
	WordDump
	WordEnvi
	WordGtmk
	WordHash
	WordIsro
	WordMntr
	WordRuok
	WordSrst
	WordSrvr
	WordStat
	WordStmk
	WordWchc
	WordWchp
	WordWchs
	// WordTelnetClose is what telnet sends when its user types Ctrl-C.
	WordTelnetClose
)

// Lookup recognises a word by the first four bytes of a connection. Anything else is the length of a
// frame.
func Lookup(first4 [4]byte) (Word, bool) {
	switch string(first4[:]) {
	case "conf":
		return WordConf, true
	case "cons":
		return WordCons, true
	case "crst":
		return WordCrst, true
	case "dirs":
		return WordDirs, true
	case "dump":
		return WordDump, true
	case "envi":
		return WordEnvi, true
	case "gtmk":
		return WordGtmk, true
	case "hash":
		return WordHash, true
	case "isro":
		return WordIsro, true
	case "mntr":
		return WordMntr, true
	case "ruok":
		return WordRuok, true
	case "srst":
		return WordSrst, true
	case "srvr":
		return WordSrvr, true
	case "stat":
		return WordStat, true
	case "stmk":
		return WordStmk, true
	case "wchc":
		return WordWchc, true
	case "wchp":
		return WordWchp, true
	case "wchs":
		return WordWchs, true
	case "\xff\xf4\xff\xfd":
		return WordTelnetClose, true
	}
	return 0, false
}

// String is the word itself, as replies and logs name it.
func (w Word) String() string {
	const all = "confconscrstdirsdumpenvigtmkhashisromntrruoksrstsrvrstatstmkwchcwchpwchs"
	switch {
	case w == WordTelnetClose:
		return "telnet close"
	case w == 0 || w > WordTelnetClose:
		return "none"
	}
	i := (int(w) - 1) * 4
	return all[i : i+4]
}

// traceMaskBytes is the size of the argument of stmk.
const traceMaskBytes = 8

// ExtraBytes is how many more bytes belong to the word: 8 after an allowed stmk, a mask big-endian. If
// the connection ends before them it is closed without an answer.
func (w Word) ExtraBytes(allowed bool) int {
	if w == WordStmk && allowed {
		return traceMaskBytes
	}
	return 0
}

// needsServing reports whether the word is refused by a server that is not serving. isro is not: it has
// an answer of its own then.
func (w Word) needsServing() bool {
	switch w {
	case WordRuok, WordIsro, WordEnvi, WordGtmk, WordStmk, WordTelnetClose:
		return false
	}
	return true
}

// Whitelist is the set of words that are answered (4lw.commands.whitelist).
type Whitelist struct{ allowed uint32 }

// ParseWhitelist reads the setting: names with commas between them, blanks around them ignored, "*" for
// all, unknown names without effect. srvr is always in, because zkServer.sh needs it, and isro when the
// read-only mode is enabled. Source: FourLetterCommands.isEnabled.
func ParseWhitelist(setting string, readOnlyModeEnabled bool) Whitelist {
	list := Whitelist{allowed: 1 << WordSrvr}
	if readOnlyModeEnabled {
		list.allowed |= 1 << WordIsro
	}
	for name := range strings.SplitSeq(setting, ",") {
		name = strings.TrimSpace(name)
		for w := WordConf; w <= WordTelnetClose; w++ {
			if name == "*" || name == w.String() {
				list.allowed |= 1 << w
			}
		}
	}
	return list
}

// Allows reports whether the word is answered.
func (l Whitelist) Allows(w Word) bool { return l.allowed>>w&1 == 1 }
