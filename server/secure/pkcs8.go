package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"unicode/utf16"
)

// Encrypted private keys (PKCS #8, RFC 5958). Read are PBES2 with PBKDF2 and AES in CBC mode, which openssl
// writes (RFC 8018), and SHA-1 with three-key triple DES, which Java reads (RFC 7292, appendix B).

// iterationsMax bounds the work of one key; openssl's default is 2048, common advice 600,000.
const iterationsMax = 5_000_000

func oid(last ...int) asn1.ObjectIdentifier { return last }

// decryptPKCS8 gives the PKCS #8 key in an EncryptedPrivateKeyInfo.
func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, errors.New("it is no encrypted key")
	}
	var mode cipher.BlockMode
	var err error
	switch algorithm := info.Algorithm.Algorithm; {
	case algorithm.Equal(oid(1, 2, 840, 113549, 1, 5, 13)):
		mode, err = pbes2(info.Algorithm.Parameters.FullBytes, password)
	case algorithm.Equal(oid(1, 2, 840, 113549, 1, 12, 1, 3)):
		mode, err = tripleDES(info.Algorithm.Parameters.FullBytes, password)
	default:
		err = errEncryption(algorithm)
	}
	if err != nil {
		return nil, err
	}
	size := mode.BlockSize()
	if len(info.Data) == 0 || len(info.Data)%size != 0 {
		return nil, errors.New("the encrypted key is cut short")
	}
	plain := make([]byte, len(info.Data))
	mode.CryptBlocks(plain, info.Data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > size {
		return nil, errPassword
	}
	return plain[:len(plain)-padding], nil
}

func errEncryption(algorithm asn1.ObjectIdentifier) error {
	return fmt.Errorf(`its encryption %s is not supported; write it again with "openssl pkcs8 -topk8 -v2 aes-256-cbc"`, algorithm)
}

// pbes2 reads the parameters of PBES2.
func pbes2(parameters []byte, password string) (cipher.BlockMode, error) {
	var p struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	if _, err := asn1.Unmarshal(parameters, &p); err != nil {
		return nil, errors.New("its encryption has wrong parameters")
	}
	if !p.KDF.Algorithm.Equal(oid(1, 2, 840, 113549, 1, 5, 12)) {
		return nil, errEncryption(p.KDF.Algorithm)
	}
	var kdf struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		Hash       pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(p.KDF.Parameters.FullBytes, &kdf); err != nil || kdf.Iterations < 1 || kdf.Iterations > iterationsMax {
		return nil, errors.New("its encryption has wrong parameters")
	}
	sum, err := prf(kdf.Hash.Algorithm)
	if err != nil {
		return nil, err
	}
	keyBytes := 0
	for i, aesCBC := range []asn1.ObjectIdentifier{oid(2, 16, 840, 1, 101, 3, 4, 1, 2), oid(2, 16, 840, 1, 101, 3, 4, 1, 22), oid(2, 16, 840, 1, 101, 3, 4, 1, 42)} {
		if p.Cipher.Algorithm.Equal(aesCBC) {
			keyBytes = 16 + 8*i
		}
	}
	if keyBytes == 0 {
		return nil, errEncryption(p.Cipher.Algorithm)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(p.Cipher.Parameters.FullBytes, &iv); err != nil || len(iv) != aes.BlockSize {
		return nil, errors.New("its encryption has wrong parameters")
	}
	key, err := pbkdf2.Key(sum, password, kdf.Salt, kdf.Iterations, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewCBCDecrypter(block, iv), nil
}

// prf is the hash of PBKDF2.
func prf(algorithm asn1.ObjectIdentifier) (func() hash.Hash, error) {
	for _, p := range []struct {
		oid asn1.ObjectIdentifier
		sum func() hash.Hash
	}{
		{nil, sha1.New}, // the default
		{oid(1, 2, 840, 113549, 2, 7), sha1.New},
		{oid(1, 2, 840, 113549, 2, 8), sha256.New224},
		{oid(1, 2, 840, 113549, 2, 9), sha256.New},
		{oid(1, 2, 840, 113549, 2, 10), sha512.New384},
		{oid(1, 2, 840, 113549, 2, 11), sha512.New},
	} {
		if algorithm.Equal(p.oid) {
			return p.sum, nil
		}
	}
	return nil, errEncryption(algorithm)
}

// tripleDES reads the parameters of pbeWithSHAAnd3-KeyTripleDES-CBC.
func tripleDES(parameters []byte, password string) (cipher.BlockMode, error) {
	var p struct {
		Salt       []byte
		Iterations int
	}
	if _, err := asn1.Unmarshal(parameters, &p); err != nil || len(p.Salt) == 0 || p.Iterations < 1 || p.Iterations > iterationsMax {
		return nil, errors.New("its encryption has wrong parameters")
	}
	var secret []byte
	for _, unit := range append(utf16.Encode([]rune(password)), 0) {
		secret = binary.BigEndian.AppendUint16(secret, unit)
	}
	block, err := des.NewTripleDESCipher(pkcs12KDF(secret, p.Salt, p.Iterations, 1, 24))
	if err != nil {
		return nil, err
	}
	return cipher.NewCBCDecrypter(block, pkcs12KDF(secret, p.Salt, p.Iterations, 2, 8)), nil
}

// pkcs12KDF derives n bytes for a purpose (1 key, 2 initial vector) with SHA-1 (RFC 7292, appendix B.2).
func pkcs12KDF(secret, salt []byte, iterations int, purpose byte, n int) []byte {
	const v = 64 // the block of SHA-1
	fill := func(b []byte) (full []byte) {
		for i := range (len(b) + v - 1) / v * v {
			full = append(full, b[i%len(b)])
		}
		return full
	}
	input := append(fill(salt), fill(secret)...)
	diversifier := make([]byte, v)
	for i := range diversifier {
		diversifier[i] = purpose
	}
	var out []byte
	for len(out) < n {
		sum := sha1.Sum(append(diversifier, input...))
		for range iterations - 1 {
			sum = sha1.Sum(sum[:])
		}
		out = append(out, sum[:]...)
		block := fill(sum[:]) // v bytes
		for at := 0; at < len(input); at += v {
			carry := uint16(1)
			for k := v - 1; k >= 0; k-- {
				carry += uint16(input[at+k]) + uint16(block[k])
				input[at+k] = byte(carry)
				carry >>= 8
			}
		}
	}
	return out[:n]
}
