package secure

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"zk/conf"
)

// storeBytesMax bounds a store. The largest in use, with all public authorities, have some 200 KB.
const storeBytesMax = 16 << 20

// keyEntry is a private key with its certificates, the leaf first.
type keyEntry struct {
	key   crypto.PrivateKey
	chain []*x509.Certificate
}

// readKeyStore reads the certificate and key of this server. Of several keys it takes the first by alias.
func readKeyStore(s conf.CertStore) (tls.Certificate, error) {
	var entry keyEntry
	err := readStore("key store", s, func(data []byte, kind, password string) (err error) {
		switch kind {
		case "PEM":
			entry, err = pemKey(data, password)
		case "JKS":
			entry, err = jksKey(data, password)
		default:
			entry, err = pkcs12Key(data, password)
		}
		if err != nil {
			return err
		}
		return entry.order()
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	cert := tls.Certificate{PrivateKey: entry.key, Leaf: entry.chain[0]}
	for _, c := range entry.chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
}

// readTrustStore reads the certificates of those who are trusted.
func readTrustStore(s conf.CertStore) (certs []*x509.Certificate, err error) {
	err = readStore("trust store", s, func(data []byte, kind, password string) (err error) {
		switch kind {
		case "PEM":
			certs, err = pemCertificates(data)
		case "JKS":
			certs, err = jksTrusted(data, password)
		default:
			certs, err = pkcs12Trusted(data, password)
		}
		if err == nil && len(certs) == 0 {
			err = errors.New("it holds no trusted certificate")
		}
		return err
	})
	return certs, err
}

// readStore reads a store's file and password and says in errors which store it was about.
func readStore(what string, s conf.CertStore, parse func(data []byte, kind, password string) error) error {
	data, err := readFile(s.Location)
	if err != nil {
		return fmt.Errorf("secure: %s: %w", what, err)
	}
	password := s.Password
	if s.PasswordPath != "" {
		secret, err := readFile(s.PasswordPath)
		if err != nil {
			return fmt.Errorf("secure: password of the %s: %w", what, err)
		}
		password = strings.TrimSuffix(string(secret), "\n") // one, as in Java (SecretUtils)
	}
	kind := s.Kind()
	if kind != "PEM" {
		// As in Java, where keystore.type.compat is on: both names stand for both formats. keytool
		// writes PKCS12 into files that are called .jks.
		if kind = "PKCS12"; bytes.HasPrefix(data, jksMagic()) {
			kind = "JKS"
		}
	}
	if err := parse(data, kind, password); err != nil {
		return fmt.Errorf("secure: %s %s (%s): %w", what, s.Location, kind, err)
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, storeBytesMax+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > storeBytesMax:
		return nil, fmt.Errorf("%s has more than %d bytes", path, storeBytesMax)
	case len(data) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	}
	return data, nil
}

func pkcs12Key(data []byte, password string) (keyEntry, error) {
	key, leaf, others, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return keyEntry{}, pkcs12Error(err)
	}
	return keyEntry{key: key, chain: append([]*x509.Certificate{leaf}, others...)}, nil
}

func pkcs12Trusted(data []byte, password string) ([]*x509.Certificate, error) {
	certs, err := pkcs12.DecodeTrustStore(data, password)
	if err != nil {
		return nil, pkcs12Error(err)
	}
	return certs, nil
}

func pkcs12Error(err error) error {
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return errPassword
	}
	return err
}

// errPassword is the answer of every kind of store to a wrong password.
var errPassword = errors.New("the password is wrong, or the file is damaged")

// order brings the chain of the entry into the order of the handshake: the certificate of the key, then the
// one of its issuer and so on. Certificates that don't belong to it are left out.
func (e *keyEntry) order() error {
	key, ok := e.key.(crypto.Signer)
	if !ok {
		return fmt.Errorf("keys of the type %T can't be used for TLS", e.key)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return fmt.Errorf("keys of the type %T can't be used for TLS", e.key)
	}
	i := slices.IndexFunc(e.chain, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	if i < 0 {
		return errors.New("no certificate in it belongs to the private key")
	}
	chain := []*x509.Certificate{e.chain[i]}
	rest := slices.Delete(slices.Clone(e.chain), i, i+1)
	for {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, last.RawIssuer) })
		if i < 0 || bytes.Equal(last.RawIssuer, last.RawSubject) {
			e.chain = chain
			return nil
		}
		chain = append(chain, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
}
