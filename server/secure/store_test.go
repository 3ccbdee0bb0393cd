package secure

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"zk/conf"
)

const password = "pass word" // of all stores in testdata

func file(name string) string { return filepath.Join("testdata", name) }

func TestKeyStores(t *testing.T) {
	for name, tt := range map[string]struct {
		plain bool // no password
		ec    bool
	}{
		"key-rsa.jks": {}, "key-ec.jks": {ec: true}, "key-pkcs12-inside.jks": {},
		"key-openssl.p12": {}, "key-openssl-old.p12": {}, "key-keytool.p12": {}, "key-keytool-old.p12": {},
		"key-rsa.pem": {plain: true}, "key-ec.pem": {plain: true, ec: true}, "key-pkcs1.pem": {plain: true},
		"key-aes256-sha256.pem": {}, "key-aes128-sha1.pem": {}, "key-aes192-sha512.pem": {}, "key-3des.pem": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := conf.CertStore{Location: file(name), Password: password}
			if tt.plain {
				s.Password = ""
			}
			cert, err := readKeyStore(s)
			if err != nil {
				t.Fatal(err)
			}
			want := "rsa"
			if tt.ec {
				want = "ec"
			}
			_, isRSA := cert.PrivateKey.(*rsa.PrivateKey)
			_, isEC := cert.PrivateKey.(*ecdsa.PrivateKey)
			if cert.Leaf.Subject.CommonName != want || isRSA == tt.ec || isEC != tt.ec {
				t.Errorf("certificate of %s, key %T", cert.Leaf.Subject.CommonName, cert.PrivateKey)
			}
			if len(cert.Certificate) != 2 || string(cert.Certificate[0]) != string(cert.Leaf.Raw) {
				t.Errorf("chain of %d", len(cert.Certificate))
			}
			if tt.plain {
				return
			}
			s.Password = "wrong"
			if _, err := readKeyStore(s); err == nil || !strings.Contains(err.Error(), "password") || !strings.Contains(err.Error(), name) {
				t.Errorf("wrong password: %v", err)
			}
		})
	}
}

func TestTrustStores(t *testing.T) {
	for name, want := range map[string]int{"trust.jks": 1, "trust.p12": 1, "trust-old.p12": 1, "trust-with-key.jks": 1, "ca.pem": 1, "trust-two.pem": 2} {
		certs, err := readTrustStore(conf.CertStore{Location: file(name), Password: password})
		if err != nil || len(certs) != want || certs[0].Subject.CommonName != "Test CA" {
			t.Errorf("%s: %d certificates, %v", name, len(certs), err)
		}
	}
}

func TestStoreErrors(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		store conf.CertStore
		trust bool
		want  string
	}{
		"missing":                {conf.CertStore{Location: "no.jks"}, false, "no.jks"},
		"a folder":               {conf.CertStore{Location: dir, Type: "PEM"}, false, "is a directory"},
		"empty":                  {conf.CertStore{Location: put("a.jks", "")}, false, "is empty"},
		"too large":              {conf.CertStore{Location: put("b.jks", strings.Repeat("x", storeBytesMax+1))}, false, "more than"},
		"garbage JKS":            {conf.CertStore{Location: put("c.jks", "garbage")}, false, "PKCS12"},
		"garbage PKCS12":         {conf.CertStore{Location: put("c.p12", "garbage")}, true, "PKCS12"},
		"garbage PEM":            {conf.CertStore{Location: put("c.pem", "garbage")}, true, "no PEM file"},
		"JKS called PEM":         {conf.CertStore{Location: file("trust.jks"), Type: "PEM"}, true, "no PEM file"},
		"PEM called JKS":         {conf.CertStore{Location: file("ca.pem"), Type: "JKS"}, true, "PKCS12"},
		"no key":                 {conf.CertStore{Location: file("ca.pem")}, false, "no private key"},
		"no key in JKS":          {conf.CertStore{Location: file("trust.jks"), Password: password}, false, "no private key"},
		"no key in PKCS12":       {conf.CertStore{Location: file("trust.p12"), Password: password}, false, "private key"},
		"nobody trusted":         {conf.CertStore{Location: file("key-rsa.jks"), Password: password}, true, "no trusted certificate"},
		"nobody trusted, PKCS12": {conf.CertStore{Location: file("key-openssl.p12"), Password: password}, true, "expected"},
		"other key":              {conf.CertStore{Location: file("key-mismatch.pem")}, false, "no certificate in it belongs to the private key"},
		"no password":            {conf.CertStore{Location: file("key-3des.pem")}, false, "there is no password"},
		"no password, JKS":       {conf.CertStore{Location: file("trust.jks")}, true, "password"},
		"scrypt":                 {conf.CertStore{Location: file("key-scrypt.pem"), Password: password}, false, "not supported"},
		"password file missing":  {conf.CertStore{Location: file("trust.jks"), PasswordPath: "no.txt"}, true, "no.txt"},
		"password file empty":    {conf.CertStore{Location: file("trust.jks"), PasswordPath: put("p.txt", "")}, true, "is empty"},
		"letters":                {conf.CertStore{Location: file("trust.jks"), Password: "пароль"}, true, "letters"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if tt.trust {
				_, err = readTrustStore(tt.store)
			} else {
				_, err = readKeyStore(tt.store)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "secure: ") || strings.Contains(err.Error(), password) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	// The file's password wins, and one line end is not part of it.
	path := put("q.txt", password+"\n")
	if _, err := readTrustStore(conf.CertStore{Location: file("trust.jks"), Password: "wrong", PasswordPath: path}); err != nil {
		t.Error(err)
	}
}

// TestCutStores cuts every store at every length: an error each time, never a panic.
func TestCutStores(t *testing.T) {
	for _, name := range []string{"trust.jks", "key-ec.jks", "trust.p12", "trust-old.p12"} {
		data, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			if _, err := readEither(data[:n], password); err == nil {
				t.Errorf("%s, cut at %d, is read", name, n)
			}
		}
	}
}

// readEither reads a store that is not PEM, whatever is in it.
func readEither(data []byte, password string) (certs int, err error) {
	if trusted, err := jksTrusted(data, password); err == nil && len(trusted) > 0 {
		return len(trusted), nil
	}
	if e, err := jksKey(data, password); err == nil {
		return len(e.chain), nil
	}
	if trusted, err := pkcs12Trusted(data, password); err == nil {
		return len(trusted), nil
	}
	e, err := pkcs12Key(data, password)
	return len(e.chain), err
}

// TestHugeLengths sets each length of a JKS store to the largest there is: nothing of the kind is allocated.
func TestHugeLengths(t *testing.T) {
	for _, name := range []string{"trust.jks", "key-ec.jks"} {
		data, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for at := 4; at+4 < len(data); at++ {
			broken := append([]byte(nil), data...)
			copy(broken[at:], "\xff\xff\xff\xff")
			if _, err := readEither(broken, password); err == nil {
				t.Errorf("%s, broken at %d, is read", name, at)
			}
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
			t.Errorf("%s: %d MB were allocated", name, used>>20)
		}
	}
}

func FuzzJKS(f *testing.F) {
	for _, name := range []string{"trust.jks", "key-ec.jks", "trust-with-key.jks"} {
		data, err := os.ReadFile(file(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = jksTrusted(data, password)
		_, _ = jksKey(data, password)
	})
}

func FuzzPEM(f *testing.F) {
	for _, name := range []string{"key-ec.pem", "key-pkcs1.pem", "key-3des.pem", "trust-two.pem"} {
		data, err := os.ReadFile(file(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		if e, err := pemKey(data, password); err == nil {
			_ = e.order()
		}
	})
}
