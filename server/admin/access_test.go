package admin

import (
	"fmt"
	"strings"
	"testing"

	"zk/jute"
)

// digestID is the identity of bob:pw.
const digestID = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="

// TestSensitive: who sees lists of sessions, connections, watches, paths, environment and settings.
func TestSensitive(t *testing.T) {
	const far = "from: 192.0.2.7:5000"
	const bob = "Authorization: digest bob:pw"
	named := []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "digest", ID: digestID}}}
	part := []jute.ACL{{Perms: jute.PermAll &^ jute.PermAdmin, ID: jute.ID{Scheme: "digest", ID: digestID}}, openACL()[0]}
	address := []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "ip", ID: "192.0.2.0/24"}}}
	for _, c := range []struct {
		name    string
		acl     []jute.ACL
		change  func(*Options)
		status  int
		headers []string
	}{
		{"the machine itself", openACL(), nil, 200, nil},
		{"the machine itself, IPv6", openACL(), nil, 200, []string{"from: [::1]:5000"}},
		{"the machine itself, IPv4 in IPv6", openACL(), nil, 200, []string{"from: [::ffff:127.0.0.1]:5000"}},
		{"through a proxy on the machine", openACL(), nil, 401, []string{"X-Forwarded-For: 192.0.2.7"}},
		{"through a proxy that says Via", openACL(), nil, 401, []string{"Via: 1.1 x"}},
		{"a claim to be local", openACL(), nil, 401, []string{far, "X-Forwarded-For: 127.0.0.1"}},
		{"nobody", openACL(), nil, 401, []string{far}},
		{"a made-up user, open root", openACL(), nil, 403, []string{far, bob}},
		{"an address, open root", openACL(), nil, 403, []string{far, "Authorization: ip"}},
		{"no ACL at all", nil, nil, 403, []string{far, bob}},
		{"named by the root", named, nil, 200, []string{far, bob}},
		{"another password", named, nil, 403, []string{far, "Authorization: digest bob:no"}},
		{"named, but not for everything", part, nil, 403, []string{far, bob}},
		{"an address named by the root", address, nil, 200, []string{far, "Authorization: ip"}},
		{"super", openACL(), nil, 200, []string{far, "Authorization: digest super:admin"}},
		{"admin.sensitive=open", openACL(), func(o *Options) { o.Config.Sensitive = "open" }, 200, []string{far}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.change)
			r.server.acl = c.acl
			for _, name := range strings.Fields("conf cons dump envi icfg stat sysp wchc wchp") {
				if got := r.do("GET", "/commands/"+name, "", c.headers...); got.Code != c.status {
					t.Errorf("%s: %d %s", name, got.Code, got.Body)
				}
			}
			for _, name := range strings.Fields("crst dirs gtmk hash isro lsnp lead mntr orst obsr ruok srvr stmk srst voting_view wchs zabstate") {
				if got := r.do("GET", "/commands/"+name, "", c.headers...); got.Code != 200 {
					t.Errorf("%s: %d %s", name, got.Code, got.Body)
				}
			}
		})
	}
}

// TestAuthorization is the table of Authorization headers, with what Java answers.
func TestAuthorization(t *testing.T) {
	for _, c := range []struct {
		header, text string
		status       int
	}{
		{"", notAuthenticated, 401},
		{"digest", notAuthenticated, 401},
		{"digest bob", "", 200},
		{"digest bob:pw", "", 200},
		{"digest bob:pw  ", "", 200},
		{"Digest bob:pw", notAuthenticated, 401},
		{"digest  bob:pw", notAuthenticated, 401},
		{"digest bob:pw x", notAuthenticated, 401},
		{"ip", "", 200},
		{"ip x", "", 200},
		{"ip x y", notAuthenticated, 401},
		{"x509", notAuthenticated, 401},
		{"world anyone", notAuthenticated, 401},
		{"super x", notAuthenticated, 401},
		{"sasl x", notAuthenticated, 401},
	} {
		r := newRig(t, nil)
		got := r.do("GET", "/commands/snap?streaming=false", "", "Authorization: "+c.header)
		if got.Code != c.status || c.text != "" && !strings.Contains(got.Body.String(), fmt.Sprintf(`"command" : "snap",`+"\n"+`  "error" : "%s"`, c.text)) {
			t.Errorf("%q: %d %s", c.header, got.Code, got.Body)
		}
	}
	r := newRig(t, nil)
	if got := r.do("GET", "/commands/snapshot", ""); got.Code != 401 || !strings.Contains(got.Body.String(), authMissing) {
		t.Errorf("no header: %d %s", got.Code, got.Body)
	}
	// Each bit counts, whichever entry gives it.
	for missing := range 5 {
		r := newRig(t, nil)
		r.server.acl = []jute.ACL{
			{Perms: jute.PermAll &^ 1 &^ (1 << missing), ID: jute.ID{Scheme: "world", ID: "anyone"}},
			{Perms: 1 &^ (1 << missing), ID: jute.ID{Scheme: "ip", ID: "127.0.0.1"}},
		}
		if got := r.do("GET", "/commands/snapshot", "", "Authorization: ip"); got.Code != 403 || !strings.Contains(got.Body.String(), notAuthorized) {
			t.Errorf("without bit %d: %d %s", missing, got.Code, got.Body)
		}
	}
	// The address of the scheme ip.
	for _, forwarded := range []bool{false, true} {
		r := newRig(t, func(o *Options) { o.UseForwardedFor = forwarded })
		r.server.acl = []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "ip", ID: "198.51.100.1"}}}
		got := r.do("GET", "/commands/snapshot", "", "Authorization: ip", "X-Forwarded-For: 198.51.100.1, 10.0.0.1")
		if (got.Code == 200) != forwarded {
			t.Errorf("X-Forwarded-For, used %v: %d", forwarded, got.Code)
		}
	}
}
