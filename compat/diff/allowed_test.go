package diff

// allowed lists every way in which we differ from Java on purpose, with the reason. A case names the
// entry it needs in script.dev. Two differences need no entry per case because the runner normalises
// them everywhere: the zxid Java sometimes spends on a request that cannot be decoded (script.edge),
// and session ids and passwords, which Java makes guessable.
func allowed() map[string]string {
	return map[string]string{
		"renew-password-first":   "a renewal with a wrong password leaves the live connection alone: a stranger must not be able to cut it",
		"deleteContainer":        "deleteContainer from a client is refused: only the cleaner may issue it",
		"createSession":          "createSession from a client is refused like an unknown op: Java answers with a second connect response",
		"createTTL-flags":        "createTTL with flags that are not TTL flags is BadArguments: in Java such a transaction can stop a server",
		"addWatch-null":          "addWatch with a null path is a MarshallingError: Java registers a watch on null",
		"setWatches-read-filter": "catch-up events of setWatches pass the same READ filter as live events",
		"multiRead-writes":       "a write inside multiRead is a MarshallingError whatever the body: Java sends a lone end marker",
		"fourletter-drain":       "input behind a four-letter word is drained before the close, so that the reply is not lost to a reset",
	}
}
