// Package lint holds the rules of this project that the Go tools don't check, as tests: who may import
// whom, what packages of pure logic must not touch, that every package says what it is for. It has no
// code of its own; "go test ./cmd/internal/lint" is the check.
//
// The table in layers_test.go is the law: a package that is not in it fails the test, so a new folder means a
// new line there.
package lint
