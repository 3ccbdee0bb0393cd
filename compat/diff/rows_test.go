package diff

import "zk/jute"

// Short names of the codes the tables use.
const (
	ok           = jute.CodeOk
	badArguments = jute.CodeBadArguments
	marshalling  = jute.CodeMarshallingError
	unimplement  = jute.CodeUnimplemented
	inconsistent = jute.CodeRuntimeInconsistency
	noNode       = jute.CodeNoNode
	noAuth       = jute.CodeNoAuth
	badVersion   = jute.CodeBadVersion
	noChildren   = jute.CodeNoChildrenForEphemerals
	nodeExists   = jute.CodeNodeExists
	notEmpty     = jute.CodeNotEmpty
	invalidACL   = jute.CodeInvalidACL
	authFailed   = jute.CodeAuthFailed
	noWatcher    = jute.CodeNoWatcher
	quotaOver    = jute.CodeQuotaExceeded
)

// row is a request and the code it must be answered with.
type row struct {
	r    req
	want jute.Code
}

// all calls the rows one after another.
func (c *conn) all(rows ...row) {
	for _, r := range rows {
		c.call(r.r).want(r.want)
	}
}

// ok calls requests that must succeed.
func (c *conn) ok(rs ...req) {
	for _, r := range rs {
		c.call(r).want(ok)
	}
}

// look calls requests for the transcript's sake only.
func (c *conn) look(rs ...req) {
	for _, r := range rs {
		c.call(r)
	}
}

// edge calls requests whose body cannot be decoded.
func (c *conn) edge(rs ...req) {
	for _, r := range rs {
		c.s.edge(func() { c.call(r).want(marshalling) })
	}
}

// truncated sends a request cut short by every number of bytes up to all of them.
func (c *conn) truncated(r req) {
	for n := 1; n <= len(r.body); n++ {
		c.edge(r.short(n))
	}
}
