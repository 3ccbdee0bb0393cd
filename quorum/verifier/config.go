package verifier

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"zk/jute"
)

// ServersMax bounds the servers of a Config, so that a text from a stranger stays small in memory.
const ServersMax = 4096

// Server is a member of the ensemble: one server.N line.
type Server struct {
	ID jute.ServerID
	// Addresses are where other servers reach it, at least one; several are the same server in
	// different networks.
	Addresses []Address
	// Observer is set for a server that has no vote.
	Observer bool
	// ClientAddress and ClientPort are where clients reach it, when HasClientPort; ClientAddress "" is
	// all addresses.
	ClientAddress string
	ClientPort    int
	HasClientPort bool
}

// Address is where a server listens for other servers.
type Address struct {
	Host         string // name or IP address, without the brackets of an IPv6 address
	QuorumPort   int
	ElectionPort int
}

// Config is one version of an ensemble. It never changes.
type Config struct {
	version int64
	servers []Server                  // by id
	groups  map[int64][]jute.ServerID // nil: a majority of the voters is a quorum
	weights map[jute.ServerID]int64   // of a hierarchical Config, those of all voters included
	voters  []jute.ServerID           // by id
	members map[jute.ServerID]int     // index in servers
	groupOf map[jute.ServerID]*group  // of a hierarchical Config
	counted []*group                  // groups that have weight
}

// group is a set of servers that counts when more than half of its weight agrees.
type group struct {
	weight int64
	index  int // in Config.counted; -1 for one without weight, which does not count
}

// New makes a Config and checks it. groups maps the number of a group to its servers, weights a server to
// its weight (1 when not given); both empty means that a majority of the voters is a quorum. The arguments
// belong to the Config afterwards.
func New(servers []Server, groups map[int64][]jute.ServerID, weights map[jute.ServerID]int64, version int64) (*Config, error) {
	if len(servers) > ServersMax {
		return nil, fmt.Errorf("more than %d servers", ServersMax)
	}
	c := &Config{version: version, servers: servers, members: make(map[jute.ServerID]int, len(servers))}
	slices.SortFunc(c.servers, func(a, b Server) int { return cmp.Compare(a.ID, b.ID) })
	for i := range c.servers {
		s := &c.servers[i]
		if _, ok := c.members[s.ID]; ok {
			return nil, fmt.Errorf("server %v is there twice", s.ID)
		}
		c.members[s.ID] = i
		if !s.Observer {
			c.voters = append(c.voters, s.ID)
		}
	}
	if len(c.voters) == 0 {
		return nil, errors.New("there is no participant")
	}
	if len(groups) > 0 || len(weights) > 0 {
		if err := c.makeGroups(groups, weights); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// makeGroups fills in what a hierarchical Config has (QuorumHierarchical.parse, computeGroupWeight).
func (c *Config) makeGroups(groups map[int64][]jute.ServerID, weights map[jute.ServerID]int64) error {
	c.groups, c.weights = groups, weights
	if c.weights == nil {
		c.weights = make(map[jute.ServerID]int64)
	}
	c.groupOf = make(map[jute.ServerID]*group)
	numbers := slices.Sorted(maps.Keys(groups))
	for _, number := range numbers {
		g := &group{index: -1}
		for _, id := range groups[number] {
			if c.groupOf[id] != nil {
				return fmt.Errorf("server %v is in several groups", id)
			}
			c.groupOf[id] = g
		}
	}
	for _, id := range c.voters {
		if c.groupOf[id] == nil {
			return fmt.Errorf("server %v is not in a group", id)
		}
		if _, ok := c.weights[id]; !ok {
			c.weights[id] = 1
		}
	}
	for _, number := range numbers {
		for _, id := range groups[number] {
			g := c.groupOf[id]
			weight, ok := c.weights[id]
			if !ok {
				return fmt.Errorf("group %d has server %v, which is no participant and has no weight", number, id)
			}
			if weight < 0 || g.weight+weight < g.weight {
				return fmt.Errorf("weight %d of server %v is too small or too big", weight, id)
			}
			if g.weight += weight; g.weight > 0 && g.index < 0 {
				g.index = len(c.counted)
				c.counted = append(c.counted, g)
			}
		}
	}
	return nil
}

// Version is the number of this version: the zxid of the txn that made it, 0 for one that was only read
// from a file.
func (c *Config) Version() int64 { return c.version }

// WithVersion is the same Config with another version.
func (c *Config) WithVersion(version int64) *Config {
	other := *c
	other.version = version
	return &other
}

// Servers are all members by id. Read only.
func (c *Config) Servers() []Server { return c.servers }

// Voters are the ids of the participants, ascending. Read only.
func (c *Config) Voters() []jute.ServerID { return c.voters }

// Server finds a member. Read only.
func (c *Config) Server(id jute.ServerID) (*Server, bool) {
	i, ok := c.members[id]
	if !ok {
		return nil, false
	}
	return &c.servers[i], true
}

// IsVoter reports if a server is a participant.
func (c *Config) IsVoter(id jute.ServerID) bool {
	i, ok := c.members[id]
	return ok && !c.servers[i].Observer
}

// Weight is a server's weight in its group, 1 without groups. A voter of weight 0 can't be elected.
func (c *Config) Weight(id jute.ServerID) int64 {
	if c.groups == nil {
		return 1
	}
	return c.weights[id]
}

// SameServers reports if two Configs have the same members with the same addresses, roles, groups and
// weights, whatever their versions.
func (c *Config) SameServers(other *Config) bool {
	return slices.EqualFunc(c.servers, other.servers, Server.equal) && (c.groups == nil) == (other.groups == nil) &&
		maps.EqualFunc(c.groups, other.groups, sameIDs) && maps.Equal(c.weights, other.weights)
}

// equal compares with the client's part left out: a server does not tell it when it comes from clientPort.
func (s Server) equal(other Server) bool {
	return s.ID == other.ID && s.Observer == other.Observer && slices.Equal(s.sortedAddresses(), other.sortedAddresses())
}

func sameIDs(a, b []jute.ServerID) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
