package audit

import (
	"strconv"
	"strings"

	"zk/jute"
)

// Operation is what a line says was done. Source: AuditConstants.
type Operation string

// The operations.
const (
	Create            Operation = "create"
	Delete            Operation = "delete"
	SetData           Operation = "setData"
	SetACL            Operation = "setAcl"
	Multi             Operation = "multiOperation" // one that failed; a good one has a line for each part
	Reconfig          Operation = "reconfig"
	EphemeralDeletion Operation = "ephemeralZNodeDeletionOnSessionCloseOrExpire"
	ServerStart       Operation = "serverStart"
	ServerStop        Operation = "serverStop"
	linesLost         Operation = "linesLost" // this server's own
)

// Result is how it ended.
type Result string

// The results.
const (
	Success Result = "success"
	Failure Result = "failure"
	Invoked Result = "invoked" // of ServerStop
)

// Entry is a line. Fields that are empty are left out.
type Entry struct {
	Session   jute.SessionID
	User      string
	IP        string
	Operation Operation
	Znode     string
	ZnodeType string // ZnodeType
	ACL       string // ACLText
	Result    Result
	lost      int64
}

// bytes is about what the entry takes in memory.
func (e *Entry) bytes() int {
	const fixed = 160
	return fixed + len(e.User) + len(e.IP) + len(e.Znode) + len(e.ACL)
}

// each calls yield for the fields that are there, in their order, with safe values. Source: AuditEvent.
func (e *Entry) each(yield func(name, value string)) {
	session, count := "", ""
	if e.Session != 0 {
		session = e.Session.String()
	}
	if e.lost > 0 {
		count = strconv.FormatInt(e.lost, 10)
	}
	for _, f := range [...]struct{ name, value string }{
		{"session", session}, {"user", e.User}, {"ip", e.IP}, {"operation", string(e.Operation)}, {"znode", e.Znode},
		{"znode_type", e.ZnodeType}, {"acl", e.ACL}, {"result", string(e.Result)}, {"count", count},
	} {
		if f.value != "" {
			yield(f.name, safe(f.value))
		}
	}
}

// AppendText appends the line without its end. Source: ZKAuditLogFormatter.
func (e *Entry) AppendText(b []byte) []byte {
	begin := len(b)
	e.each(func(name, value string) {
		if len(b) > begin {
			b = append(b, '\t')
		}
		b = append(append(append(b, name...), '='), value...)
	})
	return b
}

// safe is a value with its control characters escaped.
func safe(value string) string {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if strings.IndexFunc(value, control) < 0 {
		return value
	}
	const hex = "0123456789abcdef"
	var b []byte
	for i := range len(value) {
		if c := value[i]; control(rune(c)) {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// ZnodeType is the name of the mode that a create asks for; ok is false for flags that are no mode. Source:
// CreateMode.
func ZnodeType(flags int32) (name string, ok bool) {
	names := [...]string{
		jute.FlagPersistent: "persistent", jute.FlagEphemeral: "ephemeral", jute.FlagSequential: "persistent_sequential",
		jute.FlagEphemeralSequential: "ephemeral_sequential", jute.FlagContainer: "container", jute.FlagTTL: "persistent_with_ttl",
		jute.FlagPersistentSeqTTL: "persistent_sequential_with_ttl",
	}
	if flags < 0 || int(flags) >= len(names) {
		return "", false
	}
	return names[flags], true
}

// ACLText is a list of ACLs as a line has it, its entries run together. Source: ZKUtil.aclToString.
func ACLText(acl []jute.ACL) string {
	var b []byte
	for i := range acl {
		a := &acl[i]
		b = append(append(append(append(b, a.ID.Scheme...), ':'), a.ID.ID...), ':')
		for _, p := range [...]struct {
			bit    int32
			letter byte
		}{{jute.PermCreate, 'c'}, {jute.PermDelete, 'd'}, {jute.PermRead, 'r'}, {jute.PermWrite, 'w'}, {jute.PermAdmin, 'a'}} {
			if a.Perms&p.bit != 0 {
				b = append(b, p.letter)
			}
		}
	}
	return string(b)
}
