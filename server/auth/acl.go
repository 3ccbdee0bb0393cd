package auth

import (
	"slices"
	"strings"

	"zk/jute"
)

// manyACLs is the number of entries, and of identities, from which sets replace nested loops. A client
// may send some 40,000 entries in one ACL: squared, they would stop the server for seconds.
const manyACLs = 64

// FixACL makes of the ACL a client sent the one that is stored: duplicates removed (the first stays),
// `auth` replaced by the client's authenticated identities, every id checked. The code is CodeOk or
// CodeInvalidACL. acl is not changed; the result may alias it.
func (p *Providers) FixACL(ids []jute.ID, acl []jute.ACL) ([]jute.ACL, jute.Code) {
	if len(acl) == 1 && isAnyone(&acl[0]) {
		return acl, jute.CodeOk
	}
	acl = unique(acl)
	if len(acl) == 0 {
		return nil, jute.CodeInvalidACL
	}
	fixed := make([]jute.ACL, 0, len(acl))
	left := p.aclBytes // for what `auth` expands to
	for i := range acl {
		a := &acl[i]
		switch {
		case isAnyone(a):
			fixed = append(fixed, *a)
		case a.ID.Scheme == schemeAuth:
			before := len(fixed)
			for _, id := range ids {
				// An identity whose scheme has no provider (super) is left out, as in Java.
				if provider := p.byScheme[id.Scheme]; provider == nil || !provider.Authenticates() {
					continue
				}
				if left -= aclBytesMin + len(id.Scheme) + len(id.ID); left < 0 {
					return nil, jute.CodeInvalidACL
				}
				fixed = append(fixed, jute.ACL{Perms: a.Perms, ID: id})
			}
			if len(fixed) == before {
				return nil, jute.CodeInvalidACL
			}
		default:
			provider := p.byScheme[a.ID.Scheme]
			if provider == nil || !provider.ValidID(a.ID.ID) {
				return nil, jute.CodeInvalidACL
			}
			fixed = append(fixed, *a)
		}
	}
	return fixed, jute.CodeOk
}

// aclBytesMin is the encoded size of an ACL with empty scheme and id.
const aclBytesMin = 12

func isAnyone(a *jute.ACL) bool { return a.ID.Scheme == schemeWorld && a.ID.ID == anyone }

// unique is acl without duplicates; the first of each stays.
func unique(acl []jute.ACL) []jute.ACL {
	kept := make([]jute.ACL, 0, len(acl))
	if len(acl) < manyACLs {
		for _, a := range acl {
			if !slices.Contains(kept, a) {
				kept = append(kept, a)
			}
		}
		return kept
	}
	seen := make(map[jute.ACL]struct{}, len(acl))
	for _, a := range acl {
		if _, twice := seen[a]; !twice {
			seen[a] = struct{}{}
			kept = append(kept, a)
		}
	}
	return kept
}

// Check reports whether a client with identities ids has at least one of the permission bits perm. A
// null or empty ACL allows everything, and so do skipACL and the super identity.
func (p *Providers) Check(acl []jute.ACL, perm int32, ids []jute.ID) bool {
	if len(acl) == 0 || p.skipACL {
		return true
	}
	if a := &acl[0]; a.Perms&perm != 0 && isAnyone(a) {
		return true // nearly every node's ACL
	}
	for i := range ids {
		if ids[i].Scheme == schemeSuper {
			return true
		}
	}
	if len(acl) >= manyACLs && len(ids) >= manyACLs {
		return p.checkMany(acl, perm, ids)
	}
	for i := range acl {
		a := &acl[i]
		if a.Perms&perm != 0 && p.meant(a, ids) {
			return true
		}
	}
	return false
}

// Named is Check where nothing counts but what a caller has proven: the super identity, and entries that
// name one of the identities. world:anyone, an empty ACL and skipACL let nobody in.
func (p *Providers) Named(acl []jute.ACL, perm int32, ids []jute.ID) bool {
	if slices.ContainsFunc(ids, func(id jute.ID) bool { return id.Scheme == schemeSuper }) {
		return true
	}
	return slices.ContainsFunc(acl, func(a jute.ACL) bool {
		return a.Perms&perm != 0 && !isAnyone(&a) && p.meant(&a, ids)
	})
}

// meant reports whether one of the identities is meant by an ACL entry.
func (p *Providers) meant(a *jute.ACL, ids []jute.ID) bool {
	if isAnyone(a) {
		return true
	}
	var provider Provider
	for i := range ids {
		if ids[i].Scheme != a.ID.Scheme {
			continue
		}
		if provider == nil {
			if provider = p.byScheme[a.ID.Scheme]; provider == nil {
				return false
			}
		}
		if provider.Matches(ids[i].ID, a.ID.ID) {
			return true
		}
	}
	return false
}

// checkMany is Check for long lists of both: digest identities, the only kind a client can have
// many of, are looked up in a set.
func (p *Providers) checkMany(acl []jute.ACL, perm int32, ids []jute.ID) bool {
	digest, exact := p.byScheme[schemeDigest].(digestProvider)
	known := make(map[string]struct{}, len(ids))
	var others []jute.ID
	for _, id := range ids {
		if exact && id.Scheme == digest.Scheme() {
			known[id.ID] = struct{}{}
		} else {
			others = append(others, id)
		}
	}
	for i := range acl {
		a := &acl[i]
		if a.Perms&perm == 0 {
			continue
		}
		if _, ok := known[a.ID.ID]; ok && a.ID.Scheme == schemeDigest || p.meant(a, others) {
			return true
		}
	}
	return false
}

// Redact is the ACL as getACL shows it to a caller without ADMIN: in digest ids all after the first colon,
// the password's hash, becomes "x". acl is not changed; the result may alias it. (Java's pattern stops
// at a line feed, and so shows what follows one; here nothing is shown.)
func Redact(acl []jute.ACL) []jute.ACL {
	i := slices.IndexFunc(acl, func(a jute.ACL) bool { return a.ID.Scheme == schemeDigest })
	if i < 0 {
		return acl
	}
	shown := slices.Clone(acl)
	for ; i < len(shown); i++ {
		if id := &shown[i].ID; id.Scheme == schemeDigest {
			if user, _, ok := strings.Cut(id.ID, ":"); ok {
				id.ID = user + ":x"
			}
		}
	}
	return shown
}
