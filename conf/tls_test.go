package conf

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const keyStoreLine = "ssl.keyStore.location=/k.p12\n"

func TestTLSValues(t *testing.T) {
	c := mustParse(t, "secureClientPort=2281\ndataDir=/data\n"+keyStoreLine+"ssl.keyStore.password=a b\nssl.trustStore.location=/t\nssl.trustStore.type=pem\n"+
		"ssl.clientAuth=WANT\nssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256\nclient.certReload=true\n",
		Property{Name: "zookeeper.ssl.enabledProtocols", Value: "TLSv1.2,TLSv1.1"},
		Property{Name: "zookeeper.ssl.quorum.keyStore.location", Value: "/q.jks"},
		Property{Name: "zookeeper.ssl.quorum.hostnameVerification", Value: "false"})
	want := TLS{
		KeyStore: CertStore{Location: "/k.p12", Password: "a b"}, TrustStore: CertStore{Location: "/t", Type: "PEM"},
		EnabledProtocols: []string{"TLSv1.2", "TLSv1.1"}, CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
		ClientAuth: "want", HostnameVerification: true, HandshakeDetectionTimeout: 5 * time.Second, CertReload: true,
	}
	if !reflect.DeepEqual(c.ClientTLS, want) {
		t.Errorf("got  %+v\nwant %+v", c.ClientTLS, want)
	}
	want = TLS{
		KeyStore: CertStore{Location: "/q.jks"}, ClientAuth: "need", ClientHostnameVerification: true, AllowReverseDNSLookup: true,
		HandshakeDetectionTimeout: 5 * time.Second,
	}
	if !reflect.DeepEqual(c.QuorumTLS, want) {
		t.Errorf("got  %+v\nwant %+v", c.QuorumTLS, want)
	}
	if c.SecureClientPort != 2281 || c.ClientPort != -1 || !c.ServesTLS() {
		t.Errorf("ports %d, %d", c.ClientPort, c.SecureClientPort)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].Key != "ssl.ciphersuites" {
		t.Errorf("warnings: %v", c.Warnings)
	}
	for store, kind := range map[CertStore]string{
		{Location: "a.jks"}: "JKS", {Location: "a.pem"}: "PEM", {Location: "a.p12"}: "PKCS12", {Location: "a.pfx"}: "", {Location: "a.JKS"}: "",
		{Location: "a.pem", Type: "JKS"}: "JKS",
	} {
		if got := store.Kind(); got != kind {
			t.Errorf("%+v: type %q, want %q", store, got, kind)
		}
	}
}

// TestTLSTogether has what depends on more than one key.
func TestTLSTogether(t *testing.T) {
	for name, tt := range map[string]struct{ text, wrong, warned string }{
		"no key":                         {base + "secureClientPort=1\n", "secureClientPort", ""},
		"no key, unified":                {base + "client.portUnification=true\n", "client.portUnification", ""},
		"nobody trusted":                 {base + "secureClientPort=0\n" + keyStoreLine, "", "ssl.trustStore.location"},
		"nobody asked":                   {base + "secureClientPort=0\nssl.clientAuth=none\n" + keyStoreLine, "", ""},
		"stores, no port":                {base + keyStoreLine, "", ""},
		"no port at all":                 {"dataDir=/data\n" + keyStoreLine, "clientPort", ""},
		"x509 needs TLS":                 {base + "enforce.auth.enabled=true\nenforce.auth.schemes=x509\n", "enforce.auth.schemes", ""},
		"x509 with TLS":                  {base + "client.portUnification=true\nssl.clientAuth=none\nenforce.auth.enabled=true\nenforce.auth.schemes=x509\n" + keyStoreLine, "", ""},
		"x509 by its class":              {base + "authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider\n", "", ""},
		"empty values are as if not set": {base + "ssl.keyStore.location=\nssl.clientAuth=\nssl.keyStore.type=\nssl.enabledProtocols=\nssl.protocol=\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("zoo.cfg", []byte(tt.text), Options{ReadFile: noFiles})
			switch {
			case tt.wrong != "":
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("error %v, want one about %s", err, tt.wrong)
				}
			case err != nil:
				t.Error(err)
			case tt.warned == "" && len(c.Warnings) > 0, tt.warned != "" && (len(c.Warnings) != 1 || c.Warnings[0].Key != tt.warned):
				t.Errorf("warnings %v, want one about %q", c.Warnings, tt.warned)
			case c.ClientTLS.ClientAuth == "":
				t.Error("no clientAuth")
			}
		})
	}
}
