package conf

import (
	"slices"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	text := base + "# a remark\nDigestAuthenticationProvider.superDigest = super:one\\\n  two\ntickTime=1500"
	c := mustParse(t, text)
	want := base + "# a remark\nDigestAuthenticationProvider.superDigest=***\ntickTime=1500"
	if c.Text != want || c.SuperDigest != "super:onetwo" {
		t.Errorf("%q, %q", c.Text, c.SuperDigest)
	}
}

// TestEffective: settings by their properties, as they would be written, without secrets.
func TestEffective(t *testing.T) {
	c := mustParse(t, base+"DigestAuthenticationProvider.superDigest=super:hidden\nforceSync=no\nskipACL=yes\nsnapSizeLimitInKb=100\n"+
		"4lw.commands.whitelist=ruok, stat\nenforceQuota=TRUE\nadmin.idleTimeout=0x10\nzk.purge=off\n")
	list := c.Effective()
	for name, want := range map[string]string{
		"zookeeper.forceSync": "no", "zookeeper.skipACL": "yes", "zookeeper.snapSizeLimitInKb": "100", "zookeeper.4lw.commands.whitelist": "ruok,stat",
		"zookeeper.enforceQuota": "true", "zookeeper.admin.idleTimeout": "16", "zk.purge": "off", "zookeeper.digest.enabled": "true",
		"jute.maxbuffer": "1048575", "zookeeper.snapshotSizeFactor": "0.33",
	} {
		if i := slices.IndexFunc(list, func(p Property) bool { return p.Name == name }); i < 0 || list[i].Value != want {
			t.Errorf("%s: %v", name, list[max(i, 0)])
		}
	}
	for i, p := range list {
		if strings.Contains(p.Value, "hidden") || i > 0 && list[i-1].Name > p.Name {
			t.Errorf("%d: %v", i, p)
		}
	}
}
