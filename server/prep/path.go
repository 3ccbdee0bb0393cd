package prep

import (
	"strings"

	"zk/server/tree"
)

// ValidatePath reports whether a path may name a node: absolute, no trailing slash (but "/" itself), no
// empty component, no "." or "..", no control or private character, none outside the basic plane
// (reference client-protocol, section 7.2; Java: PathUtils.validatePath, which looks at UTF-16 units).
func ValidatePath(path string) bool {
	if path == tree.RootPath {
		return true
	}
	if path == "" || path[0] != '/' || path[len(path)-1] == '/' {
		return false
	}
	start := 1 // of the component
	for i := 1; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			if !validName(path[start:i]) {
				return false
			}
			start = i + 1
		case c < 0x20 || c == 0x7F:
			return false
		case c >= 0x80:
			if !validRunes(path[i:]) {
				return false
			}
			return validNames(path[start:])
		}
	}
	return validName(path[start:])
}

func validName(name string) bool { return name != "" && name != "." && name != ".." }

func validNames(s string) bool {
	for name := range strings.SplitSeq(s, "/") {
		if !validName(name) {
			return false
		}
	}
	return true
}

// validRunes checks characters only. Those beyond U+FFFF are two surrogates in Java, which are refused.
func validRunes(s string) bool {
	for _, r := range s {
		if r < 0x20 || r >= 0x7F && r <= 0x9F || r >= 0xD800 && r <= 0xF8FF || r >= 0xFFF0 {
			return false
		}
	}
	return true
}

// splitParent gives the parent's path as the tree knows it. ok is false for a path without a slash or
// with a NUL, which is as much as delete checks and create checks first.
func splitParent(path string) (parent string, ok bool) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 || strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	return canonical(path[:slash]), true
}

// canonical gives the root its one name.
func canonical(path string) string {
	if path == "" {
		return tree.RootPath
	}
	return path
}

// isSpecial reports whether the node can't be deleted (Java: DataTree.isSpecialPath).
func isSpecial(path string) bool {
	switch path {
	case tree.RootPath, tree.ZookeeperPath, tree.QuotaPath, tree.ConfigPath:
		return true
	}
	return false
}
