package conf

import "strings"

// The rows of operators' interfaces, authentication, TLS and Kerberos. A key that promises security
// which this version can't give is refused: a server that ran without it would look protected.

const (
	noTLS      = "TLS is not supported by this version; remove the line, or keep this server on Java"
	noSASL     = "SASL is not supported by this version; remove the line, or keep this server on Java"
	noKerberos = "Kerberos is not supported by this version; remove the line, or keep this server on Java"
)

func operatorKeys() []key {
	const m = "metricsProvider."
	return append([]key{
		{name: "4lw.commands.whitelist", props: prop("4lw.commands.whitelist"), kind: kindList, def: "srvr", field: func(c *Config) any { return &c.FourLetterWhitelist },
			doc: "Four-letter words that are answered, separated by commas; * is all. srvr always is."},
		{name: m + "className", kind: kindText, def: classMetricsDefault, verdict: Map, field: func(c *Config) any { return &c.Metrics.ClassName },
			doc: "Java's Prometheus class turns the HTTP endpoint for metrics on; its default and null classes leave it off."},
		{name: m + "httpHost", kind: kindHost, def: "0.0.0.0", field: func(c *Config) any { return &c.Metrics.HTTPHost },
			doc: "Address of the metrics endpoint."},
		{name: m + "httpPort", kind: kindInt, def: "7000", max: 65535, field: func(c *Config) any { return &c.Metrics.HTTPPort },
			doc: "Port of the metrics endpoint; 0 takes any free port."},
		{name: m + "exportJvmInfo", kind: kindProp, def: "true", verdict: Map, field: func(c *Config) any { return &c.Metrics.ExportJvmInfo },
			doc: "Add metrics of the runtime (Go's here, the JVM's in Java)."},
		{name: m + "numWorkerThreads", kind: kindInt, def: "1", verdict: Ignore, doc: "Threads that record summaries."},
		{name: m + "maxQueueSize", kind: kindInt, def: "1000000", verdict: Ignore, doc: "Queue of values to record."},
		{name: m + "workerShutdownTimeoutMs", kind: kindInt, def: "1000", unit: "ms", verdict: Ignore, doc: "Wait for the threads that record summaries."},
		{name: "audit.enable", props: prop("audit.enable"), kind: kindProp, def: "false", verdict: Refuse,
			refuse: refuseTrue("the audit log is not supported by this version; remove the line, or keep this server on Java"), field: func(c *Config) any { return &c.AuditEnable },
			doc: "Log every change with who made it."},
		{name: "audit.impl.class", props: prop("audit.impl.class"), kind: kindText, def: "org.apache.zookeeper.audit.Slf4jAuditLogger", verdict: Ignore, doc: "Class of the audit log."},
		{name: "jmx.log4j.disable", props: prop("jmx.log4j.disable"), kind: kindProp, def: "false", verdict: Ignore, doc: "There is no JMX; read the metrics endpoint instead."},
		{name: "jmx.log4j.mbean", props: prop("jmx.log4j.mbean"), kind: kindText, verdict: Ignore, doc: "There is no JMX; read the metrics endpoint instead."},
	}, adminKeys()...)
}

