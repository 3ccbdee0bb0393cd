package secure

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
)

// matchesOne reports whether a certificate is for one of the hosts, names or addresses.
func matchesOne(cert *x509.Certificate, hosts []string) error {
	for _, host := range hosts {
		if matches(cert, strings.TrimSuffix(host, ".")) {
			return nil
		}
	}
	return fmt.Errorf("secure: the certificate of %q is not for %s", cert.Subject.CommonName, strings.Join(hosts, ", "))
}

// matches follows Java (HostnameChecker of the runtime): the alternative names count, and the common name,
// for a host name only, where there is no alternative DNS name.
func matches(cert *x509.Certificate, host string) bool {
	if host == "" {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil || len(cert.DNSNames) > 0 {
		return cert.VerifyHostname(host) == nil
	}
	if cert.Subject.CommonName == "" {
		return false
	}
	byName := x509.Certificate{DNSNames: []string{cert.Subject.CommonName}}
	return byName.VerifyHostname(host) == nil
}
