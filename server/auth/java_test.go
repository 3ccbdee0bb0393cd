package auth

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"zk/jute"
)

// TestAgainstJava compares with what the classes of Java ZooKeeper 3.9.5 answered to random input. Lines
// `id`: a client's address, an ACL id, and whether it is a valid ip id, matches the address, is a valid digest
// id, is a valid sasl id. Lines `fix`: identities, an ACL, and what fixupACL makes of it.
func TestAgainstJava(t *testing.T) {
	file, err := os.Open("testdata/java_acls.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p, lines := mustNew(t, Options{}), map[string]int{}
	for scan := bufio.NewScanner(file); scan.Scan(); {
		f := strings.Split(scan.Text(), "\t")
		lines[f[0]]++
		var got string
		switch f[0] {
		case "id":
			got = fmt.Sprint(ipProvider{}.ValidID(f[2]), " ", ipProvider{}.Matches(f[1], f[2]), " ",
				digestProvider{}.ValidID(f[2]), " ", saslProvider{}.ValidID(f[2]))
		case "fix":
			var ids []jute.ID
			for _, a := range readACL(t, f[1], "0=") {
				ids = append(ids, a.ID)
			}
			fixed, code := p.FixACL(ids, readACL(t, f[2], ""))
			if code != jute.CodeOk {
				got = "InvalidACL"
				break
			}
			var texts []string
			for _, a := range fixed {
				texts = append(texts, fmt.Sprintf("%d=%s=%s", a.Perms, a.ID.Scheme, a.ID.ID))
			}
			got = strings.Join(texts, ",")
		}
		if got != f[3] {
			t.Errorf("%q: %s", f, got)
		}
	}
	if lines["id"] == 0 || lines["fix"] == 0 {
		t.Errorf("compared %v", lines)
	}
}

// readACL reads perms=scheme=id,...; prefix stands before each entry that has no perms.
func readACL(t *testing.T, s, prefix string) (list []jute.ACL) {
	if s == "" {
		return nil
	}
	for _, one := range strings.Split(s, ",") {
		f := strings.SplitN(prefix+one, "=", 3)
		var perms int32
		if _, err := fmt.Sscan(f[0], &perms); err != nil {
			t.Fatal(err)
		}
		list = append(list, acl(perms, f[1], f[2]))
	}
	return list
}
