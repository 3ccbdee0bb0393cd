package digestmd5

import (
	"crypto/subtle"
	"slices"
	"strings"
)

// Client is the client's end of one exchange.
type Client struct {
	user, password string
	x              exchange
	secret         secret
	stage          stage
}

// NewClient begins an exchange as user with a server that is meant by uri: service/host. seed must be
// random bytes that were never used before. The user is also sent as the authorization id, as Java
// clients do.
func NewClient(user, password, uri string, seed [SeedBytes]byte) *Client {
	return &Client{
		user: user, password: password,
		x: exchange{cnonce: []byte(newNonce(seed)), uri: []byte(uri), authzid: []byte(user)},
	}
}

// Complete reports whether the server has proved that it knows the password.
func (c *Client) Complete() bool { return c.stage == complete }

// Evaluate takes the server's next token and gives what to answer: the response to the challenge, then
// nil. (The client's first token is empty and comes before.) The error, an *Error, ends the exchange.
func (c *Client) Evaluate(token []byte) ([]byte, error) {
	answer, err := c.evaluate(token)
	if err != nil {
		c.stage = failed
	}
	return answer, err
}

func (c *Client) evaluate(token []byte) ([]byte, error) {
	if len(token) > ChallengeBytesMax {
		return nil, refused("a challenge of %d bytes", len(token))
	}
	d, err := parse(token, []string{"realm", "qop", "algorithm", "nonce", "charset", "rspauth"})
	if err != nil {
		return nil, err
	}
	realm, qop, algorithm, nonce, charset, rspauth := d[0], d[1], d[2], d[3], d[4], d[5]
	switch c.stage {
	case begun:
		switch {
		case charset == nil || string(charset) != "utf-8":
			return nil, refused("a server that does not speak UTF-8")
		case string(algorithm) != "md5-sess":
			return nil, refused("an unknown algorithm")
		case nonce == nil:
			return nil, refused("no nonce")
		case qop != nil && !slices.Contains(strings.FieldsFunc(string(qop), func(r rune) bool { return strings.ContainsRune(", \t\n", r) }), "auth"):
			return nil, refused("a server that does not offer qop auth")
		}
		c.x.nonce = nonce
		c.secret = newSecret(c.user, string(realm), c.password)
		c.password = ""
		c.stage = challenged
		return c.respond(realm)
	case challenged:
		if subtle.ConstantTimeCompare(rspauth, c.x.responseValue(c.secret, byServer)) == 0 {
			return nil, refused("a server that does not know the password")
		}
		c.stage = complete
		return nil, nil
	}
	return nil, refused("a token after the end of the exchange")
}

// respond writes the response, its directives in Java's order.
func (c *Client) respond(realm []byte) ([]byte, error) {
	b := appendQuoted([]byte("charset=utf-8,username="), c.user)
	if len(realm) > 0 {
		b = appendQuoted(append(b, ",realm="...), string(realm))
	}
	b = appendQuoted(append(b, ",nonce="...), string(c.x.nonce))
	b = appendQuoted(append(b, ",nc=00000001,cnonce="...), string(c.x.cnonce))
	b = appendQuoted(append(b, ",digest-uri="...), string(c.x.uri))
	b = append(append(b, ",maxbuf=65536,response="...), c.x.responseValue(c.secret, byClient)...)
	b = append(b, ",qop=auth"...)
	if c.x.authzid != nil {
		b = appendQuoted(append(b, ",authzid="...), string(c.x.authzid))
	}
	if len(b) > TokenBytesMax {
		return nil, refused("a response of %d bytes", len(b))
	}
	return b, nil
}
