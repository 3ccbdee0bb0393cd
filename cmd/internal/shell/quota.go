package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zk/cmd/internal/client"
	"zk/jute"
)

// Where quotas are kept (org.apache.zookeeper.Quotas).
const (
	quotaRoot  = "/zookeeper/quota"
	limitsNode = "/zookeeper_limits"
	statsNode  = "/zookeeper_stats"
)

// Keys of a quota's text.
const (
	keyCount     = "count"
	keyBytes     = "bytes"
	keyCountHard = "countHardLimit"
	keyBytesHard = "byteHardLimit"
)

// track is the numbers of a quota or of a usage; -1 is none. (StatsTrack)
type track map[string]int64

// parseTrack reads "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=6".
func parseTrack(text string) (track, error) {
	t := track{}
	for pair := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' }) {
		parts := strings.Split(pair, "=")
		if len(parts) < 2 || parts[1] == "" {
			t[parts[0]] = -1
			continue
		}
		n, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return nil, fail("For input string: \"" + parts[1] + "\"")
		}
		t[parts[0]] = n
	}
	return t, nil
}

func (t track) get(key string) int64 {
	if n, ok := t[key]; ok {
		return n
	}
	return -1
}

// String is the text kept in the znode. The '=' behind bytes keeps old parsers from reading on.
func (t track) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "count=%d,bytes=%d", t.get(keyCount), t.get(keyBytes))
	var more []string
	for key := range t {
		if key != keyCount && key != keyBytes {
			more = append(more, key)
		}
	}
	if len(more) > 0 {
		b.WriteByte('=')
	}
	slices.Sort(more)
	for _, key := range more {
		fmt.Fprintf(&b, ";%s=%d", key, t[key])
	}
	return b.String()
}

// track reads a znode's text.
func (c *call) track(ctx context.Context, path string) (track, error) {
	data, _, err := c.zk.GetData(ctx, path, false)
	if err != nil {
		return nil, err
	}
	return parseTrack(string(data))
}

func (c *call) exists(ctx context.Context, path string) (bool, error) {
	_, found, err := c.zk.Exists(ctx, path, false)
	return found, err
}

func runListQuota(ctx context.Context, c *call) error {
	path := c.args[1]
	c.errln("absolute path is " + quotaRoot + path + limitsNode)
	limits, err := c.track(ctx, quotaRoot+path+limitsNode)
	if errors.Is(err, jute.CodeNoNode) {
		c.errln("quota for " + path + " does not exist.")
		return nil
	}
	if err != nil {
		return err
	}
	stats, err := c.track(ctx, quotaRoot+path+statsNode)
	if errors.Is(err, jute.CodeNoNode) {
		c.errln("quota for " + path + " does not exist.")
		return nil
	}
	if err != nil {
		return err
	}
	c.println("Output quota for " + path + " " + limits.String())
	c.println("Output stat for " + path + " " + stats.String())
	return nil
}

func runSetQuota(ctx context.Context, c *call) error {
	path := c.args[1]
	if strings.HasPrefix(path, quotaRoot) {
		c.errln("cannot set a quota under the path: " + quotaRoot)
		return nil
	}
	wanted, problem := c.quotaValue()
	if problem != "" {
		c.errln(problem)
		return nil
	}
	found, err := c.exists(ctx, path)
	if err != nil {
		return err
	}
	if !found {
		return fail(path + " does not exist.")
	}
	if err := c.checkQuotaBelow(ctx, path); err != nil {
		return err
	}
	if err := c.checkQuotaAbove(ctx, path); err != nil {
		return err
	}
	if err := c.makeQuotaPath(ctx, path); err != nil {
		return err
	}
	return c.writeQuota(ctx, quotaRoot+path, wanted)
}

// quotaValue reads the option given; problem is why it can't be used.
func (c *call) quotaValue() (wanted track, problem string) {
	wanted = track{keyCount: -1, keyBytes: -1, keyCountHard: -1, keyBytesHard: -1}
	for _, o := range []struct {
		name, key string
		count     bool
	}{
		{"n", keyCount, true}, {"b", keyBytes, false}, {"N", keyCountHard, true}, {"B", keyBytesHard, false},
	} {
		if !c.has(o.name) {
			continue
		}
		bits := 64
		if o.count {
			bits = 32
		}
		n, err := strconv.ParseInt(c.values[o.name], 10, bits)
		switch {
		case err != nil:
			return nil, "NumberFormatException happens when parsing the option value"
		case o.count && n <= 0:
			return nil, "the num quota must be greater than zero"
		case n < 0:
			return nil, "the bytes quota must be greater than or equal to zero"
		}
		wanted[o.key] = n
	}
	return wanted, ""
}

