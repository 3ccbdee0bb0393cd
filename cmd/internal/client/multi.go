package client

import (
	"context"
	"errors"
	"fmt"

	"zk/jute"
)

// Op is one part of a Multi or MultiRead.
type Op struct {
	op    jute.OpCode
	path  string
	data  []byte
	acl   []jute.ACL
	flags int32
	ver   int32
}

// CreateOp is Create in a Multi; jute.FlagContainer makes a container.
func CreateOp(path string, data []byte, acl []jute.ACL, flags int32) Op {
	op := jute.OpCreate
	if flags == jute.FlagContainer {
		op = jute.OpCreateContainer
	}
	return Op{op: op, path: path, data: data, acl: acl, flags: flags}
}

// Create2Op is CreateOp whose result has a Stat.
func Create2Op(path string, data []byte, acl []jute.ACL, flags int32) Op {
	return Op{op: jute.OpCreate2, path: path, data: data, acl: acl, flags: flags}
}

// DeleteOp is Delete in a Multi.
func DeleteOp(path string, version int32) Op { return Op{op: jute.OpDelete, path: path, ver: version} }

// SetDataOp is SetData in a Multi.
func SetDataOp(path string, data []byte, version int32) Op {
	return Op{op: jute.OpSetData, path: path, data: data, ver: version}
}

// CheckOp makes a Multi fail unless the znode has the version; -1 only asks that it exists.
func CheckOp(path string, version int32) Op { return Op{op: jute.OpCheck, path: path, ver: version} }

// GetDataOp is GetData in a MultiRead.
func GetDataOp(path string) Op { return Op{op: jute.OpGetData, path: path} }

// ChildrenOp is Children in a MultiRead.
func ChildrenOp(path string) Op { return Op{op: jute.OpGetChildren, path: path} }

// OpResult is the answer to one Op; which fields count depends on it.
type OpResult struct {
	Err      jute.Code // CodeRuntimeInconsistency behind the part that failed
	Path     string    // create
	Data     []byte    // getData
	Children []string  // getChildren
	Stat     jute.Stat // create2, createContainer, setData, getData
}

// Multi does all parts or none. When a part fails the error is its *OpError, and the results tell the
// code of each.
func (c *Client) Multi(ctx context.Context, ops ...Op) ([]OpResult, error) {
	results, err := c.multi(ctx, jute.OpMulti, ops)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if r.Err != jute.CodeOk {
			return results, &OpError{Op: ops[i].op, Path: ops[i].path, Code: r.Err}
		}
	}
	return results, nil
}

// MultiRead does several reads in one request; each has its own Err.
func (c *Client) MultiRead(ctx context.Context, ops ...Op) ([]OpResult, error) {
	return c.multi(ctx, jute.OpMultiRead, ops)
}

func (c *Client) multi(ctx context.Context, op jute.OpCode, ops []Op) (results []OpResult, err error) {
	for i := range ops {
		if err := ValidatePath(ops[i].path, sequential(ops[i].flags)); err != nil {
			return nil, err
		}
	}
	body := func(b []byte) []byte {
		for i := range ops {
			b = c.appendPart(b, &ops[i])
		}
		return jute.MultiEnd.Append(b)
	}
	bad := error(nil)
	err = c.exchange(ctx, op, "", body, nil, func(d *jute.Decoder) {
		results, bad = c.decodeResults(d, len(ops))
	})
	return results, errors.Join(err, bad)
}

// appendPart appends the header and body of one part.
func (c *Client) appendPart(b []byte, o *Op) []byte {
	b = jute.MultiHeader{Type: o.op, Err: -1}.Append(b)
	path := c.serverPath(o.path)
	switch o.op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer:
		r := jute.CreateRequest{Path: path, Data: o.data, ACL: o.acl, Flags: o.flags}
		return r.Append(b, o.op)
	case jute.OpSetData:
		r := jute.SetDataRequest{Path: path, Data: o.data, Version: o.ver}
		return r.Append(b)
	case jute.OpGetData, jute.OpGetChildren:
		r := jute.PathWatchRequest{Path: path}
		return r.Append(b)
	default:
		r := jute.PathVersionRequest{Path: path, Version: o.ver}
		return r.Append(b)
	}
}

// decodeResults reads the answer to a multi of n parts.
func (c *Client) decodeResults(d *jute.Decoder, n int) ([]OpResult, error) {
	results := make([]OpResult, 0, n)
	for {
		var h jute.MultiHeader
		h.Decode(d)
		switch {
		case d.Err() != nil:
			return nil, nil // the caller has the error
		case h.Done && len(results) != n:
			return nil, fmt.Errorf("client: multi of %d parts has %d results", n, len(results))
		case h.Done:
			return results, nil
		case len(results) == n:
			return nil, fmt.Errorf("client: multi of %d parts has more results", n)
		}
		var r OpResult
		switch h.Type {
		case jute.OpError:
			r.Err = jute.Code(d.Int32())
		case jute.OpCreate:
			r.Path = c.clientPath(d.String())
		case jute.OpCreate2:
			r.Path = c.clientPath(d.String())
			r.Stat.Decode(d)
		case jute.OpSetData:
			r.Stat.Decode(d)
		case jute.OpGetData:
			r.Data = d.Buffer()
			r.Stat.Decode(d)
		case jute.OpGetChildren:
			r.Children = d.Strings()
		case jute.OpDelete, jute.OpCheck:
		default:
			return nil, fmt.Errorf("client: multi has a result of type %v", h.Type)
		}
		results = append(results, r)
	}
}
