package sim

// Mutant is a bug that is planted in the servers' drivers, to show that the checks see it.
type Mutant int

// The mutants. Each is a bug that Java had or that a driver could have; the number is Java's issue.
const (
	NoMutant                Mutant = iota
	MutantVoteApplied              // votes with what is applied in place of what is logged
	MutantAckEarly                 // acknowledges what is not durable (3911)
	MutantEpochEarly               // currentEpoch durable before the transactions (4643)
	MutantEpochAlone               // acknowledges NEWLEADER with the epoch, transactions later (3023, 4646, 4785)
	MutantSnapEarly                // acknowledges a snapshot that is not complete (3104)
	MutantTailApplied              // applies the log's tail at a start (1549)
	MutantApplyEarly               // applies what is committed and not durable here (I8)
	MutantLogOutlivesTerm          // appends of a term reach the log after its end (4712, 4541)
	MutantTruncateForgotten        // a cut that is not durable
	MutantWipedVotes               // votes without memory (I9)
	MutantWipedAcks                // acknowledges without memory (I9)
	MutantWipeUnmarked             // lost memory that is not marked on disk
	MutantPromiseUncounted         // takes itself for wiped, though it has promised an epoch
	MutantPromiseForgotten         // acceptedEpoch is not saved
	MutantCommitAlone              // commits what only the leader has
	MutantHoleInDiff               // a DIFF that lacks a transaction (4925, 2418)
	MutantTailForgotten            // at UPTODATE what ACKEPOCH told is not applied
	MutantDiskErrorIgnored         // goes on after a failed sync (4882, 3701)
	MutantRoomLeads                // goes on leading without room
	MutantRoomVotes                // looks for a leader without room
	MutantRoomAnswers              // answers those who do, with its last vote
	MutantLookingUntold            // a leader is not told who looks for one
	mutants                        // how many
)

func (p *process) mutated(m Mutant) bool { return p.world.mutant == m }

func (m Mutant) String() string {
	return [...]string{
		"none", "votes with applied", "acknowledges early", "epoch before the transactions", "epoch alone",
		"SNAP acknowledged early", "tail applied at a start", "applied before durable", "log outlives the term", "TRUNC forgotten",
		"wiped disk votes", "wiped disk acknowledges", "wipe not marked", "promise does not count", "promise forgotten", "commits alone", "hole in a DIFF", "tail forgotten",
		"disk error ignored", "leads without room", "votes without room", "answers without room", "looking not told",
	}[m]
}
