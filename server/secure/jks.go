package secure

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
)

// jksMagic begins a file in Java's own format (sun.security.provider.JavaKeyStore).
func jksMagic() []byte { return []byte{0xfe, 0xed, 0xfe, 0xed} }

// jksKey takes the first key, by alias. As in ZooKeeper, keys have the password of the store.
func jksKey(data []byte, password string) (keyEntry, error) {
	ks, secret, err := openJKS(data, password)
	if err != nil {
		return keyEntry{}, err
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, secret)
		if err != nil {
			return keyEntry{}, fmt.Errorf("entry %q: the key can't be decrypted, its password must be that of the store: %w", alias, err)
		}
		var e keyEntry
		if e.key, err = x509.ParsePKCS8PrivateKey(entry.PrivateKey); err != nil {
			return keyEntry{}, fmt.Errorf("entry %q: %w", alias, err)
		}
		for _, c := range entry.CertificateChain {
			cert, err := x509.ParseCertificate(c.Content)
			if err != nil {
				return keyEntry{}, fmt.Errorf("entry %q: %w", alias, err)
			}
			e.chain = append(e.chain, cert)
		}
		return e, nil
	}
	return keyEntry{}, errors.New("it holds no private key")
}

// jksTrusted takes the certificates; those that belong to keys are not trusted by themselves.
func jksTrusted(data []byte, password string) (certs []*x509.Certificate, err error) {
	ks, _, err := openJKS(data, password)
	if err != nil {
		return nil, err
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
		cert, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// openJKS checks the lengths in the file before the library makes buffers of them.
func openJKS(data []byte, password string) (ks keystore.KeyStore, secret []byte, err error) {
	if err := checkJKS(data); err != nil {
		return ks, nil, err
	}
	if secret, err = latin1(password); err != nil {
		return ks, nil, err
	}
	ks = keystore.New(keystore.WithOrderedAliases(), keystore.WithCaseExactAliases())
	if err := ks.Load(bytes.NewReader(data), secret); err != nil {
		return ks, nil, fmt.Errorf("%w: %w", errPassword, err)
	}
	return ks, secret, nil
}

// latin1 gives the letters of a password as bytes, which the library widens to the 16 bits of Java's.
func latin1(password string) ([]byte, error) {
	var b []byte
	for _, r := range password {
		if r > 255 {
			return nil, errors.New("its password must not have letters beyond ISO-8859-1 here")
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// checkJKS walks over the entries and fails where a length goes beyond the file's end:
//
//	magic, version, number of entries, then for each its tag (1 key, 2 certificate), alias, time, and
//	key: length and bytes, number of certificates, those; certificate: type (version 2), length and bytes.
//
// A digest of 20 bytes ends the file.
func checkJKS(data []byte) error {
	if !bytes.HasPrefix(data, jksMagic()) {
		return errors.New("it does not begin like a JKS store")
	}
	w := jksWalker{rest: data[4:]}
	version := w.number()
	if version != 1 && version != 2 {
		return fmt.Errorf("it has the unknown version %d", version)
	}
	for n := w.number(); n > 0 && !w.short; n-- {
		tag := w.number()
		w.skip(w.word()) // alias
		w.skip(8)        // time
		switch tag {
		case 1:
			w.skip(w.number())
			for n := w.number(); n > 0 && !w.short; n-- {
				w.certificate(version)
			}
		case 2:
			w.certificate(version)
		default:
			return fmt.Errorf("it has an entry of the unknown kind %d", tag)
		}
	}
	if w.skip(20); w.short {
		return errors.New("it is cut short")
	}
	return nil
}

// jksWalker goes over bytes; short says that they ended too early.
type jksWalker struct {
	rest  []byte
	short bool
}

func (w *jksWalker) take(n uint32) []byte {
	if w.short = w.short || uint64(n) > uint64(len(w.rest)); w.short {
		return nil
	}
	b := w.rest[:n]
	w.rest = w.rest[n:]
	return b
}

func (w *jksWalker) skip(n uint32) { w.take(n) }

func (w *jksWalker) number() uint32 {
	if b := w.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (w *jksWalker) word() uint32 {
	if b := w.take(2); b != nil {
		return uint32(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (w *jksWalker) certificate(version uint32) {
	if version == 2 {
		w.skip(w.word())
	}
	w.skip(w.number())
}
