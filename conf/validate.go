package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	classMetricsDefault    = "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider"
	classMetricsNull       = "org.apache.zookeeper.metrics.impl.NullMetricsProvider"
	classMetricsPrometheus = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
	classAuthPrefix        = "org.apache.zookeeper.server.auth."
	classSASL              = classAuthPrefix + "SASLAuthenticationProvider"
	classDigestLogin       = classAuthPrefix + "DigestLoginModule"
	classKerberosLogin     = "com.sun.security.auth.module.Krb5LoginModule"
)

// digestAlgorithms are the hashes of the scheme digest, by the names Java has for them.
func digestAlgorithms() []string {
	return []string{
		"SHA1", "SHA", "SHA-1", "MD5", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "SHA-512/224", "SHA-512/256",
		"SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512",
	}
}

// fourLetterWords are the words Java 3.9.5 knows (FourLetterCommands).
func fourLetterWords() []string {
	return []string{
		"conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst", "srvr",
		"stat", "stmk", "wchc", "wchp", "wchs",
	}
}

// resolve fills in what depends on several keys or on other files, and checks it.
func (l *loader) resolve() {
	l.resolveData()
	l.resolveTime()
	l.resolveLimits()
	l.resolveMetrics()
	l.resolveTLS()
	l.resolveAuth()
	l.resolveSASL()
	l.resolveOperators()
	if l.cfg.DataDir != "" {
		l.resolveMyID()
	}
	l.resolveServers()
	l.resolveClientPort()
}

func (l *loader) resolveData() {
	c := l.cfg
	if !l.isSet("dataDir") {
		l.failKey("dataDir", "is not set; add a line such as dataDir=/var/lib/zookeeper")
	}
	if c.DataLogDir == "" {
		c.DataLogDir = c.DataDir
	}
	for _, name := range []string{"dataDir", "dataLogDir"} {
		s, ok := l.set[l.table.byName[name]]
		if ok && s.line > 0 && s.value != "" && !filepath.IsAbs(s.value) && !strings.HasPrefix(s.value, ".") {
			l.warn(name, s.line, s.value+" is relative to the folder the server is started in; write ./"+s.value+" if you are sure")
		}
	}
	if !c.ForceSync {
		l.warnKey("forceSync", "no: a crash of the machine loses acknowledged writes")
	}
	if !c.Purge {
		l.warnKey("zk.purge", "off: the log grows until the disk is full")
	} else if c.PurgeInterval == 0 && c.Path != "(embedded)" {
		l.noteOn("autopurge.purgeInterval", l.set[l.table.byName["autopurge.purgeInterval"]].line,
			"0: purging, which Java leaves off then, runs by itself in this server; zk.purge=off turns it off")
	}
	if !l.isSet("maxWriteQueuePollTime") {
		c.MaxWriteQueuePollTime = c.FlushDelay / 3
	}
	if !l.isSet("zk.diskLowWaterBytes") {
		c.DiskLowWaterBytes = -1
	} else if c.DiskLowWaterBytes == 0 {
		l.warnKey("zk.diskLowWaterBytes", "0: a full disk ends the server")
	}
	if !l.isSet("zk.diskBallastBytes") {
		c.DiskBallastBytes = -1
	}
}

func (l *loader) resolveTime() {
	c := l.cfg
	if c.MinSessionTimeout == -time.Millisecond {
		c.MinSessionTimeout = 2 * c.TickTime
	}
	if c.MaxSessionTimeout == -time.Millisecond {
		c.MaxSessionTimeout = 20 * c.TickTime
	}
	if c.MinSessionTimeout > c.MaxSessionTimeout {
		name := "minSessionTimeout"
		if !l.isSet(name) {
			name = "maxSessionTimeout"
		}
		l.failKey(name, fmt.Sprintf("minSessionTimeout (%d ms) must not be larger than maxSessionTimeout (%d ms)",
			c.MinSessionTimeout.Milliseconds(), c.MaxSessionTimeout.Milliseconds()))
	}
	if !l.isSet("connectToLearnerMasterLimit") {
		c.ConnectToLearnerMasterLimit = c.InitLimit
	}
}

// resolveLimits fills in limits that follow from others, as BinaryInputArchive, BlueThrottle and
// ZooKeeperServer do.
func (l *loader) resolveLimits() {
	c := l.cfg
	if !l.isSet("jute.maxbuffer.extrasize") {
		c.JuteMaxBufferExtraSize = max(c.JuteMaxBuffer, 1024)
	}
	if c.LargeRequestThreshold == 0 {
		c.LargeRequestThreshold = -1
		l.warnKey("largeRequestThreshold", "0 must be -1 or a number of bytes; -1 is used, as in Java")
	}
	t := &c.ConnectionThrottle
	if t.GlobalSessionWeight < t.LocalSessionWeight {
		t.GlobalSessionWeight = t.LocalSessionWeight
		l.warnKey("connection_throttle_global_session_weight", "is less than the weight of local sessions, which is used in its place, as in Java")
	}
	if t.RenewSessionWeight < t.LocalSessionWeight {
		t.RenewSessionWeight = t.LocalSessionWeight
		l.warnKey("connection_throttle_renew_session_weight", "is less than the weight of local sessions, which is used in its place, as in Java")
	}
}

func (l *loader) resolveMetrics() {
	m := &l.cfg.Metrics
	switch m.ClassName {
	case classMetricsPrometheus:
		m.Prometheus = true
		if m.HTTPPort != 0 && m.HTTPPort == l.cfg.ClientPort {
			l.failKey("metricsProvider.httpPort", "must be another port than clientPort")
		}
	case classMetricsDefault, classMetricsNull:
	default:
		l.failKey("metricsProvider.className", "must be "+orList([]string{classMetricsPrometheus, classMetricsDefault, classMetricsNull}))
	}
}

