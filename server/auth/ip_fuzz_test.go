package auth

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// FuzzRange compares the parser of addresses and ranges with net/netip where both must agree, and checks
// the laws of ranges everywhere.
func FuzzRange(f *testing.F) {
	for _, s := range []string{
		"1.2.3.4", "1.2.3.4/8", "01.2.3.4/032", "+1.2.3.4", "::", "::1/64", "1::/0", "1:2:3:4:5:6:7:8/128", "-1::",
		":::", "1::2::3", "fe80::1%eth0", "::ffff:1.2.3.4", "1.2.3.4/8/8", "/", "a/b", "1:2:3:4:5:6:7:8:9", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := parseRange(s)
		std, err := netip.ParseAddr(s)
		if err == nil && std.Zone() == "" && !(std.Is6() && strings.Contains(s, ".")) {
			if !ok || addrOf(r) != std || r.prefix != std.BitLen() {
				t.Fatalf("%q: %v %v, want %v", s, r, ok, std)
			}
		}
		if prefix, err := netip.ParsePrefix(s); err == nil && !(prefix.Addr().Is6() && strings.Contains(s, ".")) {
			if !ok || addrOf(r) != prefix.Addr() || r.prefix != prefix.Bits() {
				t.Fatalf("%q: %v %v, want %v", s, r, ok, prefix)
			}
		}
		if !ok {
			return
		}
		if r.bits != 32 && r.bits != 128 || r.prefix < 0 || r.prefix > r.bits {
			t.Fatalf("%q: %+v", s, r)
		}
		// What it stands for, written plainly, is the same range, and holds its own address.
		plain := fmt.Sprintf("%s/%d", hostAddress(addrOf(r)), r.prefix)
		if addrOf(r).Is4In6() {
			return // written as IPv4
		}
		if again, ok := parseRange(plain); !ok || again != r {
			t.Fatalf("%q is %+v, %q is %+v", s, r, plain, again)
		}
		if !(ipProvider{}).Matches(hostAddress(addrOf(r)), s) {
			t.Fatalf("%q doesn't match itself", s)
		}
		// A change in the last bit that counts leaves the range, one in the first that doesn't, stays.
		for bit, stays := range map[int]bool{r.prefix - 1: false, r.prefix: true} {
			if bit < 0 || bit >= r.bits {
				continue
			}
			near := r
			near.raw[bit/8] ^= 0x80 >> (bit % 8)
			if addrOf(near).Is4In6() {
				continue
			}
			if (ipProvider{}).Matches(hostAddress(addrOf(near)), s) != stays {
				t.Fatalf("%q matches %v: %v", s, addrOf(near), !stays)
			}
		}
	})
}

func addrOf(r addressRange) netip.Addr {
	if r.bits == 32 {
		return netip.AddrFrom4([4]byte(r.raw[:4]))
	}
	return netip.AddrFrom16(r.raw)
}
