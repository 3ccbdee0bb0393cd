package conf

// The rows of operators' interfaces, authentication and Kerberos. A key that promises security
// which this version can't give is refused: a server that ran without it would look protected.

const (
	noPeerTLS  = "TLS between servers is not supported by this version; remove the line, or keep this server on Java"
	noSASL     = "SASL between servers is not supported by this version; remove the line, or keep this server on Java"
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
		{name: "audit.enable", props: prop("audit.enable"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.AuditEnable },
			doc: "Log every change with who made it."},
		{name: "zk.audit.file", props: []string{"zk.audit.file"}, kind: kindPath, defText: "the server's log", verdict: Own, field: func(c *Config) any { return &c.AuditFile },
			doc: "File of the audit log, in the form of Java's, rolled at 10 MiB with ten kept."},
		{name: "audit.impl.class", props: prop("audit.impl.class"), kind: kindText, def: "org.apache.zookeeper.audit.Slf4jAuditLogger", verdict: Ignore, doc: "Class of the audit log."},
		{name: "jmx.log4j.disable", props: prop("jmx.log4j.disable"), kind: kindProp, def: "false", verdict: Ignore, doc: "There is no JMX; read the metrics endpoint instead."},
		{name: "jmx.log4j.mbean", props: prop("jmx.log4j.mbean"), kind: kindText, verdict: Ignore, doc: "There is no JMX; read the metrics endpoint instead."},
	}, adminKeys()...)
}

func adminKeys() []key {
	const p = "admin."
	return []key{
		{name: p + "enableServer", props: prop(p + "enableServer"), kind: kindTrue, def: "true", field: func(c *Config) any { return &c.Admin.EnableServer },
			doc: "HTTP AdminServer; only the exact value false turns it off."},
		{name: p + "serverAddress", props: prop(p + "serverAddress"), kind: kindHost, def: "0.0.0.0", field: func(c *Config) any { return &c.Admin.Address },
			doc: "Address of the AdminServer."},
		{name: p + "serverPort", props: prop(p + "serverPort"), kind: kindPropInt, def: "8080", max: 65535, field: func(c *Config) any { return &c.Admin.Port },
			doc: "Port of the AdminServer."},
		{name: p + "idleTimeout", props: prop(p + "idleTimeout"), kind: kindPropInt, def: "30000", unit: "ms", max: maxInt32, field: func(c *Config) any { return &c.Admin.IdleTimeout },
			doc: "An idle connection to the AdminServer is closed after this time."},
		{name: p + "commandURL", props: prop(p + "commandURL"), kind: kindText, def: "/commands", field: func(c *Config) any { return &c.Admin.CommandURL },
			doc: "Where the AdminServer's commands are."},
		{name: p + "httpVersion", props: prop(p + "httpVersion"), kind: kindPropInt, def: "11", verdict: Ignore, doc: "HTTP version of the AdminServer."},
		{name: p + "portUnification", props: prop(p + "portUnification"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.Admin.PortUnification },
			doc: "HTTP and TLS on one AdminServer port."},
		{name: p + "forceHttps", props: prop(p + "forceHttps"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.Admin.ForceHTTPS },
			doc: "AdminServer over TLS only."},
		{name: p + "needClientAuth", props: prop(p + "needClientAuth"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.Admin.NeedClientAuth },
			doc: "AdminServer callers need a certificate."},
		{name: p + "rateLimiterIntervalInMS", props: prop(p + "rateLimiterIntervalInMS"), kind: kindPropInt, def: "300000", unit: "ms", max: maxInt32, field: func(c *Config) any { return &c.Admin.RateLimiterInterval },
			doc: "Time between restores by the AdminServer; between snapshots a thousandth of it, as in Java 3.9.5."},
		{name: p + "snapshot.enabled", props: prop(p + "snapshot.enabled"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.Admin.SnapshotEnabled },
			doc: "The AdminServer hands out snapshots."},
		{name: p + "restore.enabled", props: prop(p + "restore.enabled"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.Admin.RestoreEnabled },
			doc: "The AdminServer takes a snapshot to restore."},
		{name: p + "sensitive", props: prop(p + "sensitive"), kind: kindChoice, choices: []string{"closed", "open"}, def: "closed", verdict: Own, field: func(c *Config) any { return &c.Admin.Sensitive },
			doc: "open shows sessions, connections, watches and settings to every caller of the AdminServer, as Java does; closed only to callers on the same machine and to authenticated ones."},
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
			doc: "A Java class for one more scheme: the built-in classes for ip, digest, sasl, ensemble and x509 are known."},
		{name: "ensembleAuthName", props: prop("ensembleAuthName"), kind: kindList, field: func(c *Config) any { return &c.EnsembleAuthName },
			doc: "Names, separated by commas, that a client with the scheme ensemble must know."},
		{name: "IPAuthenticationProvider.usexforwardedfor", props: prop("IPAuthenticationProvider.usexforwardedfor"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.IPUseXForwardedFor },
			doc: "Take an AdminServer caller's address from X-Forwarded-For."},
		{name: "enforce.auth.enabled", props: prop("enforce.auth.enabled"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.EnforceAuthEnabled },
			doc: "Close connections that do anything before they authenticate."},
		{name: "enforce.auth.schemes", props: prop("enforce.auth.schemes"), kind: kindList, field: func(c *Config) any { return &c.EnforceAuthSchemes },
			doc: "Schemes that satisfy enforce.auth.enabled, separated by commas."},
		{name: "sessionRequireClientSASLAuth", props: prop("sessionRequireClientSASLAuth"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.SessionRequireClientSASLAuth },
			doc: "Close connections that do anything before they authenticate with SASL; the same as enforce.auth with the scheme sasl alone."},
		{name: "allowSaslFailedClients", props: prop("allowSaslFailedClients"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.AllowSaslFailedClients },
			doc: "Let clients that failed SASL go on without it, unless the scheme sasl is enforced."},
		{name: "X509AuthenticationProvider.superUser", props: prop("X509AuthenticationProvider.superUser"), kind: kindText, field: func(c *Config) any { return &c.X509SuperUser },
			doc: "Name in a certificate whose owner may do everything."},
		{name: "superUser", props: prop("superUser"), kind: kindText, doc: "SASL user who may do everything."},
		{name: "superUser.<n>", props: prop("superUser."), kind: kindText, doc: "One more SASL user who may do everything."},
		{name: "SASLAuthenticationProvider.superPassword", props: prop("SASLAuthenticationProvider.superPassword"), kind: kindText, secret: true,
			field: func(c *Config) any { return &c.SASL.superPassword },
			doc:   "Password of the SASL user super, in place of the one in the JAAS file, which must have that user."},
		{name: "letAnySaslUserDoX", props: prop("letAnySaslUserDoX"), kind: kindText, field: func(c *Config) any { return &c.SASL.AnyUser },
			doc: "ACL id that stands for every SASL user."},
		{name: "sasl.serverconfig", props: prop("sasl.serverconfig"), kind: kindText, def: "Server", field: func(c *Config) any { return &c.SASL.Section },
			doc: "Section of the JAAS file that says who may connect."},
		{name: "java.security.auth.login.config", props: []string{"java.security.auth.login.config"}, onlyD: true, kind: kindPath,
			defText: "~/.java.login.config, if it is there", field: func(c *Config) any { return &c.SASL.File },
			doc: "JAAS file with the SASL users and their passwords (DigestLoginModule); read at the start."},
	}
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
