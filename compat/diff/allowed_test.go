package diff

// allowed lists every way in which we differ from Java on purpose, with the reason. A case names the
// entry it needs in script.dev. The runner normalises the others everywhere: the zxid Java sometimes
// spends on a request that cannot be decoded (script.edge), the body of a failed multiRead
// (script.body), session ids and passwords (script.sessionName, conn.readConnect), the sessions without
// ephemerals in dump (sessionsOnly); random runs end a pipeline with a setACL (generator.pipe).
func allowed() map[string]string {
	return map[string]string{
		"edge-zxid":              "a request that cannot be decoded takes no zxid: it never gets past its connection, so that nobody else's writes depend on it",
		"session-ids":            "session ids grow by random steps and passwords are keyed by a secret: Java's can be computed from any ephemeralOwner",
		"renew-password-first":   "a renewal with a wrong password leaves the live connection alone: a stranger must not be able to cut it",
		"deleteContainer":        "deleteContainer from a client is refused: only the cleaner may issue it",
		"createSession":          "createSession from a client is refused like an unknown op: Java answers with a second connect response",
		"createTTL-flags":        "createTTL with flags that are not TTL flags is BadArguments: in Java such a transaction can stop a server",
		"watch-null":             "a null path in addWatch, setWatches2, checkWatches and removeWatches is a MarshallingError: Java watches null",
		"utf8-astral":            "characters beyond the 16-bit range are written as UTF-8: Java writes each half of a pair, which no decoder takes",
		"container-as-ephemeral": "createContainer with an ephemeral flag makes a container, also for what follows in the same multi: Java takes it for an ephemeral until it is applied",
		"quota-garbage":          "limits on the root and limits that are not numbers do no harm: Java's apply thread can die of them",
		"quota-recount":          "the usage of quotas goes on over a restart as it was: Java counts every subtree anew at a start, and then the nodes of an inner quota in the outer one too, which it does not do otherwise",
		"sasl-identity":          "the identity of a SASL user is the name whose password was proved: in Java a user of a realm (joe@REALM) is whoever the authorization id in its response says, super too",
		"setACL-in-flight":       "what follows a setACL that is not applied yet is checked against the new ACL: Java goes by the old one until then, so that the answer depends on who is faster",
		"setWatches-read-filter": "catch-up events of setWatches pass the same READ filter as live events",
		"login-frame":            "a connect request has at most 16 KiB: who has no session may not make the server hold a megabyte",
		"multiRead-failed-body":  "a multiRead that cannot be decoded is answered with a MarshallingError alone: Java appends what it had read so far",
		"dump-empty-session":     "dump does not list a session that has no ephemeral left: Java does, until it is started again",
		"fourletter-drain":       "input behind a four-letter word is drained before the close, so that the reply is not lost to a reset",
	}
}
