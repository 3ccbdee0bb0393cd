package sim

import (
	"fmt"

	"zk/jute"
	"zk/quorum/verifier"
)

// newEnsemble is the configuration that every server has.
func (w *world) newEnsemble() verifier.Quorums {
	var members []verifier.Server
	for _, s := range w.servers {
		if s.voter || s.observer {
			members = append(members, verifier.Server{
				ID: s.sid, Observer: s.observer,
				Addresses: []verifier.Address{{Host: fmt.Sprintf("host%d", s.sid), QuorumPort: 2888, ElectionPort: 3888}},
			})
		}
	}
	var groups map[int64][]jute.ServerID
	var weights map[jute.ServerID]int64
	if w.groups != nil {
		groups, weights = make(map[int64][]jute.ServerID), make(map[jute.ServerID]int64)
		for g, hosts := range w.groups {
			for _, host := range hosts {
				groups[int64(g)] = append(groups[int64(g)], w.servers[host].sid)
				weights[w.servers[host].sid] = w.weights[host]
			}
		}
	}
	c, err := verifier.New(members, groups, weights, 0)
	if err != nil {
		panic(err)
	}
	return verifier.Quorums{Current: c}
}
