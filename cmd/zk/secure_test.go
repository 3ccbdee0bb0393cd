package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"zk/conf"
	"zk/server/embed"
)

// secureServer runs a server that is reached with TLS only, and wants a certificate. It gives the port and the
// properties of a client that has one.
func secureServer(t *testing.T) (port, flags string) {
	t.Helper()
	stores, err := filepath.Abs("../../server/secure/testdata")
	if err != nil {
		t.Fatal(err)
	}
	text := "dataDir=" + t.TempDir() + "\nsecureClientPort=0\nsecureClientPortAddress=127.0.0.1\nadmin.enableServer=false\n" +
		fmt.Sprintf("ssl.keyStore.location=%[1]s/key-ec.pem\nssl.trustStore.location=%[1]s/ca.pem\n", stores)
	cfg, err := conf.Parse("zoo.cfg", []byte(text), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := embed.Start(context.Background(), cfg, embed.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close(context.Background()) })
	_, port, _ = net.SplitHostPort(n.SecureAddr().String())
	return port, fmt.Sprintf("-Dzookeeper.ssl.keyStore.location=%[1]s/key-rsa.pem -Dzookeeper.ssl.trustStore.location=%[1]s/ca.pem", stores)
}

// TestSecure: zk status and zk cli reach a server that speaks TLS alone, with Java's properties.
func TestSecure(t *testing.T) {
	port, flags := secureServer(t)
	ctx := context.Background()
	config := writeFile(t, "zoo.cfg", "secureClientPort="+port+"\nsecureClientPortAddress=127.0.0.1\n")
	r := newRig(t)
	r.vars["CLIENT_JVMFLAGS"] = "-Xmx64m " + flags
	if code, stdout, stderr := r.run(ctx, "status", config); code != 0 || !strings.HasSuffix(stdout, "Client SSL: true.\nMode: standalone\n") {
		t.Errorf("status: exit code %d, %s%s", code, stdout, stderr)
	}
	cli := []string{"cli", "-server", "127.0.0.1:" + port, "-timeout", "5000", "-waitforconnection"}
	list := func(more ...string) (int, string, string) {
		return r.run(ctx, append(append(cli, more...), "ls", "/")...)
	}

	if code, _, stderr := list(); code != 1 || !strings.Contains(stderr, "ConnectionLoss") {
		t.Errorf("cli without zookeeper.client.secure: exit code %d, %s", code, stderr)
	}
	file := writeFile(t, "client.cfg", "zookeeper.client.secure=true\n")
	if code, stdout, stderr := list("-client-configuration", file); code != 0 || !strings.HasSuffix(stdout, "[zookeeper]\n") {
		t.Errorf("cli: exit code %d, %s%s", code, stdout, stderr)
	}
	r.vars["JVMFLAGS"] = "-Dzookeeper.client.secure=true -Dzookeeper.ssl.trustStore.location=" + writeFile(t, "nobody.pem", "")
	for _, command := range [][]string{{"status", config}, append(cli, "ls", "/")} {
		if code, _, stderr := r.run(ctx, command...); code != exitInvocation || !strings.Contains(stderr, "nobody.pem") {
			t.Errorf("%s without certificates to trust: exit code %d, %s", command[0], code, stderr)
		}
	}
}
