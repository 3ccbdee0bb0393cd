package digestmd5

import (
	"crypto/subtle"
	"strconv"
	"strings"
)

// Users are the users of one realm and what proves their passwords. They don't hold the passwords.
type Users struct {
	realm   string
	secrets map[string]secret
}

// NewUsers makes the users of a realm from their passwords.
func NewUsers(realm string, passwords map[string]string) *Users {
	u := &Users{realm: realm, secrets: make(map[string]secret, len(passwords))}
	for name, password := range passwords {
		u.secrets[name] = newSecret(name, realm, password)
	}
	return u
}

// Server is the server's end of one exchange.
type Server struct {
	users *Users
	uri   string
	nonce string
	stage stage
	user  string
}

type stage uint8

const (
	begun stage = iota
	challenged
	complete
	failed
)

// NewServer begins an exchange. uri is what the client must have meant to talk to: service/host. seed must
// be random bytes that were never used before.
func NewServer(users *Users, uri string, seed [SeedBytes]byte) *Server {
	return &Server{users: users, uri: uri, nonce: newNonce(seed)}
}

// Complete reports whether the client has proved who it is.
func (s *Server) Complete() bool { return s.stage == complete }

// User is who the client is once the exchange is complete; "" before. An authorization id that the client
// sent is part of what is hashed, and nothing else: nobody acts as somebody else here.
func (s *Server) User() string { return s.user }

// Evaluate takes the client's next token and gives what to answer: the challenge, then the proof that this
// server knows the password too. The error, an *Error, ends the exchange; only a token that is too long
// leaves it as it was. What the first token says doesn't matter: a client that wants to use an old nonce
// again gets a new one.
func (s *Server) Evaluate(token []byte) ([]byte, error) {
	if len(token) > TokenBytesMax {
		return nil, refused("a token of %d bytes", len(token))
	}
	switch s.stage {
	case begun:
		s.stage = challenged
		b := appendQuoted([]byte("realm="), s.users.realm)
		return append(appendQuoted(append(b, ",nonce="...), s.nonce), ",charset=utf-8,algorithm=md5-sess"...), nil
	case challenged:
		answer, user, err := s.verify(token)
		s.nonce = ""
		if err != nil {
			s.stage = failed
			return nil, err
		}
		s.stage, s.user = complete, user
		return answer, nil
	}
	return nil, refused("a token after the end of the exchange")
}

// The directives of a response. nc, the nonce count, is known to the JDK under another name than clients
// send it.
func responseNames() []string {
	return []string{"username", "realm", "nonce", "cnonce", "nonce-count", "qop", "digest-uri", "response", "maxbuf", "charset", "authzid"}
}

const (
	inUsername = iota
	inRealm
	inNonce
	inCnonce
	inNonceCount
	inQop
	inURI
	inResponse
	inMaxbuf
	inCharset
	inAuthzid
)

// verify checks a response. The order of the checks is the JDK's (DigestMD5Server.validateClientResponse),
// as it says which of two mistakes counts.
func (s *Server) verify(token []byte) (answer []byte, user string, err error) {
	d, err := parse(token, responseNames())
	if err != nil {
		return nil, "", err
	}
	if d[inCharset] != nil && string(d[inCharset]) != "utf-8" {
		return nil, "", refused("an unknown charset")
	}
	if _, ok := number(d[inMaxbuf], 10); !ok && d[inMaxbuf] != nil {
		return nil, "", &Error{reason: "maxbuf is no number", Abort: true}
	}
	switch {
	case d[inUsername] == nil:
		return nil, "", refused("no username")
	case string(d[inRealm]) != s.users.realm:
		return nil, "", refused("another realm")
	case d[inNonce] == nil || subtle.ConstantTimeCompare(d[inNonce], []byte(s.nonce)) == 0:
		return nil, "", refused("another nonce")
	case d[inCnonce] == nil:
		return nil, "", refused("no cnonce")
	}
	if d[inNonceCount] != nil {
		n, ok := number(d[inNonceCount], 16)
		if !ok {
			return nil, "", &Error{reason: "nonce-count is no number", Abort: true}
		}
		if n != 1 {
			return nil, "", refused("a nonce used more than once")
		}
	}
	switch {
	case d[inQop] != nil && string(d[inQop]) != "auth":
		return nil, "", refused("a quality of protection that was not offered")
	case d[inURI] == nil || !strings.EqualFold(string(d[inURI]), s.uri):
		return nil, "", refused("another digest-uri")
	case d[inResponse] == nil:
		return nil, "", refused("no response")
	}
	if user = string(d[inUsername]); user == "" {
		return nil, "", &Error{reason: "an empty username", Abort: true}
	}
	k, known := s.users.secrets[user]
	x := exchange{nonce: []byte(s.nonce), cnonce: d[inCnonce], uri: d[inURI], authzid: d[inAuthzid]}
	if same := subtle.ConstantTimeCompare(d[inResponse], x.responseValue(k, byClient)); same == 0 || !known {
		return nil, "", refused("no such user, or another password")
	}
	return append([]byte("rspauth="), x.responseValue(k, byServer)...), user, nil
}

// number reads a number as Java's Integer.parseInt does.
func number(b []byte, base int) (int64, bool) {
	n, err := strconv.ParseInt(string(b), base, 32)
	return n, err == nil
}
