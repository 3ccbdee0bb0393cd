package x500

import "testing"

// FuzzName: whatever is encoded, no panic, and what comes out has a form that ACLs may have.
func FuzzName(f *testing.F) {
	for _, line := range recorded(f)[:50] {
		f.Add(unhex(f, line[1]))
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if name, err := Name(der); err == nil && len(name) > 16*len(der)+16 {
			t.Errorf("%d bytes make a name of %d", len(der), len(name))
		}
		Valid(string(der))
	})
}
