package tls

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zk/compat/harness"
)

// TestClients: the Java client, Kazoo and openssl work with both servers, with the stores that their users have: JKS
// and PKCS12 by keytool for the servers and the Java client, PEM for the others.
func TestClients(t *testing.T) {
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	// The stores of server/secure: one authority, a server and a client of it.
	stores := func(name string) string { return filepath.Join(root, "server", "secure", "testdata", name) }
	const password = "pass word"
	r := start(t, "ssl.keyStore.location="+stores("key-rsa.jks"), "ssl.keyStore.password="+password,
		"ssl.trustStore.location="+stores("trust.p12"), "ssl.trustStore.password="+password, "ssl.enabledProtocols=TLSv1.3,TLSv1.2")
	classPath, err := harness.JavaClassPath()
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	run(t, "", "javac", "-cp", classPath, "-d", classes, filepath.Join("testdata", "Client.java"))
	python := filepath.Join(root, ".cache", "venv", "bin", "python")
	for kind, s := range r.servers {
		t.Run(kind.String(), func(t *testing.T) {
			java := run(t, "", "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classPath+":"+classes,
				"-Dzookeeper.client.secure=true", "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
				"-Dzookeeper.ssl.keyStore.location="+stores("key-keytool.p12"), "-Dzookeeper.ssl.keyStore.password="+password,
				"-Dzookeeper.ssl.trustStore.location="+stores("trust.jks"), "-Dzookeeper.ssl.trustStore.password="+password,
				"Client", strings.Replace(s.secure, "127.0.0.1", "localhost", 1))
			if want := `java ok ip x509:CN=rsa,O=Acme\, Inc,C=DE`; !strings.Contains(java, want) {
				t.Errorf("%s\nwant %s", java, want)
			}
			kazoo := run(t, "", python, filepath.Join("testdata", "client.py"), strings.Replace(s.secure, "127.0.0.1", "localhost", 1), stores("key-rsa.pem"), stores("ca.pem"))
			if !strings.Contains(kazoo, "kazoo ok") {
				t.Error(kazoo)
			}
			for _, version := range []string{"-tls1_2", "-tls1_3"} {
				word := run(t, "ruok\r\n", "openssl", "s_client", "-quiet", "-crlf", version, "-verify_return_error", "-servername", "localhost", "-verify_hostname", "localhost",
					"-CAfile", stores("ca.pem"), "-cert", stores("key-rsa.pem"), "-key", stores("key-rsa.pem"), "-connect", s.secure)
				if !strings.Contains(word, "imok") {
					t.Errorf("openssl %s: %s", version, word)
				}
			}
		})
	}
}

// run gives what a program says; its failure fails the test.
func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
