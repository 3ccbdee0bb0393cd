package admin

import (
	"net/http"
	"net/netip"
	"strings"

	"zk/jute"
	"zk/server/auth"
	"zk/server/secure/x500"
)

// refusal is why a caller gets no answer.
type refusal struct {
	status int
	text   string
}

// Java's texts.
const (
	authMissing      = "Auth info is missing for the command"
	notAuthenticated = "Not authenticated"
	notAuthorized    = "Not authorized"
)

// allPerms are the permission bits, each of which a caller needs on the root.
func allPerms() [5]int32 {
	return [...]int32{jute.PermRead, jute.PermWrite, jute.PermCreate, jute.PermDelete, jute.PermAdmin}
}

// authorize checks a caller of snapshot or restore: its Authorization header ("<scheme> <data>") must
// give identities that have every permission on the root. Source: Commands.handleAuthentication and
// handleAuthorization.
func (h *Handler) authorize(r *http.Request) (refusal, bool) {
	ids, why, ok := h.identities(r)
	if !ok {
		return why, false
	}
	acl := h.opt.Server.RootACL()
	for _, perm := range allPerms() {
		if !h.opt.Auth.Check(acl, perm, ids) {
			return refusal{http.StatusForbidden, notAuthorized}, false
		}
	}
	return refusal{}, true
}

// admit checks a caller of a command that shows what clients do and how the server is set up. One on the
// machine itself is welcome, and one with a certificate (admin.needClientAuth); any other needs every
// permission on the root, and by an entry that names it: the usual world:anyone lets nobody in, as any
// made-up user and password gives a digest identity.
func (h *Handler) admit(r *http.Request) (refusal, bool) {
	if h.opt.Config.Sensitive == sensitiveOpen || fromLoopback(r) || certified(r) {
		return refusal{}, true
	}
	ids, why, ok := h.identities(r)
	if !ok {
		return why, false
	}
	acl := h.opt.Server.RootACL()
	for _, perm := range allPerms() {
		if !h.opt.Auth.Named(acl, perm, ids) {
			return refusal{http.StatusForbidden, notAuthorized}, false
		}
	}
	return refusal{}, true
}

// sensitiveOpen is the value of admin.sensitive that shows everything to everybody.
const sensitiveOpen = "open"

// fromLoopback reports if the caller is on this machine. What a proxy on it hands on is not.
func fromLoopback(r *http.Request) bool {
	if r.Header.Get(forwardedFor) != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("Via") != "" {
		return false
	}
	return peer(r).IsLoopback()
}

// forwardedFor is where proxies say for whom they ask.
const forwardedFor = "X-Forwarded-For"

// peer is the address at the other end of the connection.
func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a listener of tests
	}
	return a.Addr().Unmap()
}

// identities are those that the caller's Authorization header gives.
func (h *Handler) identities(r *http.Request) ([]jute.ID, refusal, bool) {
	values, given := r.Header["Authorization"]
	if !given {
		return nil, refusal{http.StatusUnauthorized, authMissing}, false
	}
	failed := refusal{http.StatusUnauthorized, notAuthenticated} // unless ok is returned
	parts := strings.Split(values[0], " ")
	for len(parts) > 0 && parts[len(parts)-1] == "" { // as Java's split
		parts = parts[:len(parts)-1]
	}
	if len(parts) != 1 && len(parts) != 2 {
		return nil, failed, false
	}
	var data []byte
	if len(parts) == 2 {
		data = []byte(parts[1])
	}
	if parts[0] == auth.SchemeX509 {
		ids := h.certificateIDs(r)
		return ids, failed, len(ids) > 0
	}
	ids, ok := h.opt.Auth.HandleAuth(h.caller(r), &parts[0], data)
	return ids, failed, ok && len(ids) > 0
}

// certified reports if the caller has a certificate, which the TLS handshake has accepted then.
func certified(r *http.Request) bool { return r.TLS != nil && len(r.TLS.PeerCertificates) > 0 }

// certificateIDs are the identities of the caller's certificate.
func (h *Handler) certificateIDs(r *http.Request) []jute.ID {
	if !certified(r) {
		return nil
	}
	subject, err := x500.Name(r.TLS.PeerCertificates[0].RawSubject)
	if err != nil {
		return nil
	}
	return h.opt.Auth.CertificateIDs(subject)
}

// caller is the address that the scheme ip goes by. Source: IPAuthenticationProvider.getClientIPAddress.
func (h *Handler) caller(r *http.Request) netip.Addr {
	if h.opt.UseForwardedFor {
		if values := r.Header[forwardedFor]; len(values) > 0 {
			first, _, _ := strings.Cut(strings.TrimLeft(values[0], ","), ",")
			a, _ := netip.ParseAddr(strings.TrimSpace(first)) // what is no address matches no ACL
			return a
		}
	}
	return peer(r)
}
