package session

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"zk/jute"
)

// PasswdBytes is the length of a session password.
const PasswdBytes = 16

// Passwords makes and checks session passwords: HMAC-SHA256 of the id under a secret, or Java's public
// function of the id. The zero value is Java's function. It is immutable.
type Passwords struct{ secret []byte } // nil for Java's function

// NewPasswords makes passwords nobody can compute without the secret, which all servers of the ensemble
// share. The secret must not be empty.
func NewPasswords(secret []byte) Passwords {
	if len(secret) == 0 {
		panic("session: empty secret for passwords")
	}
	return Passwords{bytes.Clone(secret)}
}

// JavaPasswords makes the passwords Java servers make and accept.
func JavaPasswords() Passwords { return Passwords{} }

// Make is the password of a session.
func (p Passwords) Make(id jute.SessionID) (passwd [PasswdBytes]byte) {
	if p.secret == nil {
		return javaPasswd(id)
	}
	mac := hmac.New(sha256.New, p.secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(id)))
	copy(passwd[:], mac.Sum(nil))
	return passwd
}

// Check reports, in constant time, whether passwd is the session's password. Id 0 has none.
func (p Passwords) Check(id jute.SessionID, passwd []byte) bool {
	want := p.Make(id)
	return subtle.ConstantTimeCompare(want[:], passwd) == 1 && id != 0
}

// javaPasswd is ZooKeeperServer.generatePasswd: the first 16 bytes of java.util.Random seeded with the
// id XOR a constant. Each step of that generator gives 32 bits, least significant byte first.
func javaPasswd(id jute.SessionID) (passwd [PasswdBytes]byte) {
	const multiplier, mask = 0x5DEECE66D, 1<<48 - 1
	seed := (uint64(id) ^ 0xB3415C00 ^ multiplier) & mask
	for i := 0; i < PasswdBytes; i += 4 {
		seed = (seed*multiplier + 0xB) & mask
		binary.LittleEndian.PutUint32(passwd[i:], uint32(seed>>16))
	}
	return passwd
}
