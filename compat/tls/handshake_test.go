package tls

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"maps"
	"slices"
	"testing"

	"zk/compat/harness"
	"zk/jute"
)

// TestHandshakes: each client is accepted, with the same identities, or refused by both.
func TestHandshakes(t *testing.T) {
	const dn = `CN=a\, \"b\" \+ c,O=Acme\, Inc,C=DE`
	for _, mode := range []struct {
		auth, protocols string
		lines           []string
		want            map[string]string // of the clients whose outcome is known beforehand
	}{
		{"need", "TLSv1.3,TLSv1.2", nil, map[string]string{"good": "ip:127.0.0.1 x509:" + dn, "none": "refused", "other authority": "refused", "expired": "refused", "super": "ip:127.0.0.1 super: x509:" + superUser}},
		{"want", "TLSv1.2", nil, map[string]string{"good": "ip:127.0.0.1 x509:" + dn, "none": "ip:127.0.0.1", "other authority": "refused", "TLS 1.3": "refused"}},
		{"none", "TLSv1.3", []string{"client.portUnification=true"}, map[string]string{"good": "ip:127.0.0.1", "none": "ip:127.0.0.1", "TLS 1.2": "refused"}},
	} {
		t.Run(mode.auth, func(t *testing.T) {
			r := start(t, append(mode.lines, "ssl.clientAuth="+mode.auth, "ssl.enabledProtocols="+mode.protocols)...)
			with := func(certificate string, change func(*tls.Config)) *tls.Config {
				c := r.config(certificate)
				change(c)
				return c
			}
			clients := map[string]*tls.Config{
				"good": r.config(r.client), "none": r.config(""), "super": r.config(r.super), "expired": r.config(r.expired), "for servers": r.config(r.serverly),
				"other authority": r.config(r.other.issue("client.pem", pkix.Name{CommonName: "x"})),
				"TLS 1.2":         with(r.client, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }),
				"TLS 1.3":         with(r.client, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }),
				"TLS 1.1":         with(r.client, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
				"elsewhere":       with(r.client, func(c *tls.Config) { c.ServerName = "elsewhere" }),
			}
			for _, name := range slices.Sorted(maps.Keys(clients)) {
				java := outcome(r.servers[harness.Java].secure, clients[name])
				ours := outcome(r.servers[harness.Ours].secure, clients[name])
				if want := mode.want[name]; java != ours || want != "" && ours != want {
					t.Errorf("%s: ours %q, Java %q, wanted %q", name, ours, java, want)
				}
			}
			if mode.lines != nil {
				r.unified()
			}
		})
	}
}

// unified: the client port takes TLS and plain clients, from both servers' point of view.
func (r *rig) unified() {
	for kind, s := range r.servers {
		if got := outcome(s.Addr, r.config("")); got != "ip:127.0.0.1" {
			r.t.Errorf("%v: TLS on the port for both: %s", kind, got)
		}
		plain, err := harness.Dial(s.Addr)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := plain.Connect(jute.ConnectRequest{TimeoutMillis: 10000, Passwd: make([]byte, 16)}); err != nil {
			r.t.Errorf("%v: a plain client on the port for both: %v", kind, err)
		}
		plain.Close()
	}
}

// TestPermissions: ACLs with names of certificates mean the same to both.
func TestPermissions(t *testing.T) {
	r := start(t, "ssl.clientAuth=want", "ssl.enabledProtocols=TLSv1.3,TLSv1.2")
	seen := map[harness.Kind][]string{}
	for kind, s := range r.servers {
		note := func(format string, args ...any) { seen[kind] = append(seen[kind], fmt.Sprintf(format, args...)) }
		var who []*session
		for _, certificate := range []string{r.client, r.super, ""} {
			c, err := connect(s.secure, r.config(certificate))
			if err != nil {
				t.Fatal(kind, err)
			}
			defer c.Close()
			who = append(who, c)
		}
		for i, acl := range []jute.ID{
			{Scheme: "auth"}, {Scheme: "x509", ID: superUser}, {Scheme: "x509", ID: "O=Acme,CN=root"}, {Scheme: "x509", ID: "garbage"}, {Scheme: "x509"},
			{Scheme: "x509", ID: "CN=a,,"}, {Scheme: "x509", ID: "CN=\\zz"}, {Scheme: "x509", ID: "1.2.3=#0500"}, {Scheme: "super", ID: superUser},
		} {
			path := fmt.Sprintf("/acl%d", i)
			req := jute.CreateRequest{Path: path, Data: []byte("x"), ACL: []jute.ACL{{Perms: jute.PermAll, ID: acl}}}
			for j, c := range who {
				code, _, err := c.call(jute.OpCreate, req.Append(nil, jute.OpCreate))
				note("create %v as %d: %v %v", acl, j, code, err)
			}
			for j, c := range who {
				code, _, err := c.call(jute.OpGetData, (&jute.PathWatchRequest{Path: path}).Append(nil))
				note("read %v as %d: %v %v", acl, j, code, err)
			}
		}
	}
	// An auth packet asks for what is there already, or for what is not: that ends the connection.
	x509 := "x509"
	for kind, s := range r.servers {
		for _, certificate := range []string{r.client, ""} {
			c, err := connect(s.secure, r.config(certificate))
			if err != nil {
				t.Fatal(kind, err)
			}
			packet := jute.AuthPacket{Scheme: &x509}
			code, _, err := c.call(jute.OpAuth, packet.Append(nil))
			who, _ := c.identities()
			seen[kind] = append(seen[kind], fmt.Sprintf("auth packet: %v %v, then %q", code, err, who))
			c.Close()
		}
	}
	for i := range seen[harness.Java] {
		if java, ours := seen[harness.Java][i], seen[harness.Ours][i]; java != ours {
			t.Errorf("ours: %s\nJava: %s", ours, java)
		}
	}
	if n := len(seen[harness.Java]); n != 56 {
		t.Errorf("%d answers", n)
	}
}
