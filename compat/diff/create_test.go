package diff

import (
	"zk/jute"
)

func createCases() []testCase {
	return []testCase{
		{"create/flags", func(s *script) {
			c := s.conn("a")
			c.call(create(s.p("/p"), 0)).want(0)
			c.call(create(s.p("/e"), 1)).want(0)
			c.call(exists(s.p("/e"), false)).want(0)
			c.call(create2(s.p("/q-"), 2)).want(0)
			c.call(create(s.p("/bad"), 9)).want(jute.CodeBadArguments)
			c.end()
		}},
	}
}
