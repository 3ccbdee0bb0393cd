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

// digest256 is the superDigest of "super:secret256" under SHA-256.
const digest256 = "super:UboJFZGYam/tKBTb2vuny5bF1NY1HLL7BldB7A/1w6Q="

func groups() []group {
	super := "DigestAuthenticationProvider.superDigest=" + superDigest
	return []group{
		{
			name: "base",
			// The cleaner takes zxids at times of its own; it has a group for itself.
			opts: harness.Options{
				Config: []string{"4lw.commands.whitelist=*", "maxClientCnxns=0", super}, Props: []string{"znode.container.checkIntervalMs=86400000"},
			},
			cases: slices.Concat(createCases(), readCases(), writeCases(), aclCases(), authCases(), multiCases(),
				watchCases(), sessionCases(), framingCases(), quotaCases(), randomCases(), foundCases()),
		},
		{
			name: "expiry",
			opts: harness.Options{Config: []string{
				"tickTime=200", "4lw.commands.whitelist=*", "maxClientCnxns=0", "nio.sessionlessCnxnTimeout=1000",
			}},
			cases: expiryCases(),
		},
		{
			name: "ttl",
			opts: harness.Options{
				Config: []string{"extendedTypesEnabled=true", "maxClientCnxns=0", super},
				Props:  []string{"znode.container.checkIntervalMs=250"},
			},
			cases: ttlCases(),
		},
		{
			name: "quota",
			opts: harness.Options{Config: []string{
				"enforceQuota=true", "maxClientCnxns=0", super, "digest.enabled=false", "4lw.commands.whitelist=ruok, hash ,nosuch,,conf",
			}},
			cases: append(quotaCases(), whitelistCase()),
		},
		{
			name:  "words",
			opts:  harness.Options{Config: []string{"4lw.commands.whitelist=*"}},
			cases: fourLetterCases(),
		},
		{
			name: "options",
			opts: harness.Options{Config: []string{
				"skipACL=yes", "reconfigEnabled=true", "standaloneEnabled=true", "minSessionTimeout=5000", "maxSessionTimeout=7000", "maxClientCnxns=0",
				"globalOutstandingLimit=2", "request_throttle_max_requests=2", "request_throttle_stall_time=5",
				"DigestAuthenticationProvider.digestAlg=SHA-256", "DigestAuthenticationProvider.superDigest=" + digest256,
			}, Props: []string{"readonlymode.enabled=true"}},
			cases: optionCases(),
		},
		{
			name: "enforce",
			opts: harness.Options{
				Config: []string{"enforce.auth.enabled=true", "enforce.auth.schemes=digest", "maxClientCnxns=0"}, Props: jaasProps(), Ready: harness.ReadyFourLetter,
			},
			cleanup: []req{digestAuth("cleaner:cleaner")},
			cases:   enforceCases(),
		},
		{
			name: "sasl",
			opts: harness.Options{
				Config: []string{saslProvider, "superUser.1=admin", "letAnySaslUserDoX=everybody", "maxClientCnxns=0"}, Props: jaasProps(),
			},
			cases: saslCases(),
		},
		{
			name:  "sasl-lenient",
			opts:  harness.Options{Config: []string{"allowSaslFailedClients=true", "maxClientCnxns=0"}, Props: jaasProps("zookeeper.superUser=nobody")},
			cases: saslLenientCases(),
		},
		{
			name: "sasl-required",
			opts: harness.Options{
				Config: []string{saslProvider, "sessionRequireClientSASLAuth=true", "enforce.auth.schemes=ip", "allowSaslFailedClients=true", "maxClientCnxns=0"},
				Props:  jaasProps(), Ready: harness.ReadyFourLetter,
			},
			saslCleanup: true,
			cases:       saslRequiredCases("sasl-required", false),
		},
		{
			name: "sasl-or-digest",
			opts: harness.Options{
				Config: []string{saslProvider, "enforce.auth.enabled=true", "enforce.auth.schemes=digest, sasl", "allowSaslFailedClients=true", "maxClientCnxns=0"},
				Props:  jaasProps(), Ready: harness.ReadyFourLetter,
			},
			cleanup: []req{digestAuth("cleaner:cleaner")},
			cases:   saslRequiredCases("sasl-or-digest", true),
		},
		{
			name:  "connections",
			opts:  harness.Options{Config: []string{"maxClientCnxns=3", "maxCnxns=5"}, Ready: harness.ReadyFourLetter},
			bare:  true,
			cases: cnxnsCases(),
		},
		{
			name: "throttle",
			opts: harness.Options{
				Config: []string{"connection_throttle_tokens=6", "connection_throttle_fill_time=100000000", "connection_throttle_fill_count=1"}, Ready: harness.ReadyFourLetter,
			},
			bare:  true,
			cases: throttleCases(),
		},
		{
			name: "throttle-weights",
			opts: harness.Options{
				Config: []string{
					"connection_throttle_tokens=10", "connection_throttle_fill_time=100000000", "connection_throttle_fill_count=1", "connection_throttle_weight_enabled=true",
				},
				Ready: harness.ReadyFourLetter,
			},
			bare:  true,
			cases: throttleWeightCases(),
		},
		{
			name: "large",
			opts: harness.Options{
				Config: []string{"largeRequestThreshold=6000", "largeRequestMaxBytes=7000", "jute.maxbuffer.extrasize=1024", "DigestAuthenticationProvider.enabled=false", "localSessionsEnabled=true"}, Props: []string{"jute.maxbuffer=8000"},
			},
			cases: largeCases(),
		},
		{
			name: "maxbuffer",
			opts: harness.Options{Props: []string{
				"jute.maxbuffer=4096", "znode.container.checkIntervalMs=250", "znode.container.maxNeverUsedIntervalMs=900",
			}},
			cases: maxBufferCases(),
		},
		{
			name: "ensemble-auth",
			opts: harness.Options{Config: []string{
				"authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider", "ensembleAuthName=prod,stage", "4lw.commands.whitelist=mntr",
			}},
			cases: ensembleAuthCases(),
		},
		{
			// How a zoo.cfg is written, and which of two places for a setting wins.
			name: "syntax",
			opts: harness.Options{
				Config: []string{
					"# a comment", "! another", "", "tickTime : 1500", "minSessionTimeout 4500", "   maxSessionTimeout   =   1\\", "   9000  ", "maxClientCnxns\t=\t7",
					"clientPortListenBacklog=5", "clientPortListenBacklog=50", "4lw.commands.whitelist=conf,\\", "   mntr", "no.such.key=anything", "digest.enab\\u006ced=false",
					"DigestAuthenticationProvider.superDigest=" + superDigest, "standaloneEnabled=TRUE", "skipACL=no", "autopurge.purgeInterval=0", "initLimit=10", "syncLimit=5",
				},
				Props: []string{
					"zookeeper.4lw.commands.whitelist=ruok", "zookeeper.DigestAuthenticationProvider.superDigest=nobody:x", "zookeeper.extendedTypesEnabled=true", "no.such.property=x", "flag.without.value",
				},
			},
			cases: syntaxCases(),
		},
		{
			name:  "restart",
			opts:  harness.Options{Config: []string{"extendedTypesEnabled=true", "enforceQuota=true"}},
			bare:  true,
			cases: restartCases(),
		},
	}
}
