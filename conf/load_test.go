package conf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// deref reads what a row's field points to.
func deref(p any) any {
	switch p := p.(type) {
	case *int:
		return *p
	case *int64:
		return *p
	case *time.Duration:
		return *p
	case *float64:
		return *p
	case *bool:
		return *p
	case *string:
		return *p
	}
	return p
}

func TestSamples(t *testing.T) {
	sample, err := Load("zoo.cfg", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(sample.Warnings) > 0 || len(sample.Notes) > 0 {
		t.Errorf("zoo.cfg: %v %v", sample.Warnings, sample.Notes)
	}
	if sample.ClientPort != 2181 || sample.DataDir != "./zk-data" || !sample.FourLetterAllowed("mntr") {
		t.Errorf("zoo.cfg: %+v", sample)
	}
	embedded, err := Default("", Options{ReadFile: noFiles})
	if err != nil {
		t.Fatal(err)
	}
	if len(embedded.Warnings) > 0 || len(embedded.Notes) > 0 {
		t.Errorf("embedded: %v %v", embedded.Warnings, embedded.Notes)
	}
	if m := embedded.Metrics; !m.Prometheus || !m.BestEffort || m.HTTPPort != 7000 || embedded.DataDir != "./zk-data" ||
		embedded.ClientPort != 2181 || !embedded.FourLetterAllowed("ruok") {
		t.Errorf("embedded: %+v", embedded)
	}
	elsewhere, err := Default("/elsewhere", Options{ReadFile: noFiles, Properties: ParseFlags("-Dzookeeper.snapCount=5", "JVMFLAGS")})
	if err != nil || elsewhere.DataDir != "/elsewhere" || elsewhere.DataLogDir != "/elsewhere" || elsewhere.SnapCount != 5 || len(elsewhere.Warnings) > 0 {
		t.Errorf("embedded in another folder: %+v, %v", elsewhere, err)
	}
}

// TestSampleWithEveryLine switches on what the sample has commented out, so that it can't rot.
func TestSampleWithEveryLine(t *testing.T) {
	text, err := os.ReadFile("zoo.cfg")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
		}
		all.WriteString(line)
	}
	if c := mustParse(t, all.String()); len(c.Warnings) > 0 {
		t.Errorf("%v", c.Warnings)
	}
}

