package shell

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"zk/cmd/internal/client"
	"zk/jute"
)

// failure is a command's error: what is printed, and the exit code if it was the last command.
type failure struct {
	text string
	code int
}

func (f *failure) Error() string { return f.text }

// fail makes a failure with exit code 1.
func fail(text string) error { return &failure{text, 1} }

// message is what zkCli.sh prints for an error (CliWrapperException.getMessage).
func message(err error) string {
	var op *client.OpError
	if !errors.As(err, &op) {
		return err.Error()
	}
	path := op.Path
	if path == "" {
		path = "null"
	}
	switch op.Code {
	case jute.CodeNoNode:
		return "Node does not exist: " + path
	case jute.CodeNoChildrenForEphemerals:
		return "Ephemerals cannot have children: " + path
	case jute.CodeNodeExists:
		return "Node already exists: " + path
	case jute.CodeNotEmpty:
		return "Node not empty: " + path
	case jute.CodeNotReadOnly:
		return "Not a read-only call: " + path
	case jute.CodeInvalidACL:
		return "Acl is not valid : " + path
	case jute.CodeNoAuth:
		return "Insufficient permission : " + path
	case jute.CodeBadArguments:
		return "Arguments are not valid : " + path
	case jute.CodeBadVersion:
		return "version No is not valid : " + path
	case jute.CodeReconfigInProgress:
		return "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
	case jute.CodeNewConfigNoQuorum:
		return "No quorum of new config is connected and up-to-date with the leader of last commmitted config" +
			" - try invoking reconfiguration after new servers are connected and synced"
	case jute.CodeQuotaExceeded:
		return "Quota has exceeded : " + path
	}
	return keeperMessage(op)
}

// keeperMessage is the message of Java's KeeperException.
func keeperMessage(op *client.OpError) string {
	text := "KeeperErrorCode = " + codeText(op.Code)
	if op.Path != "" {
		text += " for " + op.Path
	}
	return text
}

// codeText is Java's text for a code, where it is not the code's name (KeeperException.getCodeMessage).
func codeText(c jute.Code) string {
	switch c {
	case jute.CodeOk:
		return "ok"
	case jute.CodeNotEmpty:
		return "Directory not empty"
	case jute.CodeSessionExpired:
		return "Session expired"
	case jute.CodeInvalidCallback:
		return "Invalid callback"
	case jute.CodeSessionMoved:
		return "Session moved"
	case jute.CodeNotReadOnly:
		return "Not a read-only call"
	case jute.CodeEphemeralOnLocalSession:
		return "Ephemeral node on local session"
	case jute.CodeNoWatcher:
		return "No such watcher"
	case jute.CodeReconfigDisabled:
		return "Reconfig is disabled"
	case jute.CodeSessionClosedRequireSaslAuth:
		return "Session closed because client failed to authenticate"
	case jute.CodeQuotaExceeded:
		return "Quota has exceeded"
	case jute.CodeThrottledOp:
		return "Op throttled due to high load"
	}
	return c.Error()
}

// statText is the block that -s adds (StatPrinter). Times are local.
func statText(s *jute.Stat, zone *time.Location) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cZxid = %#x\n", uint64(s.Czxid))
	fmt.Fprintf(&b, "ctime = %s\n", dateText(s.Ctime, zone))
	fmt.Fprintf(&b, "mZxid = %#x\n", uint64(s.Mzxid))
	fmt.Fprintf(&b, "mtime = %s\n", dateText(s.Mtime, zone))
	fmt.Fprintf(&b, "pZxid = %#x\n", uint64(s.Pzxid))
	fmt.Fprintf(&b, "cversion = %d\n", s.Cversion)
	fmt.Fprintf(&b, "dataVersion = %d\n", s.Version)
	fmt.Fprintf(&b, "aclVersion = %d\n", s.Aversion)
	fmt.Fprintf(&b, "ephemeralOwner = %#x\n", uint64(s.EphemeralOwner))
	fmt.Fprintf(&b, "dataLength = %d\n", s.DataLength)
	fmt.Fprintf(&b, "numChildren = %d\n", s.NumChildren)
	return b.String()
}

// dateText is java.util.Date.toString of a time in milliseconds.
func dateText(millis int64, zone *time.Location) string {
	return time.UnixMilli(millis).In(zone).Format("Mon Jan 02 15:04:05 MST 2006")
}

// hexDump is Netty's ByteBufUtil.prettyHexDump, which get -x prints; "" for no data.
func hexDump(data []byte) string {
	const row = 16
	if len(data) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("         +-------------------------------------------------+\n" +
		"         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n" +
		"+--------+-------------------------------------------------+----------------+")
	for at := 0; at < len(data); at += row {
		part := data[at:min(at+row, len(data))]
		fmt.Fprintf(&b, "\n|%08x|", at)
		for _, c := range part {
			fmt.Fprintf(&b, " %02x", c)
		}
		b.WriteString(strings.Repeat("   ", row-len(part)) + " |")
		for _, c := range part {
			if c <= ' '-1 || c >= 0x7f {
				c = '.'
			}
			b.WriteByte(c)
		}
		b.WriteString(strings.Repeat(" ", row-len(part)) + "|")
	}
	b.WriteString("\n+--------+-------------------------------------------------+----------------+")
	return b.String()
}

// listText prints a list as Java does.
func listText(list []string) string { return "[" + strings.Join(list, ", ") + "]" }

// permText is the letters of permission bits (ZKUtil.getPermString).
func permText(perms int32) string {
	var b strings.Builder
	for _, p := range permLetters() {
		if perms&p.bit != 0 {
			b.WriteByte(p.letter)
		}
	}
	return b.String()
}

type permLetter struct {
	bit    int32
	letter byte
}

func permLetters() [5]permLetter {
	return [...]permLetter{
		{jute.PermCreate, 'c'}, {jute.PermDelete, 'd'}, {jute.PermRead, 'r'}, {jute.PermWrite, 'w'}, {jute.PermAdmin, 'a'},
	}
}