func adminKeys() []key {
	const p = "admin."
	return []key{
		{name: p + "enableServer", props: prop(p + "enableServer"), kind: kindTrue, def: "true", verdict: Later, field: func(c *Config) any { return &c.Admin.EnableServer },
			doc: "HTTP AdminServer; only the exact value false turns it off."},
		{name: p + "serverAddress", props: prop(p + "serverAddress"), kind: kindHost, def: "0.0.0.0", verdict: Later, field: func(c *Config) any { return &c.Admin.Address },
			doc: "Address of the AdminServer."},
		{name: p + "serverPort", props: prop(p + "serverPort"), kind: kindPropInt, def: "8080", max: 65535, verdict: Later, field: func(c *Config) any { return &c.Admin.Port },
			doc: "Port of the AdminServer."},
		{name: p + "idleTimeout", props: prop(p + "idleTimeout"), kind: kindPropInt, def: "30000", unit: "ms", max: maxInt32, verdict: Later, field: func(c *Config) any { return &c.Admin.IdleTimeout },
			doc: "An idle connection to the AdminServer is closed after this time."},
		{name: p + "commandURL", props: prop(p + "commandURL"), kind: kindText, def: "/commands", verdict: Later, field: func(c *Config) any { return &c.Admin.CommandURL },
			doc: "Where the AdminServer's commands are."},
		{name: p + "httpVersion", props: prop(p + "httpVersion"), kind: kindPropInt, def: "11", verdict: Ignore, doc: "HTTP version of the AdminServer."},
		{name: p + "portUnification", props: prop(p + "portUnification"), kind: kindProp, def: "false", verdict: Later, field: func(c *Config) any { return &c.Admin.PortUnification },
			doc: "HTTP and TLS on one AdminServer port."},
		{name: p + "forceHttps", props: prop(p + "forceHttps"), kind: kindProp, def: "false", verdict: Later, field: func(c *Config) any { return &c.Admin.ForceHTTPS },
			doc: "AdminServer over TLS only."},
		{name: p + "needClientAuth", props: prop(p + "needClientAuth"), kind: kindProp, def: "false", verdict: Later, field: func(c *Config) any { return &c.Admin.NeedClientAuth },
			doc: "AdminServer callers need a certificate."},
		{name: p + "rateLimiterIntervalInMS", props: prop(p + "rateLimiterIntervalInMS"), kind: kindPropInt, def: "300000", unit: "ms", max: maxInt32, verdict: Later, field: func(c *Config) any { return &c.Admin.RateLimiterInterval },
			doc: "Time between snapshots, or restores, by the AdminServer."},
		{name: p + "snapshot.enabled", props: prop(p + "snapshot.enabled"), kind: kindProp, def: "true", verdict: Later, field: func(c *Config) any { return &c.Admin.SnapshotEnabled },
			doc: "The AdminServer hands out snapshots."},
		{name: p + "restore.enabled", props: prop(p + "restore.enabled"), kind: kindProp, def: "true", verdict: Later, field: func(c *Config) any { return &c.Admin.RestoreEnabled },
			doc: "The AdminServer takes a snapshot to restore."},
		{name: p + "sensitive", props: prop(p + "sensitive"), kind: kindChoice, choices: []string{"closed", "open"}, def: "closed", verdict: Later, field: func(c *Config) any { return &c.Admin.Sensitive },
			doc: "This server only: open shows sessions, watches and settings to every caller of the AdminServer, as Java does."},
	}
}