// TestFieldConfigurations loads configurations as the usual images and tutorials write them.
func TestFieldConfigurations(t *testing.T) {
	t.Run("official image", func(t *testing.T) {
		const text = "dataDir=/data\ndataLogDir=/datalog\ntickTime=2000\ninitLimit=5\nsyncLimit=2\nautopurge.snapRetainCount=3\n" +
			"autopurge.purgeInterval=0\nmaxClientCnxns=60\nstandaloneEnabled=true\nadmin.enableServer=true\nserver.1=localhost:2888:3888;2181\n"
		c, err := Parse("/conf/zoo.cfg", []byte(text), Options{ReadFile: files(map[string]string{"/data/myid": "1\n"})})
		if err != nil {
			t.Fatal(err)
		}
		if c.ClientPort != 2181 || c.ClientPortAddress != "" || c.ServerID != 1 || c.DataLogDir != "/datalog" || len(c.Warnings) > 0 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("Java's sample", func(t *testing.T) {
		c := mustParse(t, "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/tmp/zookeeper\nclientPort=2181\n")
		if c.TickTime != 2*time.Second || c.MinSessionTimeout != 4*time.Second || c.MaxSessionTimeout != 40*time.Second {
			t.Errorf("%+v", c)
		}
	})
	t.Run("an ensemble", func(t *testing.T) {
		text := base + "initLimit=5\nsyncLimit=2\nserver.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n"
		c, err := Parse("zoo.cfg", []byte(text), Options{ReadFile: files(map[string]string{"/data/myid": "2\n"})})
		if err != nil || !c.Distributed() || c.ServerID != 2 || len(c.Members.Voters()) != 3 || c.InitLimit != 5 || len(c.Warnings) > 0 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

func wantError(t *testing.T, text, key string, line int, want string, props ...Property) {
	t.Helper()
	c, err := Parse("zoo.cfg", []byte(text), Options{ReadFile: noFiles, Properties: props})
	var errs Errors
	if c != nil || !errors.As(err, &errs) {
		t.Fatalf("%q: %v, %v", text, c, err)
	}
	for _, e := range errs {
		if e.Key == key && e.Line == line && strings.Contains(e.Want, want) {
			return
		}
	}
	t.Errorf("%q:\n%v\nwant line %d, %s: %s", text, err, line, key, want)
}

func TestWrongConfigurations(t *testing.T) {
	for _, tt := range []struct {
		text, key string
		line      int
		want      string
	}{
		{"clientPort=2181\n", "dataDir", 0, "is not set"},
		{"dataDir=/d\n", "clientPort", 0, "is not set"},
		{"", "clientPort", 0, "is not set"},
		{"dataDir=/d\nclientPort=70000\n", "clientPort", 2, "from 0 to 65535"},
		{"dataDir=/d\nclientPort=-1\n", "clientPort", 2, "from 0 to 65535"},
		{"dataDir=/d\nclientPortAddress=1.2.3.4\n", "clientPortAddress", 2, "clientPort is not set"},
		{base + "tickTime=0\n", "tickTime", 3, "milliseconds from 1"},
		{base + "tickTime=2s\n", "tickTime", 3, "milliseconds from 1"},
		{base + "minSessionTimeout=5000\nmaxSessionTimeout=4000\n", "minSessionTimeout", 3, "must not be larger"},
		{base + "maxSessionTimeout=4000\n", "maxSessionTimeout", 3, "must not be larger"},
		{base + "electionAlg=1\n", "electionAlg", 3, "must be 3"},
		{base + "peerType=voter\n", "peerType", 3, "participant or observer"},
		{base + "metricsProvider.className=com.example.X\n", "metricsProvider.className", 3, "Prometheus"},
		{base + "metricsProvider.className=" + classMetricsPrometheus + "\nmetricsProvider.httpPort=2181\n", "metricsProvider.httpPort", 4, "another port"},
		{base + "enforce.auth.enabled=true\n", "enforce.auth.enabled", 3, "needs enforce.auth.schemes"},
		{base + "enforce.auth.enabled=true\nenforce.auth.schemes=digest, sasl\n", "enforce.auth.schemes", 4, "sasl is not available"},
		{base + "enforce.auth.enabled=true\nenforce.auth.schemes=digest\nDigestAuthenticationProvider.enabled=false\n", "enforce.auth.schemes", 4, "digest is not available"},
		{base + "DigestAuthenticationProvider.digestAlg=MD2\n", "DigestAuthenticationProvider.digestAlg", 3, "SHA-256"},
		{base + "standaloneEnabled=false\n", "standaloneEnabled", 3, "must be true"},
		{base + "server.x=a:1:2\n", "server.x", 3, "server.<number>"},
		{base + "server.1=a:1\n", "server.1", 3, "must have the form"},
		{base + "server.1=a:1:1\n", "server.1", 3, "must be different"},
		{base + "server.1=a:1:2:boss\n", "server.1", 3, "participant or observer"},
		{base + "server.1=a:1:2|b:1:2\n", "server.1", 3, "multiAddress.enabled"},
		{base + "server.1=[::1:1:2\n", "server.1", 3, "must have the form"},
		{base + "server.1=a:1:2;b:c:3\n", "server.1", 3, "must have the form"},
		{base + "server.1=a:1:2;99999\n", "server.1", 3, "client port"},
		{base + "weight.1=x\n", "weight.1", 3, "weight."},
		{base + "group.1=1:x\n", "group.1", 3, "group."},
		{base + "dynamicConfigFile=/none\n", "dynamicConfigFile", 3, "can't be read"},
	} {
		wantError(t, tt.text, tt.key, tt.line, tt.want)
	}
}

// TestAllErrorsTogether wants every mistake in one message, in the order of the file.
func TestAllErrorsTogether(t *testing.T) {
	_, err := Parse("conf/zoo.cfg", []byte("tickTime=x\nclientPort=y\nsslQuorum=true\n"),
		Options{ReadFile: noFiles, Properties: []Property{{Name: "jute.maxbuffer", Value: "1MB", Source: "JVMFLAGS"}}})
	want := `conf: conf/zoo.cfg:1: tickTime=x: must be a whole number of milliseconds from 1 to 107374182
conf: conf/zoo.cfg:2: clientPort=y: must be a whole number from 0 to 65535
conf: conf/zoo.cfg:3: sslQuorum=true: TLS between servers is not supported by this version; remove the line, or keep this server on Java
conf: JVMFLAGS: -Djute.maxbuffer=1MB: must be a whole number of bytes from 1 to 2147483647
conf: conf/zoo.cfg: dataDir: is not set; add a line such as dataDir=/var/lib/zookeeper`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestProperties(t *testing.T) {
	flags := ParseFlags(" -Xmx1g -Dzookeeper.snapCount=1000 -Djute.maxbuffer=0x9fffff\t-Dzookeeper.snapCount=2000 --add-opens java.base/x -Dflag ", "SERVER_JVMFLAGS")
	want := []Property{
		{"zookeeper.snapCount", "1000", "SERVER_JVMFLAGS"}, {"jute.maxbuffer", "0x9fffff", "SERVER_JVMFLAGS"},
		{"zookeeper.snapCount", "2000", "SERVER_JVMFLAGS"}, {"flag", "", "SERVER_JVMFLAGS"},
	}
	if !slices.Equal(flags, want) {
		t.Fatalf("got %v", flags)
	}
	c := mustParse(t, base, flags...)
	if c.SnapCount != 2000 || c.JuteMaxBuffer != 0x9fffff || c.JuteMaxBufferExtraSize != 0x9fffff || len(c.Warnings) > 0 {
		t.Errorf("%+v", c)
	}
	if len(c.Notes) != 2 || c.Notes[0].Key != "-Dflag" {
		t.Errorf("notes %v", c.Notes)
	}

	t.Run("the file wins", func(t *testing.T) {
		c := mustParse(t, base+"snapCount=7\n", Property{"zookeeper.snapCount", "8", "JVMFLAGS"})
		if c.SnapCount != 7 || len(c.Notes) < 1 {
			t.Errorf("%d, notes %v", c.SnapCount, c.Notes)
		}
	})
	t.Run("keys of the file only", func(t *testing.T) {
		c := mustParse(t, base, Property{"zookeeper.tickTime", "1", "JVMFLAGS"})
		if c.TickTime != 3*time.Second || len(c.Warnings) > 0 || !strings.Contains(c.Notes[0].Text, "configuration file only") {
			t.Errorf("%v, notes %v", c.TickTime, c.Notes)
		}
	})
	t.Run("a misspelled one", func(t *testing.T) {
		c := mustParse(t, base, Property{"zookeeper.skipAcl1", "yes", "JVMFLAGS"})
		if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Text, "-Dzookeeper.skipACL") {
			t.Errorf("%v", c.Warnings)
		}
	})
	t.Run("without the prefix", func(t *testing.T) {
		c := mustParse(t, base, Property{"fsync.warningthresholdms", "5", ""}, Property{"zookeeper.fsync.warningthresholdms", "6", ""}, Property{"snapCount", "7", ""})
		if c.FsyncWarningThreshold != 6*time.Millisecond || c.SnapCount != 100000 {
			t.Errorf("%v %v", c.FsyncWarningThreshold, c.SnapCount)
		}
	})
	t.Run("families", func(t *testing.T) {
		c := mustParse(t, base, Property{"zookeeper.authProvider.1", classAuthPrefix + "EnsembleAuthenticationProvider", ""}, Property{"zookeeper.ensembleAuthName", "a, b", ""})
		if c.AuthProviders["1"] != "ensemble" || !slices.Equal(c.EnsembleAuthName, []string{"a", "b"}) {
			t.Errorf("%v %v", c.AuthProviders, c.EnsembleAuthName)
		}
		wantError(t, base, "-Dzookeeper.authProvider.1", 0, "sample code", Property{"zookeeper.authProvider.1", classAuthPrefix + "KeyAuthenticationProvider", "JVMFLAGS"})
	})
}

func TestParseArgs(t *testing.T) {
	props, rest := ParseArgs([]string{"server", "-Da.b=c=d", "-Xmx1g", "conf/zoo.cfg", "--add-opens=x/y", "-De", "--", "-Df=g"})
	if !slices.Equal(props, []Property{{"a.b", "c=d", commandLine}, {"e", "", commandLine}}) {
		t.Errorf("properties %v", props)
	}
	if !slices.Equal(rest, []string{"server", "conf/zoo.cfg", "--", "-Df=g"}) {
		t.Errorf("rest %v", rest)
	}
}

func TestLoadArgs(t *testing.T) {
	opts := Options{ReadFile: noFiles}
	c, err := LoadArgs([]string{"2181", "/d"}, opts)
	if err != nil || c.ClientPort != 2181 || c.DataDir != "/d" || c.TickTime != 3*time.Second || c.MaxClientCnxns != 0 || c.Path != "" || len(c.Warnings) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = LoadArgs([]string{"2181", "/d", "500", "9"}, opts)
	if err != nil || c.TickTime != 500*time.Millisecond || c.MaxClientCnxns != 9 || len(c.Warnings) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, args := range [][]string{nil, {"2181"}, {"port", "/d"}, {"2181", "/d", "x"}, {"1", "2", "3", "4", "5"}} {
		if _, err := LoadArgs(args, opts); err == nil || !strings.HasPrefix(err.Error(), "conf: command line: ") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestClientPortOfServerLine follows QuorumPeerConfig.setupClientPort.
func TestClientPortOfServerLine(t *testing.T) {
	const line = "server.3=h:1:2;10.0.0.1:2222\n"
	for _, tt := range []struct {
		name, text, myid string
		port             int
		address          string
		wrong            bool
		warnings         int
	}{
		{"the line alone", "dataDir=/d\n" + line, "3", 2222, "10.0.0.1", false, 0},
		{"the line alone, no myid", "dataDir=/d\n" + line, "", 2222, "10.0.0.1", false, 0},
		{"no myid, clientPort wins", "dataDir=/d\nclientPort=1\n" + line, "", 1, "", false, 0},
		{"another myid", "dataDir=/d\nclientPort=1\n" + line, "4", 1, "", false, 1},
		{"another myid and no port", "dataDir=/d\n" + line, "4", 0, "", true, 0},
		{"agreeing", "dataDir=/d\nclientPort=2222\n" + line, "3", 2222, "10.0.0.1", false, 0},
		{"agreeing address", "dataDir=/d\nclientPort=2222\nclientPortAddress=10.0.0.1\n" + line, "3", 2222, "10.0.0.1", false, 0},
		{"other port", "dataDir=/d\nclientPort=2223\n" + line, "3", 0, "", true, 0},
		{"other address", "dataDir=/d\nclientPort=2222\nclientPortAddress=10.0.0.2\n" + line, "3", 0, "", true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := map[string]string{}
			if tt.myid != "" {
				disk["/d/myid"] = tt.myid
			}
			c, err := Parse("zoo.cfg", []byte(tt.text), Options{ReadFile: files(disk)})
			if tt.wrong {
				if err == nil {
					t.Errorf("no error: %+v", c)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.ClientPort != tt.port || c.ClientPortAddress != tt.address || len(c.Warnings) != tt.warnings {
				t.Errorf("%d %q %v", c.ClientPort, c.ClientPortAddress, c.Warnings)
			}
		})
	}
}

func TestDynamicFile(t *testing.T) {
	text := "dataDir=/d\ndynamicConfigFile=/c/zoo.cfg.dynamic.1000a\n"
	disk := map[string]string{"/d/myid": "1", "/c/zoo.cfg.dynamic.1000a": "server.1=h:1:2:participant;0.0.0.0:2181\n"}
	c, err := Parse("zoo.cfg", []byte(text), Options{ReadFile: files(disk)})
	if err != nil || c.ClientPort != 2181 || c.ConfigVersion != 0x1000a || c.Members.Version() != 0x1000a || c.Distributed() {
		t.Errorf("%+v, %v", c, err)
	}
	disk["/c/zoo.cfg.dynamic.1000a"] += "version=3\ntickTime=4\n"
	_, err = Parse("zoo.cfg", []byte(text+"server.2=h:1:2\n"), Options{ReadFile: files(disk)})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 3 {
		t.Fatalf("%v", err)
	}
	for _, key := range []string{"version", "tickTime", "server.2"} {
		if !slices.ContainsFunc(errs, func(e *Error) bool { return e.Key == key }) {
			t.Errorf("nothing about %s: %v", key, err)
		}
	}
}

func TestMyID(t *testing.T) {
	for _, tt := range []struct {
		myid, extra string
		id          int64
		wrong       bool
		warnings    int
	}{
		{"7", "", 7, false, 0},
		{" 7 \r\nrest", "", 7, false, 0},
		{"255", "", 255, false, 0},
		{"256", "", 256, false, 1},
		{"254", "extendedTypesEnabled=true\n", 254, false, 0},
		{"255", "extendedTypesEnabled=true\n", 0, true, 0},
		{"", "", 0, true, 0},
		{"one", "", 0, true, 0},
		{"-1", "", 0, true, 0},
	} {
		c, err := Parse("zoo.cfg", []byte(base+tt.extra), Options{ReadFile: files(map[string]string{"/data/myid": tt.myid})})
		if tt.wrong {
			var e *Error
			if !errors.As(err, &e) || e.File != filepath.Join("/data", "myid") || e.Line != 1 {
				t.Errorf("%q: %v", tt.myid, err)
			}
			continue
		}
		if err != nil || c.ServerID != tt.id || len(c.Warnings) != tt.warnings {
			t.Errorf("%q: %+v, %v", tt.myid, c, err)
		}
	}
}

func TestDuplicatesAndOddities(t *testing.T) {
	c := mustParse(t, base+"tickTime=1000\ntickTime=1500\n")
	if c.TickTime != 1500*time.Millisecond || len(c.Warnings) != 1 || c.Warnings[0].Line != 4 {
		t.Errorf("%v %v", c.TickTime, c.Warnings)
	}
	for line, key := range map[string]string{
		"dataLogDir=logs": "dataLogDir", "forceSync=no": "forceSync", "skipACL=yes": "skipACL", "zk.purge=off": "zk.purge",
		"4lw.commands.whitelist=ruok,conff": "4lw.commands.whitelist", "connection_throttle_local_session_weight=3": "connection_throttle_renew_session_weight",
		"largeRequestThreshold=0": "largeRequestThreshold", "DigestAuthenticationProvider.superDigest=abc": "DigestAuthenticationProvider.superDigest",
		"ensembleAuthName=\xe9": "ensembleAuthName",
	} {
		c := mustParse(t, base+line+"\n")
		if len(c.Warnings) != 1 || c.Warnings[0].Key != key {
			t.Errorf("%s: %v", line, c.Warnings)
		}
	}
	for line, text := range map[string]string{
		"jute.maxbuffer=5000": "Java would read it only as", "preAllocSize=x": "no effect", "kinit=/bin/true": "no effect in this version",
		"autopurge.purgeInterval=0": "runs by itself", "requestThrottleLimit=4": "request_throttle_max_requests",
	} {
		c := mustParse(t, base+line+"\n")
		key, _, _ := strings.Cut(line, "=")
		if i := slices.IndexFunc(c.Notes, func(n Note) bool { return n.Key == key }); i < 0 || !strings.Contains(c.Notes[i].Text, text) || c.Notes[i].Line != 3 {
			t.Errorf("%s: %v", line, c.Notes)
		}
		if len(c.Warnings) > 0 {
			t.Errorf("%s: %v", line, c.Warnings)
		}
	}
}

func TestFourLetterAllowed(t *testing.T) {
	c := mustParse(t, base+"4lw.commands.whitelist=stat, ruok\n")
	for word, want := range map[string]bool{"stat": true, "ruok": true, "srvr": true, "mntr": false, "isro": false} {
		if c.FourLetterAllowed(word) != want {
			t.Errorf("%s: %v", word, !want)
		}
	}
	if c := mustParse(t, base, Property{"readonlymode.enabled", "true", ""}); !c.FourLetterAllowed("isro") || c.FourLetterAllowed("ruok") {
		t.Error("read-only mode allows isro and nothing else")
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none"), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, fileBytesMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big, Options{}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte("clientPort=0\ndataDir="+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, Options{})
	if err != nil || c.ClientPort != 0 || c.Path != path {
		t.Errorf("%+v, %v", c, err)
	}
}
