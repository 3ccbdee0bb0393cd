package embed

import (
	"zk/server/audit"
	"zk/server/figures"
)

// openAudit starts the audit log, if there is to be one.
func (n *Node) openAudit() error {
	if !n.cfg.AuditEnable {
		return nil
	}
	sink := audit.ToLogger(n.log)
	if n.cfg.AuditFile != "" {
		file, err := audit.OpenFile(n.cfg.AuditFile)
		if err != nil {
			return err
		}
		sink = file
	}
	n.audit = audit.Start(sink, serverUser(), n.log)
	return nil
}

// serverUser is whom the process runs as, the user in the server's own lines.
func serverUser() string {
	for _, e := range figures.HostEnvironment("") {
		if e.Key == "user.name" {
			return e.Value
		}
	}
	return ""
}

// auditOwn writes a line about the server itself.
func (n *Node) auditOwn(o audit.Operation, r audit.Result) {
	if n.audit != nil {
		n.audit.Add(audit.Entry{Operation: o, Result: r})
	}
}

// closeAudit writes what is left.
func (n *Node) closeAudit() {
	if n.audit == nil {
		return
	}
	if err := n.audit.Close(); err != nil {
		n.log.Error("closing the audit log", "err", err)
	}
}