func authKeys() []key {
	const d = "DigestAuthenticationProvider."
	return []key{
		{name: d + "enabled", props: prop(d + "enabled"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.DigestAuthEnabled },
			doc: "Clients may authenticate with the scheme digest."},
		{name: d + "superDigest", props: prop(d + "superDigest"), kind: kindText, secret: true, field: func(c *Config) any { return &c.SuperDigest },
			doc: "name:base64digest of the user who may do everything."},
		{name: d + "digestAlg", props: prop(d + "digestAlg"), kind: kindChoice, choices: digestAlgorithms(), def: "SHA1", field: func(c *Config) any { return &c.DigestAlg },
			doc: "Hash of the scheme digest, by its Java name; the same on all servers."},
		{name: "authProvider.<n>", props: prop("authProvider."), kind: kindText, verdict: Map,
			doc: "A Java class for one more scheme: the built-in classes for ip, digest and ensemble are known."},
		{name: "ensembleAuthName", props: prop("ensembleAuthName"), kind: kindList, field: func(c *Config) any { return &c.EnsembleAuthName },
			doc: "Names, separated by commas, that a client with the scheme ensemble must know."},
		{name: "IPAuthenticationProvider.usexforwardedfor", props: prop("IPAuthenticationProvider.usexforwardedfor"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.IPUseXForwardedFor },
			doc: "Take an AdminServer caller's address from X-Forwarded-For."},
		{name: "enforce.auth.enabled", props: prop("enforce.auth.enabled"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.EnforceAuthEnabled },
			doc: "Close connections that do anything before they authenticate."},
		{name: "enforce.auth.schemes", props: prop("enforce.auth.schemes"), kind: kindList, field: func(c *Config) any { return &c.EnforceAuthSchemes },
			doc: "Schemes that satisfy enforce.auth.enabled, separated by commas."},
		{name: "sessionRequireClientSASLAuth", props: prop("sessionRequireClientSASLAuth"), kind: kindProp, def: "false", verdict: Refuse, refuse: refuseTrue(noSASL), field: func(c *Config) any { return &c.SessionRequireClientSASLAuth },
			doc: "Only clients that authenticate with SASL get a session."},
		{name: "allowSaslFailedClients", props: prop("allowSaslFailedClients"), kind: kindProp, def: "false", verdict: Later, field: func(c *Config) any { return &c.AllowSaslFailedClients },
			doc: "Let clients that failed SASL go on without it."},
		{name: "X509AuthenticationProvider.superUser", props: prop("X509AuthenticationProvider.superUser"), kind: kindText, verdict: Later, field: func(c *Config) any { return &c.X509SuperUser },
			doc: "Name in a certificate whose owner may do everything."},
		{name: "superUser", props: prop("superUser"), kind: kindText, verdict: Later, doc: "SASL user who may do everything."},
		{name: "superUser.<n>", props: prop("superUser."), kind: kindText, verdict: Later, doc: "One more SASL user who may do everything."},
		{name: "SASLAuthenticationProvider.superPassword", props: prop("SASLAuthenticationProvider.superPassword"), kind: kindText, secret: true, verdict: Later,
			doc: "Password of the SASL user super."},
		{name: "letAnySaslUserDoX", props: prop("letAnySaslUserDoX"), kind: kindText, verdict: Later, doc: "ACL id that stands for every SASL user."},
		{name: "sasl.serverconfig", props: prop("sasl.serverconfig"), kind: kindText, def: "Server", verdict: Refuse, refuse: refuseAlways(noSASL),
			doc: "Section of the JAAS file for clients."},
		{name: "java.security.auth.login.config", props: []string{"java.security.auth.login.config"}, onlyD: true, kind: kindPath, verdict: Refuse, refuse: refuseAlways(noSASL),
			doc: "JAAS file."},
		{name: "ssl.authProvider", props: prop("ssl.authProvider"), kind: kindText, def: "x509", verdict: Refuse,
			refuse: func(value string) string {
				if value == "x509" {
					return ""
				}
				return "must be x509, the only scheme for client certificates here"
			},
			doc: "Scheme that client certificates authenticate with."},
	}
}

// tlsKeys are the keys with the prefixes ssl. (clients) and ssl.quorum. (peers), and the others of TLS.
func tlsKeys() []key {
	keys := []key{
		{name: "sslQuorum", kind: kindBool, def: "false", verdict: Refuse, refuse: refuseTrue(noTLS), doc: "TLS between servers."},
		{name: "portUnification", kind: kindBool, def: "false", verdict: Refuse, refuse: refuseTrue(noTLS), doc: "TLS and plain connections between servers on one port."},
		{name: "sslQuorumReloadCertFiles", kind: kindBool, def: "false", verdict: Later, doc: "Read the certificates between servers again when the files change."},
		{name: "client.portUnification", props: prop("client.portUnification"), kind: kindProp, def: "false", verdict: Refuse, refuse: refuseTrue(noTLS), doc: "TLS and plain clients on one port."},
		{name: "client.certReload", props: prop("client.certReload"), kind: kindProp, def: "false", verdict: Later, doc: "Read the certificates for clients again when the files change."},
		{name: "ssl.sslProvider", props: prop("ssl.sslProvider"), kind: kindText, def: "JDK", verdict: Ignore, doc: "TLS implementation for clients."},
		{name: "fips-mode", props: prop("fips-mode"), kind: kindProp, def: "true", verdict: Ignore, doc: "Choice of Java's trust manager."},
	}
	for _, side := range []struct{ prefix, who, verify string }{
		{"ssl.", "clients", "false"}, {"ssl.quorum.", "servers", "true"},
	} {
		promise := func(suffix, doc string) key {
			return key{name: side.prefix + suffix, props: prop(side.prefix + suffix), kind: kindText, verdict: Refuse, refuse: refuseAlways(noTLS),
				secret: strings.HasSuffix(suffix, ".password"), doc: doc + " (" + side.who + ")."}
		}
		flag := func(suffix, def, doc string) key {
			return key{name: side.prefix + suffix, props: prop(side.prefix + suffix), kind: kindProp, def: def, verdict: Later, doc: doc + " (" + side.who + ")."}
		}
		for _, store := range []string{"keyStore", "trustStore"} {
			keys = append(keys,
				promise(store+".location", "File of the "+store),
				promise(store+".password", "Password of the "+store),
				promise(store+".passwordPath", "File with the password of the "+store),
				promise(store+".type", "Type of the "+store))
		}
		crl, ocsp := flag("crl", "false", "Check certificates against revocation lists"), flag("ocsp", "false", "Ask an OCSP server about certificates")
		crl.verdict, crl.refuse = Refuse, refuseTrue(noTLS)
		ocsp.verdict, ocsp.refuse = Refuse, refuseTrue(noTLS)
		auth := promise("clientAuth", "need, want or none: a certificate from the other side")
		auth.def, auth.refuse = "need", func(value string) string {
			if strings.EqualFold(value, "none") {
				return ""
			}
			return noTLS
		}
		handshake := flag("handshakeDetectionTimeoutMillis", "5000", "Wait for the first byte, which tells TLS from plain")
		handshake.kind, handshake.unit, handshake.min, handshake.max = kindPropInt, "ms", 1, maxInt32
		keys = append(keys,
			promise("protocol", "TLS version"),
			promise("enabledProtocols", "TLS versions accepted"),
			promise("ciphersuites", "Cipher suites accepted"),
			promise("context.supplier.class", "Class that makes TLS contexts"),
			auth, crl, ocsp,
			flag("hostnameVerification", "true", "Check host names in certificates"),
			flag("clientHostnameVerification", side.verify, "Check host names in the certificates of those who connect"),
			flag("allowReverseDnsLookup", side.verify, "Find those host names by reverse DNS"),
			handshake)
	}
	return keys
}

