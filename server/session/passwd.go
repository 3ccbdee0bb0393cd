package session

import "zk/jute"

// PasswdBytes is the length of a session password.
const PasswdBytes = 16

// Passwords makes and checks session passwords: HMAC-SHA256 of the id under a secret, or Java's public
// function of the id. The zero value is Java's function.
type Passwords struct{}

// NewPasswords makes passwords nobody can compute without the secret, which all servers of the ensemble
// share.
func NewPasswords(secret []byte) Passwords { panic("session: not written yet") }

// JavaPasswords makes the passwords Java servers make and accept.
func JavaPasswords() Passwords { return Passwords{} }

// Make is the password of a session.
func (p Passwords) Make(id jute.SessionID) [PasswdBytes]byte { panic("session: not written yet") }

// Check reports, in constant time, whether passwd is the session's password. Id 0 has none.
func (p Passwords) Check(id jute.SessionID, passwd []byte) bool { panic("session: not written yet") }
