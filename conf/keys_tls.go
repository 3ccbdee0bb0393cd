package conf

import (
	"strings"
	"time"
)

// TLS is what the keys ssl.* (clients) or ssl.quorum.* (servers) say. Names are checked; stores are read
// by whoever makes connections of it. Source: X509Util, ClientX509Util, QuorumX509Util of Java 3.9.5.
type TLS struct {
	KeyStore   CertStore // certificate and key of this server
	TrustStore CertStore // who is trusted; no location: nobody, or what the system trusts when connecting
	Protocol   string    // TLSv1.3 or TLSv1.2 alone when EnabledProtocols is empty; "" both
	// EnabledProtocols are Java names; those older than TLSv1.2 are never spoken, as with Java 17.
	EnabledProtocols []string
	CipherSuites     []string // Java names; empty: the default
	ClientAuth       string   // need, want or none; "" is need

	HostnameVerification       bool // of servers that are connected to
	ClientHostnameVerification bool // of those who connect; only with HostnameVerification
	AllowReverseDNSLookup      bool // their names may come from reverse DNS
	HandshakeDetectionTimeout  time.Duration
	CertReload                 bool // read the stores again when their files change
}

// CertStore names a file with keys or certificates.
type CertStore struct {
	Location     string // "" : none
	Password     string
	PasswordPath string // file with the password; beats Password
	Type         string // JKS, PEM or PKCS12; "" : by the end of Location
}

// The protocols by their Java names: those that are spoken, and those that Java 17 and this server accept in
// a list but never speak.
func tlsProtocols() (spoken, silent []string) {
	return []string{"TLSv1.3", "TLSv1.2"}, []string{"TLSv1.1", "TLSv1", "SSLv3", "SSLv2Hello"}
}

// tlsKeys are the keys with the prefixes ssl. (clients) and ssl.quorum. (peers), and the others of TLS.
func tlsKeys() []key {
	keys := []key{
		{name: "sslQuorum", kind: kindBool, def: "false", verdict: Refuse, refuse: refuseTrue(noPeerTLS), doc: "TLS between servers."},
		{name: "portUnification", kind: kindBool, def: "false", verdict: Refuse, refuse: refuseTrue(noPeerTLS), doc: "TLS and plain connections between servers on one port."},
		{name: "sslQuorumReloadCertFiles", kind: kindBool, def: "false", field: func(c *Config) any { return &c.QuorumTLS.CertReload },
			doc: "Read the stores of ssl.quorum again when the files change."},
		{name: "client.portUnification", props: prop("client.portUnification"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.ClientPortUnification },
			doc: "TLS and plain clients on clientPort; needs ssl.keyStore.location."},
		{name: "client.certReload", props: prop("client.certReload"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.ClientTLS.CertReload },
			doc: "Read the stores for clients again when the files change."},
		{name: "netty.server.outstandingHandshake.limit", props: prop("netty.server.outstandingHandshake.limit"), aliases: []string{"outstandingHandshake.limit"}, kind: kindPropInt, def: "-1", min: -1, max: maxInt32,
			field: func(c *Config) any { return &c.OutstandingHandshakeLimit },
			doc:   "TLS handshakes under way at once; more are closed. 0 or -1 is no limit."},
		{name: "ssl.authProvider", props: prop("ssl.authProvider"), kind: kindText, def: "x509", verdict: Refuse,
			refuse: func(value string) string {
				if value == "x509" {
					return ""
				}
				return "must be x509, the only scheme for client certificates here"
			},
			doc: "Scheme that client certificates authenticate with."},
		{name: "ssl.sslProvider", props: prop("ssl.sslProvider"), kind: kindText, def: "JDK", verdict: Ignore, doc: "TLS implementation for clients."},
		{name: "fips-mode", props: prop("fips-mode"), kind: kindProp, def: "true", verdict: Ignore, doc: "Choice of Java's trust manager."},
	}
	keys = append(keys, tlsSide("ssl.", "clients", "false", func(c *Config) *TLS { return &c.ClientTLS })...)
	return append(keys, tlsSide("ssl.quorum.", "servers", "true", func(c *Config) *TLS { return &c.QuorumTLS })...)
}

