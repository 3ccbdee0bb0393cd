package auth

import (
	"net/netip"
	"slices"

	"zk/jute"
)

// SchemeEnsemble is the scheme by which a client says which ensemble it means to talk to. A wrong name
// is answered with a close alone, so that the client tries another server; an AuthFailed would end it.
const SchemeEnsemble = "ensemble"

// EnsembleOutcome is what came of an ensemble name; each has a metric.
type EnsembleOutcome int

// The outcomes of a check.
const (
	EnsembleSkipped EnsembleOutcome = iota // no name was sent, or none is configured
	EnsembleMatched
	EnsembleRefused
)

// NewEnsemble makes the provider of the scheme ensemble. No names accept every client. note is told of
// each check; it must not block. Source: EnsembleAuthenticationProvider.
func NewEnsemble(names []string, note func(EnsembleOutcome)) Provider {
	return ensembleProvider{names: slices.Clone(names), note: note}
}

// ensembleProvider gives no identity and can't stand in an ACL.
type ensembleProvider struct {
	names []string
	note  func(EnsembleOutcome)
}

func (ensembleProvider) Scheme() string { return SchemeEnsemble }

func (p ensembleProvider) HandleAuth(_ netip.Addr, data []byte) ([]jute.ID, bool) {
	outcome := EnsembleRefused
	switch {
	case len(data) == 0 || len(p.names) == 0:
		outcome = EnsembleSkipped
	case slices.Contains(p.names, string(data)):
		outcome = EnsembleMatched
	}
	p.note(outcome)
	return nil, outcome != EnsembleRefused
}

func (ensembleProvider) Authenticates() bool          { return false }
func (ensembleProvider) ValidID(string) bool          { return false }
func (ensembleProvider) Matches(id, expr string) bool { return false }
func (ensembleProvider) UserName(id string) string    { return id }

// RefusesSilently reports whether a client that failed in this scheme gets no answer before its
// connection is closed: the scheme is ensemble and its provider is configured.
func (p *Providers) RefusesSilently(scheme *string) bool {
	return scheme != nil && *scheme == SchemeEnsemble && p.byScheme[SchemeEnsemble] != nil
}
