package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// noFiles stands for a disk without any file.
func noFiles(string) ([]byte, error) { return nil, fs.ErrNotExist }

// files stands for a disk.
func files(contents map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text, ok := contents[name]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

const base = "clientPort=2181\ndataDir=/data\n"

func mustParse(t *testing.T, text string, props ...Property) *Config {
	t.Helper()
	c, err := Parse("zoo.cfg", []byte(text), Options{ReadFile: noFiles, Properties: props})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTableIsSound checks the rows against each other: no name twice, defaults that parse, bounds that
// are in order, a sentence for each.
func TestTableIsSound(t *testing.T) {
	names, props := map[string]string{}, map[string]string{}
	var c Config
	for _, k := range newTable().keys {
		for _, n := range append([]string{k.name}, k.aliases...) {
			if other := names[n]; other != "" {
				t.Errorf("%s is in the rows %s and %s", n, k.name, other)
			}
			names[n] = k.name
		}
		if _, ok := k.pattern(); !ok {
			for _, p := range k.props {
				if other := props[p]; other != "" {
					t.Errorf("property %s is in the rows %s and %s", p, k.name, other)
				}
				props[p] = k.name
			}
		}
		if k.min > k.max {
			t.Errorf("%s: bounds %v to %v", k.name, k.min, k.max)
		}
		if !strings.HasSuffix(k.doc, ".") {
			t.Errorf("%s: no sentence: %q", k.name, k.doc)
		}
		if (k.verdict == Refuse) != (k.refuse != nil) {
			t.Errorf("%s: verdict and refusal do not agree", k.name)
		}
		if k.onlyD && (len(k.props) == 0 || k.props[0] != k.name) {
			t.Errorf("%s: -D only, but its property is %v", k.name, k.props)
		}
		k.storeDefault(&c)
	}
}

// TestReferenceKeys makes sure that no key of the list of Java 3.9.5's keys is missing in the table.
func TestReferenceKeys(t *testing.T) {
	text, err := os.ReadFile("testdata/keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := newTable()
	for name := range strings.FieldsSeq(string(text)) {
		if table.find(name) == nil {
			t.Errorf("%s is unknown", name)
		}
	}
}

// TestEachKey goes over all rows: the default when it is not written, both bounds, one step outside,
// and a value of the wrong kind.
func TestEachKey(t *testing.T) {
	for _, k := range newTable().keys {
		if _, ok := k.pattern(); ok || k.field == nil || k.verdict == Ignore || k.refuse != nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			switch k.kind {
			case kindInt, kindPropInt, kindSize, kindHex:
				testNumber(t, k)
			case kindFloat:
				expectError(t, k, "much")
				expectError(t, k, "NaN")
				expectStored(t, k, formatNumber(k.max))
			case kindBool:
				expectStored(t, k, "true", "TRUE")
				expectStored(t, k, "false", "False")
				expectError(t, k, "yes")
			case kindProp:
				expectStored(t, k, "true", "TRUE")
				expectWarning(t, k, "yes", "false")
			case kindYes, kindNo:
				expectStored(t, k, "yes")
				expectStored(t, k, "no")
				expectWarning(t, k, "true", map[kind]string{kindYes: "yes", kindNo: "no"}[k.kind])
			case kindTrue:
				expectStored(t, k, "false")
				expectWarning(t, k, "FALSE", "true")
			case kindSwitch:
				expectStored(t, k, "off")
				expectError(t, k, "false")
			case kindChoice:
				for _, c := range k.choices {
					expectStored(t, k, c, strings.ToUpper(c))
				}
				if k.outside == isError {
					expectError(t, k, "other")
				} else {
					expectWarning(t, k, "other", k.def)
				}
			case kindHost:
				expectStored(t, k, "::1", "[::1]")
				expectStored(t, k, "10.0.0.1")
				expectError(t, k, "10.0.0.1:2181")
				expectError(t, k, "a host")
			case kindPath:
				expectError(t, k, "")
			case kindList:
				expectStored(t, k, "a,b", " a , ,b ")
			case kindText:
			}
		})
	}
}

func testNumber(t *testing.T, k *key) {
	expectError(t, k, "many")
	expectError(t, k, "")
	expectError(t, k, "1 000")
	if k.kind == kindHex {
		expectStored(t, k, "100000000", "100000000")
		return
	}
	low, high, ok := k.bounded()
	if !ok {
		t.Fatalf("no bounds")
	}
	expectStored(t, k, formatNumber(low))
	expectStored(t, k, formatNumber(high))
	if k.kind == kindPropInt && low <= 2048 && high >= 2048 {
		expectStored(t, k, "2048", "0x800", "04000", "#800", "+2048")
	}
	below := formatNumber(low - 1)
	switch {
	case k.outside == isError || k.kind == kindSize:
		expectError(t, k, below)
	case k.outside == toBound:
		expectWarning(t, k, below, formatNumber(low))
	case k.outside == toDefault:
		expectWarning(t, k, below, k.def)
	}
	if k.kind != kindSize {
		expectError(t, k, "99999999999999999999")
	}
}

// alone makes a loader in which only one row matters.
func assignAlone(k *key, value string) (*Config, *loader) {
	l := newLoader("zoo.cfg", Options{}.complete())
	k.storeDefault(l.cfg)
	l.assign(k, setting{name: k.name, value: value, file: "zoo.cfg", line: 7})
	return l.cfg, l
}

func fieldText(k *key, c *Config) string {
	switch p := k.field(c).(type) {
	case *[]string:
		return strings.Join(*p, ",")
	default:
		return fmt.Sprint(deref(p))
	}
}

// expectStored sets the canonical value and each spelling, and wants the same field for all.
func expectStored(t *testing.T, k *key, value string, spellings ...string) {
	t.Helper()
	want, _ := assignAlone(k, value)
	for _, s := range append(spellings, value) {
		got, l := assignAlone(k, s)
		if len(l.errs) > 0 || len(got.Warnings) > 0 {
			t.Errorf("%s=%s: %v %v", k.name, s, l.errs, got.Warnings)
		} else if fieldText(k, got) != fieldText(k, want) {
			t.Errorf("%s=%s gives %s, %s gives %s", k.name, s, fieldText(k, got), value, fieldText(k, want))
		}
	}
}

// expectWarning wants a value to be taken as another one, with a warning.
func expectWarning(t *testing.T, k *key, value, as string) {
	t.Helper()
	want, _ := assignAlone(k, as)
	got, l := assignAlone(k, value)
	if len(l.errs) > 0 || len(got.Warnings) != 1 {
		t.Errorf("%s=%s: errors %v, warnings %v", k.name, value, l.errs, got.Warnings)
	} else if w := got.Warnings[0]; w.Key != k.name || w.Line != 7 {
		t.Errorf("%s=%s: warning %+v", k.name, value, w)
	}
	if fieldText(k, got) != fieldText(k, want) {
		t.Errorf("%s=%s gives %s, want that of %s: %s", k.name, value, fieldText(k, got), as, fieldText(k, want))
	}
}

func expectError(t *testing.T, k *key, value string) {
	t.Helper()
	_, l := assignAlone(k, value)
	if len(l.errs) != 1 {
		t.Errorf("%s=%q: errors %v", k.name, value, l.errs)
		return
	}
	e := l.errs[0]
	if e.File != "zoo.cfg" || e.Line != 7 || e.Key != k.name || (e.Value != value && !k.secret) || !strings.HasPrefix(e.Want, "must be ") {
		t.Errorf("%s=%q: error %+v", k.name, value, e)
	}
}

func TestRefusedKeys(t *testing.T) {
	for _, k := range newTable().keys {
		if k.refuse == nil {
			continue
		}
		value := "true"
		if _, l := assignAlone(k, value); len(l.errs) != 1 {
			t.Errorf("%s=%s is not refused", k.name, value)
		}
		if k.kind == kindBool || k.kind == kindProp {
			if _, l := assignAlone(k, "false"); len(l.errs) != 0 {
				t.Errorf("%s=false is refused: %v", k.name, l.errs)
			}
		}
	}
	for _, line := range []string{
		"secureClientPort=2281", "client.portUnification=true", "ssl.keyStore.location=/k.p13", "ssl.quorum.keyStore.type=BCFKS", "ssl.clientAuth=some",
		"ssl.crl=true", "ssl.quorum.ocsp=true", "ssl.context.supplier.class=com.example.Mine", "ssl.enabledProtocols=TLSv1.1", "ssl.enabledProtocols=TLSv1.2,TLSv2",
		"ssl.quorum.protocol=TLSv1", "ssl.ciphersuites=TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "secureClientPortAddress=::1", "ssl.authProvider=mine",
		"sslQuorum=true", "quorum.auth.enableSasl=true", "authProvider.1=com.example.Mine",
		"java.security.auth.login.config=https://example.com/jaas.conf", "sessionRequireClientSASLAuth=true", "oraclePath=/o",
	} {
		name, _, _ := strings.Cut(line, "=")
		_, err := Parse("zoo.cfg", []byte(base+line), Options{ReadFile: noFiles})
		var e *Error
		if !errors.As(err, &e) || e.Key != name || e.Line != 3 {
			t.Errorf("%s: %v", line, err)
		}
	}
	secret := "authProvider.1=x\nssl.keyStore.location=/hunter.txt\nssl.keyStore.password=hunter2"
	if _, err := Parse("zoo.cfg", []byte(base+secret), Options{ReadFile: noFiles}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password in a message: %v", err)
	}
}

func TestAdvertisedNames(t *testing.T) {
	c := mustParse(t, base+"requestThrottleLimit=7\nconnectionMaxTokens=8\nmaxConcurrentSnapSyncs=9\n",
		Property{Name: "zookeeper.throttledOpWaitTime", Value: "10"})
	if c.RequestThrottleMaxRequests != 7 || c.ConnectionThrottle.Tokens != 8 || c.MaxConcurrentSnapSyncs != 9 || c.ThrottledOpWaitTime.Milliseconds() != 10 {
		t.Errorf("got %+v", c)
	}
	c = mustParse(t, base+"requestThrottleLimit=7\nrequest_throttle_max_requests=6\n")
	if c.RequestThrottleMaxRequests != 6 || len(c.Warnings) != 1 {
		t.Errorf("got %d, warnings %v", c.RequestThrottleMaxRequests, c.Warnings)
	}
}

func TestUnknownKeys(t *testing.T) {
	for name, near := range map[string]string{
		"tickTme": "tickTime", "datadir": "dataDir", "maxClientCnxn": "maxClientCnxns", "4lw.command.whitelist": "4lw.commands.whitelist",
		"clinetPort": "clientPort", "autopurge.purgeInteval": "autopurge.purgeInterval", "nothing.like.it": "",
		"zookeeper.snapCount": "snapCount",
	} {
		c := mustParse(t, base+name+"=1\n")
		if len(c.Warnings) != 1 || c.Warnings[0].Key != name || c.Warnings[0].Line != 3 {
			t.Errorf("%s: warnings %v", name, c.Warnings)
			continue
		}
		text := c.Warnings[0].Text
		if near != "" && !strings.Contains(text, near) || near == "" && strings.Contains(text, "did you mean") {
			t.Errorf("%s: %s", name, text)
		}
		if c.Raw[name] != "1" {
			t.Errorf("%s is not kept: %v", name, c.Raw)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "bc", 1}, {"abc", "axc", 1}, {"kitten", "sitting", 3}, {"abcdef", "x", 5}} {
		if got := editDistance(tt.a, tt.b, 5); got != tt.want {
			t.Errorf("%q %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := editDistance(tt.b, tt.a, 5); got != tt.want {
			t.Errorf("%q %q: %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func TestHelpNamesEveryKey(t *testing.T) {
	help, markdown := Help(), Markdown()
	for _, k := range newTable().keys {
		if !strings.Contains(help, "\n  "+k.name) {
			t.Errorf("Help lacks %s", k.name)
		}
		if !strings.Contains(markdown, "`"+k.name+"`") {
			t.Errorf("Markdown lacks %s", k.name)
		}
	}
	for line := range strings.Lines(markdown) {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 7 {
			t.Errorf("not six cells: %s", line)
		}
	}
}

// TestDefaults pins the defaults that clients and operators rely on.
func TestDefaults(t *testing.T) {
	c := mustParse(t, base)
	got := map[string]any{
		"tick": c.TickTime.Milliseconds(), "min": c.MinSessionTimeout.Milliseconds(), "max": c.MaxSessionTimeout.Milliseconds(),
		"cnxns": c.MaxClientCnxns, "total": c.MaxCnxns, "outstanding": c.GlobalOutstandingLimit, "jute": c.JuteMaxBuffer,
		"extra": c.JuteMaxBufferExtraSize, "log": c.DataLogDir, "sync": c.ForceSync, "acl": c.SkipACL, "digest": c.DigestEnabled,
		"alg": c.DigestAlg, "auth": c.DigestAuthEnabled, "words": strings.Join(c.FourLetterWhitelist, ","), "purge": c.Purge,
		"prometheus": c.Metrics.Prometheus, "password": c.SessionPassword, "commits": c.CommitLogCount, "retain": c.PurgeSnapRetainCount,
		"sessionless": c.SessionlessCnxnTimeout.Milliseconds(), "container": c.ContainerCheckInterval.Seconds(), "backlog": c.ClientPortListenBacklog,
		"ttl": c.ExtendedTypesEnabled, "large": c.LargeRequestThreshold, "standalone": c.StandaloneEnabled, "reconfig": c.ReconfigEnabled,
		"stall": c.RequestThrottleStallTime.Milliseconds(), "freeze": c.ConnectionThrottle.FreezeTime.Milliseconds(), "snapLimit": c.SnapSizeLimitBytes,
	}
	want := map[string]any{
		"tick": int64(3000), "min": int64(6000), "max": int64(60000), "cnxns": 60, "total": 0, "outstanding": 1000, "jute": 1048575,
		"extra": 1048575, "log": "/data", "sync": true, "acl": false, "digest": true, "alg": "SHA1", "auth": true, "words": "srvr", "purge": true,
		"prometheus": false, "password": "hmac", "commits": 500, "retain": 3, "sessionless": int64(10000), "container": 60.0, "backlog": -1,
		"ttl": false, "large": -1, "standalone": true, "reconfig": false, "stall": int64(100), "freeze": int64(-1), "snapLimit": int64(4194304 * 1024),
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			t.Errorf("%s: %v, want %v", k, got[k], want[k])
		}
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
}
