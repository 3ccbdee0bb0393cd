package conf

import (
	"crypto/tls"
	"slices"
	"strings"
)

// resolveTLS checks the keys of TLS with each other: what would make every handshake fail is refused at the
// start, where Java notices at the first connection.
func (l *loader) resolveTLS() {
	c := l.cfg
	l.checkTLS("ssl.", &c.ClientTLS)
	l.checkTLS("ssl.quorum.", &c.QuorumTLS)
	if c.SecureClientPort < 0 && l.isSet("secureClientPortAddress") {
		l.failKey("secureClientPortAddress", "is set but secureClientPort is not set")
	}
	for _, on := range []struct {
		name string
		is   bool
	}{{"secureClientPort", c.SecureClientPort >= 0}, {"client.portUnification", c.ClientPortUnification}} {
		if on.is && c.ClientTLS.KeyStore.Location == "" {
			l.failKey(on.name, "needs ssl.keyStore.location, the store with this server's certificate and key")
			return
		}
	}
	if c.ServesTLS() && c.ClientTLS.TrustStore.Location == "" && c.ClientTLS.ClientAuth != "none" {
		l.warnKey("ssl.trustStore.location", "is not set: no client certificate is accepted; set it, or ssl.clientAuth=none")
	}
}

// ServesTLS reports whether clients can connect with TLS.
func (c *Config) ServesTLS() bool { return c.SecureClientPort >= 0 || c.ClientPortUnification }

func (l *loader) checkTLS(prefix string, t *TLS) {
	if t.ClientAuth == "" { // written, but empty
		t.ClientAuth = "need"
	}
	for _, s := range []struct {
		name  string
		store *CertStore
	}{{"keyStore", &t.KeyStore}, {"trustStore", &t.TrustStore}} {
		if s.store.Location != "" && s.store.Kind() == "" {
			l.failKey(prefix+s.name+".location", "does not end in .jks, .pem or .p12; add "+prefix+s.name+".type=JKS, PEM or PKCS12")
		}
	}
	spoken, silent := tlsProtocols()
	usable := len(t.EnabledProtocols) == 0
	for _, p := range t.EnabledProtocols {
		usable = usable || slices.Contains(spoken, p)
		if !slices.Contains(spoken, p) && !slices.Contains(silent, p) {
			l.failKey(prefix+"enabledProtocols", shorten(p)+" is not a TLS version; "+orList(spoken)+" are")
			return
		}
	}
	if !usable {
		l.failKey(prefix+"enabledProtocols", "must hold "+orList(spoken)+", older versions are not safe")
	}
	l.checkCipherSuites(prefix, t)
}

// checkCipherSuites refuses names that Go does not know: a list that is kept in part would lock clients out.
func (l *loader) checkCipherSuites(prefix string, t *TLS) {
	known := map[string]bool{} // the value: a suite of TLS 1.3
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		known[s.Name] = slices.Contains(s.SupportedVersions, tls.VersionTLS13)
	}
	var unknown, new13 []string
	for _, name := range t.CipherSuites {
		is13, ok := known[name]
		switch {
		case !ok:
			unknown = append(unknown, shorten(name))
		case is13:
			new13 = append(new13, name)
		}
	}
	if len(unknown) > 0 {
		l.failKey(prefix+"ciphersuites", "cipher suites that are not available here: "+strings.Join(unknown, ", "))
	}
	if n := len(new13); n > 0 && n < 3 {
		l.warnKey(prefix+"ciphersuites", "of TLSv1.3 all three cipher suites are accepted, not only "+strings.Join(new13, ", "))
	}
}

// Kind is the type of the store, written or by the end of its name as in Java (KeyStoreFileType); "" when
// neither tells.
func (s *CertStore) Kind() string {
	if s.Type != "" {
		return s.Type
	}
	switch {
	case strings.HasSuffix(s.Location, ".jks"):
		return "JKS"
	case strings.HasSuffix(s.Location, ".pem"):
		return "PEM"
	case strings.HasSuffix(s.Location, ".p12"):
		return "PKCS12"
	}
	return ""
}