func kerberosKeys() []key {
	const q = "quorum.auth."
	return []key{
		{name: q + "enableSasl", kind: kindBool, def: "false", verdict: Refuse, refuse: refuseTrue(noSASL), doc: "SASL between servers."},
		{name: q + "serverRequireSasl", kind: kindBool, def: "false", verdict: Refuse, refuse: refuseTrue(noSASL), doc: "Servers must use SASL to connect to this one."},
		{name: q + "learnerRequireSasl", kind: kindBool, def: "false", verdict: Refuse, refuse: refuseTrue(noSASL), doc: "This server uses SASL to connect to others."},
		{name: q + "learner.saslLoginContext", kind: kindText, def: "QuorumLearner", verdict: Later, doc: "Section of the JAAS file for connecting to other servers."},
		{name: q + "server.saslLoginContext", kind: kindText, def: "QuorumServer", verdict: Later, doc: "Section of the JAAS file for servers that connect."},
		{name: q + "kerberos.servicePrincipal", kind: kindText, def: "zkquorum/localhost", verdict: Refuse, refuse: refuseAlways(noKerberos), doc: "Kerberos principal between servers."},
		{name: "requireKerberosConfig", props: prop("requireKerberosConfig"), kind: kindProp, def: "false", verdict: Refuse, refuse: refuseTrue(noKerberos), doc: "Don't start without a Kerberos configuration."},
		{name: "kerberos.removeHostFromPrincipal", props: prop("kerberos.removeHostFromPrincipal"), kind: kindProp, def: "false", verdict: Later, doc: "Cut the host off a principal's name."},
		{name: "kerberos.removeRealmFromPrincipal", props: prop("kerberos.removeRealmFromPrincipal"), kind: kindProp, def: "false", verdict: Later, doc: "Cut the realm off a principal's name."},
		{name: "kerberos.canonicalizeHostNames", props: prop("kerberos.canonicalizeHostNames"), kind: kindProp, def: "false", verdict: Later, doc: "Use canonical host names between servers."},
		{name: "kerberos.minReLoginTimeMs", props: prop("kerberos.minReLoginTimeMs"), kind: kindPropInt, def: "60000", unit: "ms", verdict: Later, doc: "Time between logins."},
		{name: "kinit", props: prop("kinit"), kind: kindPath, def: "/usr/bin/kinit", verdict: Later, doc: "The kinit program."},
		{name: "server.principal", props: prop("server.principal"), kind: kindText, verdict: Later, doc: "Kerberos principal of the server."},
		{name: "server.realm", props: prop("server.realm"), kind: kindText, verdict: Later, doc: "Kerberos realm of the server."},
		{name: "security.auth_to_local", props: prop("security.auth_to_local"), kind: kindText, def: "DEFAULT", verdict: Later, doc: "Rules from principals to user names."},
	}
}