// tlsSide are the rows of one prefix.
func tlsSide(prefix, who, verify string, of func(*Config) *TLS) []key {
	row := func(suffix string, k kind, def, doc string, field func(*TLS) any) key {
		r := key{name: prefix + suffix, props: prop(prefix + suffix), kind: k, def: def, doc: doc + " (" + who + ").", secret: strings.HasSuffix(suffix, ".password")}
		if field != nil {
			r.field = func(c *Config) any { return field(of(c)) }
		}
		return r
	}
	store := func(name, what string, of func(*TLS) *CertStore) []key {
		kindOf := row(name+".type", kindChoice, "", "Type of the "+what, func(t *TLS) any { return &of(t).Type })
		kindOf.choices, kindOf.defText = []string{"", "JKS", "PEM", "PKCS12"}, "by the file's end: .jks, .pem, .p12"
		return []key{
			row(name+".location", kindText, "", "File of the "+what, func(t *TLS) any { return &of(t).Location }),
			row(name+".password", kindText, "", "Password of the "+what, func(t *TLS) any { return &of(t).Password }),
			row(name+".passwordPath", kindText, "", "File with the password of the "+what, func(t *TLS) any { return &of(t).PasswordPath }),
			kindOf,
		}
	}
	keys := append(store("keyStore", "store with this server's certificate and key", func(t *TLS) *CertStore { return &t.KeyStore }),
		store("trustStore", "store of trusted certificates", func(t *TLS) *CertStore { return &t.TrustStore })...)
	versions := row("protocol", kindChoice, "", "TLS version, when enabledProtocols is not set", func(t *TLS) any { return &t.Protocol })
	versions.choices, versions.defText = []string{"", "TLSv1.3", "TLSv1.2", "TLS"}, "TLSv1.3 and TLSv1.2"
	enabled := row("enabledProtocols", kindList, "", "TLS versions accepted; older ones than TLSv1.2 are not spoken", func(t *TLS) any { return &t.EnabledProtocols })
	enabled.defText = "TLSv1.3,TLSv1.2"
	supplier := row("context.supplier.class", kindText, "", "Java class that makes TLS contexts", nil)
	supplier.verdict, supplier.refuse = Refuse, refuseAlways("a Java class can't be loaded here; name the stores with "+prefix+"keyStore.location and "+prefix+"trustStore.location")
	auth := row("clientAuth", kindChoice, "need", "A certificate from those who connect", func(t *TLS) any { return &t.ClientAuth })
	auth.choices = []string{"", "need", "want", "none"}
	crl := row("crl", kindProp, "false", "Check certificates against revocation lists", nil)
	ocsp := row("ocsp", kindProp, "false", "Ask an OCSP server about certificates", nil)
	crl.verdict, ocsp.verdict = Refuse, Refuse
	crl.refuse = refuseTrue("revocation is not checked by this version; remove the line, or keep this server on Java")
	ocsp.refuse = crl.refuse
	detection := row("handshakeDetectionTimeoutMillis", kindPropInt, "5000", "On a port for both, a connection that is silent for so long is a plain one", func(t *TLS) any { return &t.HandshakeDetectionTimeout })
	detection.unit, detection.min, detection.max, detection.outside = "ms", 1, maxInt32, toDefault
	return append(keys, versions, enabled,
		row("ciphersuites", kindList, "", "Cipher suites accepted, by their names in Java; those of TLSv1.3 can't be told apart", func(t *TLS) any { return &t.CipherSuites }),
		supplier, auth, crl, ocsp,
		row("hostnameVerification", kindProp, "true", "Check the host names in the certificates of servers that are connected to", func(t *TLS) any { return &t.HostnameVerification }),
		row("clientHostnameVerification", kindProp, verify, "Check the addresses or names in the certificates of those who connect; needs hostnameVerification", func(t *TLS) any { return &t.ClientHostnameVerification }),
		row("allowReverseDnsLookup", kindProp, verify, "Find those names by reverse DNS", func(t *TLS) any { return &t.AllowReverseDNSLookup }),
		detection)
}
