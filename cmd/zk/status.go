package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"zk/conf"
)

const (
	// statusTimeout bounds the whole question (FourLetterWordMain: DEFAULT_SOCKET_TIMEOUT).
	statusTimeout = 5 * time.Second
	// statusBytesMax bounds the answer and the files read.
	statusBytesMax = 1 << 20
)

func statusCommand(env environment, props []conf.Property) *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "ask the server of a configuration what it does",
		ArgsUsage: "[zoo.cfg]",
		Description: "Prints the client port and the Mode of the server, as zkServer.sh status does.\n" +
			"Without a file: localhost:2181. Exit code 1 when no server answers.\n" +
			"A server with a secureClientPort only is asked with TLS; CLIENT_JVMFLAGS, JVMFLAGS and -Dname=value name\n" +
			"the stores: zookeeper.ssl.trustStore.location, zookeeper.ssl.keyStore.location ...",
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return &commandError{exitInvocation, "Usage: zk status [configfile]"}
			}
			return status(c.Context, env, props, c.Args().First())
		},
	}
}

// clientPort is where a configuration says that its server can be asked.
type clientPort struct {
	address string
	port    string
	secure  bool
}

// status prints what zkServer.sh status prints, in its words.
func status(ctx context.Context, env environment, props []conf.Property, path string) error {
	at := clientPort{address: "localhost", port: "2181"}
	if path != "" {
		_, _ = fmt.Fprintf(env.stderr, "Using config: %s\n", path)
		text, err := readBounded(path)
		if err != nil {
			return &commandError{exitUnexpected, "zk: reading the configuration: " + err.Error()}
		}
		var ok bool
		if at, ok = findClientPort(env.stdout, configText(text), filepath.Dir(path)); !ok {
			_, _ = fmt.Fprintln(env.stdout, "Unable to find either secure or unsecure client port in any configs. Terminating.")
			return &commandError{exitUnexpected, ""}
		}
	}
	_, _ = fmt.Fprintf(env.stdout, "Client port found: %s. Client address: %s. Client SSL: %t.\n",
		at.port, at.address, at.secure)
	dial := dialFunc(plainDial)
	if at.secure {
		settings, err := clientSettings(env, props, "")
		if err != nil {
			return err
		}
		if dial, err = secureDial(settings); err != nil {
			return err
		}
	}
	mode := askMode(ctx, dial, net.JoinHostPort(at.address, at.port))
	if mode == "" {
		_, _ = fmt.Fprintln(env.stdout, "Error contacting service. It is probably not running.")
		return &commandError{exitUnexpected, ""}
	}
	_, _ = fmt.Fprintln(env.stdout, mode)
	return nil
}

// askMode sends srvr and returns the line of the answer that names the mode, "" when there is none.
func askMode(ctx context.Context, dial dialFunc, addr string) string {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return ""
	}
	// An answer that breaks off may still have the line.
	answer, _ := io.ReadAll(io.LimitReader(conn, statusBytesMax))
	for line := range strings.Lines(string(answer)) {
		if strings.Contains(line, "Mode") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// configText is a zoo.cfg as zkServer.sh looks at it, with grep and sed: whatever the server may think of
// it, a status must still be given.
type configText string

// value is what stands behind the key and '=' on the last line that has them; "" when there is none. The
// key is a regular expression.
func (t configText) value(key string) string {
	lines := regexp.MustCompile(`(?m)^[ \t]*`+key+`[ \t]*=(.*)$`).FindAllStringSubmatch(string(t), -1)
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimSpace(lines[len(lines)-1][1])
}

// findClientPort looks where zkServer.sh looks, and says so on w as it does: clientPort, the server's own
// line, the same in the dynamic file, secureClientPort. Relative names in the file are taken from the
// working folder, as the server takes them, and then from dir.
func findClientPort(w io.Writer, text configText, dir string) (clientPort, bool) {
	at := clientPort{address: text.value("clientPortAddress"), port: text.value("clientPort")}
	if at.address == "" {
		at.address = "localhost"
	}
	if isNumber(at.port) {
		return at, true
	}
	at.port = ""
	myid, err := readBounded(filepath.Join(text.value("dataDir"), "myid"))
	if id := strings.TrimSpace(string(myid)); err != nil || !isNumber(id) {
		_, _ = fmt.Fprintln(w, "myid could not be determined, will not able to locate clientPort in the server configs.")
	} else if part := serverClientPart(w, text, dir, id); part != "" {
		if i := strings.LastIndexByte(part, ':'); i >= 0 {
			at.address, part = strings.Trim(part[:i], "[]"), part[i+1:]
		}
		at.port = part
	} else {
		_, _ = fmt.Fprintln(w, "Client port not found in the server configs")
	}
	if at.port != "" {
		return at, true
	}
	_, _ = fmt.Fprintln(w, "Client port not found. Looking for secureClientPort in the static config.")
	at = clientPort{address: text.value("secureClientPortAddress"), port: text.value("secureClientPort"), secure: true}
	if at.address == "" {
		at.address = "localhost"
	}
	return at, at.port != ""
}

// serverClientPart is what follows ';' in the line of a server, in the file or in the dynamic file it names.
func serverClientPart(w io.Writer, text configText, dir, id string) string {
	key := regexp.QuoteMeta("server." + id)
	part := func(t configText) string {
		_, part, _ := strings.Cut(t.value(key), ";")
		return part
	}
	if p := part(text); p != "" {
		return p
	}
	_, _ = fmt.Fprintln(w, "Client port not found in static config file. Looking in dynamic config file.")
	name := text.value("dynamicConfigFile")
	if name == "" {
		return ""
	}
	dynamic, err := readBounded(name)
	if err != nil && !filepath.IsAbs(name) {
		dynamic, err = readBounded(filepath.Join(dir, name))
	}
	if err != nil {
		return ""
	}
	return part(configText(dynamic))
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 63)
	return err == nil
}

// readBounded reads a small file.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, statusBytesMax))
}
