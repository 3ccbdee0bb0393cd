package diff

// foundCases are the short cases that random runs have left behind: what each was a difference in is its
// name. What one prints goes here as it is.
func foundCases() []testCase {
	return []testCase{
		{"found/wchc-session-without-paths", func(s *script) {
			p := newPlayer(s)
			p.open("b")
			p.open("c")
			p.call("b", create(s.p("/w"), 0))
			p.call("b", get(s.p("/w"), true))
			p.call("c", del(s.p("/w"), 0))
			p.words()
		}},
	}
}
