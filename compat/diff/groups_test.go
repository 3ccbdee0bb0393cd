package diff

import (
	"slices"

	"zk/compat/harness"
)

// superPassword's digest is the superDigest of every group that has one.
const (
	superUser   = "super:secret"
	superDigest = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
)

func groups() []group {
	return []group{
		{
			name: "base",
			opts: harness.Options{Config: []string{
				"4lw.commands.whitelist=*", "maxClientCnxns=0", "DigestAuthenticationProvider.superDigest=" + superDigest,
			}},
			cases: slices.Concat(createCases()),
		},
	}
}