// checkQuotaBelow refuses a quota above another one.
func (c *call) checkQuotaBelow(ctx context.Context, path string) error {
	err := c.visit(ctx, quotaRoot+path, false, func(at string) error {
		parent, isLimit := strings.CutSuffix(at, limitsNode)
		if isLimit && parent != quotaRoot+path {
			return fail(path + " has a child " + strings.TrimPrefix(parent, quotaRoot) + " which has a quota")
		}
		return nil
	})
	if errors.Is(err, jute.CodeNoNode) {
		return nil
	}
	return err
}

// checkQuotaAbove refuses a quota below another one.
func (c *call) checkQuotaAbove(ctx context.Context, path string) error {
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		found, err := c.exists(ctx, quotaRoot+path[:i]+limitsNode)
		if err != nil {
			return err
		}
		if found {
			return fail(path + " has a parent " + path[:i] + " which has a quota")
		}
	}
	return nil
}

// makeQuotaPath creates the znodes that lead to a path's quota.
func (c *call) makeQuotaPath(ctx context.Context, path string) error {
	full := quotaRoot + path
	for i := len("/zookeeper"); i <= len(full); i++ {
		if i < len(full) && full[i] != '/' {
			continue
		}
		_, err := c.zk.Create(ctx, full[:i], nil, client.OpenACL(), jute.FlagPersistent)
		if err != nil && !errors.Is(err, jute.CodeNodeExists) {
			return err
		}
	}
	return nil
}

// writeQuota makes a quota or adds to the one there is, and warns when it is below what is used.
func (c *call) writeQuota(ctx context.Context, base string, wanted track) error {
	there, err := c.exists(ctx, base+limitsNode)
	if err != nil {
		return err
	}
	limits := wanted
	if there {
		if limits, err = c.track(ctx, base+limitsNode); err != nil {
			return err
		}
		for key, n := range wanted {
			if n > -1 {
				limits[key] = n
			}
		}
	} else {
		if err := c.createTrack(ctx, base+limitsNode, wanted); err != nil {
			return err
		}
		// The server puts the real numbers there.
		if err := c.createTrack(ctx, base+statsNode, track{keyCount: 0, keyBytes: 0}); err != nil {
			return err
		}
	}
	used, err := c.track(ctx, base+statsNode)
	if err != nil {
		return err
	}
	c.warnQuota(limits, used, "count", keyCount, keyCountHard)
	c.warnQuota(limits, used, "bytes", keyBytes, keyBytesHard)
	if there {
		_, err = c.zk.SetData(ctx, base+limitsNode, []byte(limits.String()), -1)
	}
	return err
}

func (c *call) createTrack(ctx context.Context, path string, t track) error {
	_, err := c.zk.Create(ctx, path, []byte(t.String()), client.OpenACL(), jute.FlagPersistent)
	return err
}

func (c *call) warnQuota(limits, used track, what, soft, hard string) {
	n := used.get(soft)
	if limits.get(soft) > -1 && limits.get(soft) < n || limits.get(hard) > -1 && limits.get(hard) < n {
		c.println(fmt.Sprintf("[Warning]: the %s quota you create is less than the existing %s:%d", what, what, n))
	}
}

func runDelQuota(ctx context.Context, c *call) error {
	path := c.args[1]
	base := quotaRoot + path
	found, err := c.exists(ctx, base+limitsNode)
	if err != nil {
		return err
	}
	if !found {
		c.println("Quota does not exist for " + path)
		return nil
	}
	err = c.delQuota(ctx, base)
	if errors.Is(err, jute.CodeNoNode) {
		c.errln("quota for " + path + " does not exist.")
		return nil
	}
	return err
}

// delQuota takes the limits off that options name, or the whole quota with the znodes that led to it.
func (c *call) delQuota(ctx context.Context, base string) error {
	limits, err := c.track(ctx, base+limitsNode)
	if err != nil {
		return err
	}
	for name, key := range map[string]string{"n": keyCount, "b": keyBytes, "N": keyCountHard, "B": keyBytesHard} {
		if c.has(name) {
			limits[key] = -1
			_, err := c.zk.SetData(ctx, base+limitsNode, []byte(limits.String()), -1)
			return err
		}
	}
	children, err := c.zk.Children(ctx, base, false)
	if err != nil {
		return err
	}
	for _, name := range children {
		if err := c.zk.Delete(ctx, base+"/"+name, -1); err != nil {
			return err
		}
	}
	for base != quotaRoot {
		if children, err = c.zk.Children(ctx, base, false); err != nil || len(children) > 0 {
			return err
		}
		if err := c.zk.Delete(ctx, base, -1); err != nil {
			return err
		}
		base = base[:strings.LastIndexByte(base, '/')]
	}
	return nil
}
