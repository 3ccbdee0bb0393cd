package client

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode/utf16"
)

// portDefault is the port of a server in a connect string that names none (ConnectStringParser).
const portDefault = 2181

// PathError says why a path cannot be sent. Its text is the one Java's client gives.
type PathError struct {
	Path   string
	Reason string
}

func (e *PathError) Error() string { return e.Reason }

// ValidatePath checks a path as Java's client does before it sends it (PathUtils.validatePath). With
// sequential a path may end in '/', since the server appends to it. Positions in the text count UTF-16
// units.
func ValidatePath(path string, sequential bool) error {
	checked := path
	if sequential {
		checked += "1"
	}
	switch {
	case checked == "":
		return &PathError{path, "Path length must be > 0"}
	case checked[0] != '/':
		return &PathError{path, "Path must start with / character"}
	case len(checked) == 1:
		return nil
	case checked[len(checked)-1] == '/':
		return &PathError{path, "Path must not end with / character"}
	}
	if reason := invalidUnit(utf16.Encode([]rune(checked))); reason != "" {
		return &PathError{path, fmt.Sprintf("Invalid path string \"%s\" caused by %s", checked, reason)}
	}
	return nil
}

// invalidUnit finds the first place in a path that no znode name may have; "" when there is none. The
// path starts with '/' and does not end with it.
func invalidUnit(units []uint16) string {
	// ends reports if the path component that began at i is over behind unit j.
	ends := func(j int) bool { return j+1 == len(units) || units[j+1] == '/' }
	for i := 1; i < len(units); i++ {
		c, last := units[i], units[i-1]
		switch {
		case c == 0:
			return fmt.Sprintf("null character not allowed @%d", i)
		case c == '/' && last == '/':
			return fmt.Sprintf("empty node name specified @%d", i)
		case c == '.' && last == '.' && units[i-2] == '/' && ends(i),
			c == '.' && last == '/' && ends(i):
			return fmt.Sprintf("relative paths not allowed @%d", i)
		case c <= 0x1f, c >= 0x7f && c <= 0x9f, c >= 0xd800 && c <= 0xf8ff, c >= 0xfff0:
			return fmt.Sprintf("invalid character @%d", i)
		}
	}
	return ""
}

// ParseConnectString splits "host:port,[v6]:port,host/chroot" into dialable addresses and the chroot,
// "" for none. A missing port is 2181.
func ParseConnectString(s string) (addrs []string, chroot string, err error) {
	hosts := s
	if i := strings.IndexByte(s, '/'); i >= 0 {
		hosts, chroot = s[:i], s[i:]
	}
	if chroot, err = cleanChroot(chroot); err != nil {
		return nil, "", err
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host = strings.TrimSpace(host); host == "" {
			continue
		}
		addr, err := splitAddr(host)
		if err != nil {
			return nil, "", err
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, "", fmt.Errorf("client: no server in connect string %q", s)
	}
	return addrs, chroot, nil
}

// cleanChroot maps "/" to "" and checks everything else.
func cleanChroot(chroot string) (string, error) {
	if chroot == "" || chroot == "/" {
		return "", nil
	}
	if err := ValidatePath(chroot, false); err != nil {
		return "", err
	}
	return chroot, nil
}

// splitAddr gives host:port for an element of a connect string.
func splitAddr(host string) (string, error) {
	name, port := host, ""
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return "", fmt.Errorf("client: server %q: '[' without ']'", host)
		}
		name, port = host[1:end], strings.TrimPrefix(host[end+1:], ":")
	} else if i := strings.LastIndexByte(host, ':'); i >= 0 {
		name, port = host[:i], host[i+1:]
	}
	if port == "" {
		port = strconv.Itoa(portDefault)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("client: server %q: port %q is not a number from 1 to 65535", host, port)
	}
	return net.JoinHostPort(name, port), nil
}

// serverPath puts the chroot before a client's path.
func (c *Client) serverPath(path string) string {
	switch {
	case c.chroot == "":
		return path
	case path == "/":
		return c.chroot
	}
	return c.chroot + path
}

// clientPath takes the chroot off a server's path. A path outside it, which only getEphemerals and the
// config node have, stays as it is.
func (c *Client) clientPath(path string) string {
	rest, ok := strings.CutPrefix(path, c.chroot)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return path
	case rest == "":
		return "/"
	}
	return rest
}
