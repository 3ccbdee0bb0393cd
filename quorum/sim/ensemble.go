package sim

import (
	"fmt"

	"zk/quorum/verifier"
)

// newEnsemble is the configuration that every server has.
func newEnsemble(servers []*server) verifier.Quorums {
	var members []verifier.Server
	for _, s := range servers {
		if s.voter || s.observer {
			members = append(members, verifier.Server{
				ID: s.sid, Observer: s.observer,
				Addresses: []verifier.Address{{Host: fmt.Sprintf("host%d", s.sid), QuorumPort: 2888, ElectionPort: 3888}},
			})
		}
	}
	c, err := verifier.New(members, nil, nil, 0)
	if err != nil {
		panic(err)
	}
	return verifier.Quorums{Current: c}
}