func (l *loader) resolveOperators() {
	for _, word := range l.cfg.FourLetterWhitelist {
		if word != "*" && !slices.Contains(fourLetterWords(), word) {
			l.warnKey("4lw.commands.whitelist", shorten(word)+" is not a four-letter word; the words are "+strings.Join(fourLetterWords(), " "))
		}
	}
	if l.cfg.SkipACL {
		l.warnKey("skipACL", "yes: everyone may read and write everything")
	}
}

// resolveAuth maps the classes of authProvider.<n> lines to schemes and checks that what
// enforce.auth.schemes asks for is there (AuthenticationHelper, ProviderRegistry).
func (l *loader) resolveAuth() {
	c := l.cfg
	switch c.DigestAlg {
	case "SHA", "SHA-1":
		c.DigestAlg = "SHA1"
	}
	k := l.table.find("authProvider.1")
	for _, s := range l.family[k] {
		scheme, refusal := schemeOf(s.value)
		if refusal != "" {
			l.fail(k, s, refusal)
			continue
		}
		_, n, _ := strings.Cut(s.name, "authProvider.")
		c.AuthProviders[n] = scheme
	}
	if c.SuperDigest != "" && !strings.Contains(c.SuperDigest, ":") {
		l.warnKey("DigestAuthenticationProvider.superDigest", "must be name:base64digest; nobody can authenticate with this")
	}
	if c.SessionRequireClientSASLAuth {
		// It stands for both keys, whatever they say.
		c.EnforceAuthEnabled, c.EnforceAuthSchemes = true, []string{"sasl"}
		if !l.hasScheme("sasl") {
			l.failKey("sessionRequireClientSASLAuth", "needs the scheme sasl: authProvider.1="+classSASL)
		}
		return
	}
	if !c.EnforceAuthEnabled {
		return
	}
	if len(c.EnforceAuthSchemes) == 0 {
		l.failKey("enforce.auth.enabled", "needs enforce.auth.schemes, for example enforce.auth.schemes=digest")
	}
	for _, scheme := range c.EnforceAuthSchemes {
		if !l.hasScheme(scheme) {
			l.failKey("enforce.auth.schemes", "authentication scheme "+shorten(scheme)+" is not available; "+orList(l.schemes())+" are")
		}
	}
}

// schemes are the schemes a client can authenticate with, besides world.
func (l *loader) schemes() []string {
	schemes := []string{"ip"}
	if l.cfg.ServesTLS() {
		schemes = append(schemes, "x509")
	}
	if l.cfg.DigestAuthEnabled {
		schemes = append(schemes, "digest")
	}
	for _, scheme := range l.cfg.AuthProviders {
		if !slices.Contains(schemes, scheme) {
			schemes = append(schemes, scheme)
		}
	}
	slices.Sort(schemes)
	return schemes
}

func (l *loader) hasScheme(scheme string) bool { return slices.Contains(l.schemes(), scheme) }

// schemeOf maps a Java class of an authProvider line to its scheme, or says why it is refused.
func schemeOf(class string) (scheme, refusal string) {
	name, known := strings.CutPrefix(class, classAuthPrefix)
	if known {
		switch name {
		case "IPAuthenticationProvider":
			return "ip", ""
		case "DigestAuthenticationProvider":
			return "digest", ""
		case "EnsembleAuthenticationProvider":
			return "ensemble", ""
		case "KeyAuthenticationProvider":
			return "", "the scheme key is Java's sample code and is not supported"
		case "SASLAuthenticationProvider":
			return "sasl", ""
		case "X509AuthenticationProvider":
			return "x509", ""
		}
	}
	return "", "this class is not known here; known are IPAuthenticationProvider, DigestAuthenticationProvider, SASLAuthenticationProvider, EnsembleAuthenticationProvider and X509AuthenticationProvider of " +
		strings.TrimSuffix(classAuthPrefix, ".")
}

// resolveMyID reads the first line of <dataDir>/myid. A standalone server needs none.
func (l *loader) resolveMyID() {
	c := l.cfg
	path := myIDPath(c.DataDir)
	text, err := l.opts.ReadFile(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.errs = append(l.errs, &Error{File: path, Want: "can't be read: " + err.Error()})
		}
		return
	}
	first, _, _ := strings.Cut(string(text), "\n")
	first = trimJava(first)
	id, err := strconv.ParseInt(first, 10, 64)
	most := int64(math.MaxInt64)
	if c.ExtendedTypesEnabled {
		most = 254 // EphemeralType.validateServerId: 255 marks a TTL znode's owner
	}
	switch {
	case err != nil || id < 0:
		l.errs = append(l.errs, &Error{File: path, Line: 1, Key: "myid", Value: first, Want: "must be the server's id, a whole number from 1 to 255"})
	case id > most:
		l.errs = append(l.errs, &Error{File: path, Line: 1, Key: "myid", Value: first, Want: "must be at most 254 when extendedTypesEnabled is true"})
	default:
		c.ServerID, l.hasMyID = id, true
		if id > 255 {
			l.warn("myid", 0, "is more than 255; session ids have room for eight bits of it, so those of different servers may collide")
		}
	}
}

// parseHost takes an IP address, with brackets or without, or a host name. Names are not resolved
// here, and hardly checked: the resolver knows better.
func parseHost(value string) (host string, ok bool) {
	host = value
	if inner, found := strings.CutPrefix(host, "["); found {
		if host, found = strings.CutSuffix(inner, "]"); !found {
			return "", false
		}
	}
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		return host, err == nil && addr.Is6()
	}
	return host, host == value && !strings.ContainsAny(host, " \t/\\[]|;,@") && len(host) <= 255
}
