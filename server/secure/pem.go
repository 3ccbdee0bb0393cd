package secure

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// pemKey reads the certificates and the one private key of a PEM file (Java: PemReader). The key is in PKCS8,
// encrypted when there is a password. Keys as older openssl wrote them, which Java refuses, are taken too.
func pemKey(data []byte, password string) (keyEntry, error) {
	chain, err := pemCertificates(data)
	if err != nil {
		return keyEntry{}, err
	}
	e := keyEntry{chain: chain}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return keyEntry{}, errors.New("it holds no private key")
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if e.key, err = parseKey(block, password); err != nil {
			return keyEntry{}, fmt.Errorf("private key: %w", err)
		}
		return e, nil
	}
}

func parseKey(block *pem.Block, password string) (any, error) {
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		if password == "" {
			return nil, errors.New("it is encrypted, and there is no password")
		}
		plain, err := decryptPKCS8(block.Bytes, password)
		if err != nil {
			return nil, err
		}
		key, err := x509.ParsePKCS8PrivateKey(plain)
		if err != nil {
			return nil, errPassword // the padding was right by chance
		}
		return key, nil
	case "RSA PRIVATE KEY", "EC PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New(`it is encrypted in a way that is not safe; make a new one with "openssl pkcs8 -topk8"`)
		}
		if block.Type == "EC PRIVATE KEY" {
			return x509.ParseECPrivateKey(block.Bytes)
		}
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

// pemCertificates reads all certificates of a PEM file.
func pemCertificates(data []byte) (certs []*x509.Certificate, err error) {
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "CERTIFICATE") {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		if !bytes.Contains(data, []byte("-----BEGIN ")) {
			return nil, errors.New("it is no PEM file")
		}
		return nil, errors.New("it holds no certificate")
	}
	return certs, nil
}
