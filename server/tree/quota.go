package tree

import (
	"strconv"
	"strings"
)

// countChunk is the number of nodes counted between two calls of Options.Yield.
const countChunk = 2000

// quotaNode gives the quota root that the node /zookeeper/quota<root>/<name> belongs to, "" if path is
// none such.
func quotaNode(path, name string) string {
	if !strings.HasPrefix(path, QuotaPath+"/") || nameOf(path) != name {
		return ""
	}
	root := parentOf(path)[len(QuotaPath):]
	return root
}

// loadQuotas finds the quota roots of a loaded tree. The subtree of /zookeeper is resident by then.
func (t *Tree) loadQuotas() {
	if r := t.store.Find(QuotaPath); r != NoRef {
		t.loadQuotasBelow(r, QuotaPath)
	}
}

func (t *Tree) loadQuotasBelow(r Ref, path string) {
	for c := t.store.FirstChild(r); c != NoRef; c = t.store.NextSibling(c) {
		child := path + "/" + string(t.store.Name(c))
		if root := quotaNode(child, LimitsNode); root != "" {
			t.addQuota(root)
		}
		t.loadQuotasBelow(c, child)
	}
}

// addQuota activates the quota of root with the limits and usage that its nodes hold.
func (t *Tree) addQuota(root string) {
	q := &Quota{Path: root, CountLimit: -1, BytesLimit: -1, CountHardLimit: -1, BytesHardLimit: -1}
	if r := t.store.Find(QuotaPath + root + "/" + LimitsNode); r != NoRef {
		q.setLimits(string(t.store.Data(r)))
	}
	if r := t.store.Find(QuotaPath + root + "/" + QuotaStatsNode); r != NoRef {
		u := parseQuota(string(t.store.Data(r)))
		q.Count, q.Bytes = max(u["count"], 0), max(u["bytes"], 0)
	}
	t.quotas[root] = q
}

// parseQuota reads the text of a limits or stats node (Java: StatsTrack). What is missing or empty is -1.
func parseQuota(s string) map[string]int64 {
	v := map[string]int64{"count": -1, "bytes": -1, "countHardLimit": -1, "byteHardLimit": -1}
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }) {
		key, val, _ := strings.Cut(f, "=")
		key = strings.TrimSpace(key)
		if key == "" { // the odd "=" between the old fields and the new: "=;byteHardLimit=..."
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(val), 10, 64); err == nil {
			v[key] = n
		}
	}
	return v
}

func (q *Quota) setLimits(s string) {
	v := parseQuota(s)
	q.CountLimit, q.BytesLimit = v["count"], v["bytes"]
	q.CountHardLimit, q.BytesHardLimit = v["countHardLimit"], v["byteHardLimit"]
}

// exceeded reports whether the usage is above a limit that applies.
func (q *Quota) exceeded() bool {
	return over(q.Count, q.CountLimit, q.CountHardLimit) || over(q.Bytes, q.BytesLimit, q.BytesHardLimit)
}

func over(n, soft, hard int64) bool {
	if hard > -1 {
		return n > hard
	}
	return soft > -1 && n > soft
}

// QuotaOf implements View.
func (t *Tree) QuotaOf(path string) (Quota, bool) {
	if q := t.quotaOf(path); q != nil {
		return *q, true
	}
	return Quota{}, false
}

func (t *Tree) quotaOf(path string) *Quota {
	if len(t.quotas) == 0 {
		return nil
	}
	for p := path; p != RootPath; p = parentOf(p) {
		if q := t.quotas[p]; q != nil {
			return q
		}
	}
	return nil
}

// Quotas calls yield with the state of every quota root.
func (t *Tree) Quotas(yield func(Quota)) {
	for _, q := range t.quotas {
		yield(*q)
	}
}

// use adds to the usage of the quota above path and rewrites its stats node, whose own Stat and watches
// don't notice (Java: DataTree.updateQuotaStat).
func (t *Tree) use(path string, count, bytes int64) {
	q := t.quotaOf(path)
	if q == nil {
		return
	}
	q.Count += count
	q.Bytes += bytes
	t.writeUsage(q)
	if t.opt.OnQuotaExceeded != nil && count+bytes > 0 && q.exceeded() {
		t.opt.OnQuotaExceeded(*q)
	}
}

func (t *Tree) writeUsage(q *Quota) {
	path := QuotaPath + q.Path + "/" + QuotaStatsNode
	r := t.store.Find(path)
	if r == NoRef {
		return
	}
	buf := append(make([]byte, 0, 64), "count="...)
	buf = strconv.AppendInt(buf, q.Count, 10)
	buf = append(buf, ",bytes="...)
	buf = strconv.AppendInt(buf, q.Bytes, 10)
	t.counts.DataBytes += int64(len(buf) - len(t.store.Data(r)))
	n := t.store.Edit(r)
	t.store.SetData(r, buf)
	n.DataCRC = DataCRC(path, buf)
}

// created keeps the quotas after a create. stats is the quota root when the node is its stats node, and
// usage what countSubtree found for it.
func (t *Tree) created(path, stats string, usage Quota, bytes int64) {
	if root := quotaNode(path, LimitsNode); root != "" {
		t.addQuota(root)
	}
	if stats != "" {
		usage.Path = stats
		if q := t.quotas[stats]; q != nil {
			q.Count, q.Bytes = usage.Count, usage.Bytes
		}
		t.writeUsage(&usage)
	}
	t.use(path, 1, bytes)
}

func (t *Tree) deleted(path string, bytes int64) {
	if root := quotaNode(path, LimitsNode); root != "" {
		delete(t.quotas, root)
	}
	t.use(path, -1, -bytes)
}

func (t *Tree) dataChanged(path string, diff int64, data []byte) {
	if root := quotaNode(path, LimitsNode); root != "" {
		if q := t.quotas[root]; q != nil {
			q.setLimits(string(data))
		}
	}
	if root := quotaNode(path, QuotaStatsNode); root != "" {
		if q := t.quotas[root]; q != nil {
			u := parseQuota(string(data))
			q.Count, q.Bytes = u["count"], u["bytes"]
		}
	}
	t.use(path, 0, diff)
}

// countSubtree counts the nodes at and below root and the bytes of their data.
func (t *Tree) countSubtree(root string) Quota {
	var q Quota
	top := t.store.Find(root)
	if top == NoRef {
		return q
	}
	seen := 0
	var walk func(r Ref)
	walk = func(r Ref) {
		q.Count++
		q.Bytes += int64(len(t.store.Data(r)))
		if seen++; seen%countChunk == 0 && t.opt.Yield != nil && !t.inMulti {
			t.opt.Yield()
		}
		for c := t.store.FirstChild(r); c != NoRef; c = t.store.NextSibling(c) {
			walk(c)
		}
	}
	walk(top)
	return q
}
