package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Client are the settings of a program that connects to servers, as Java's clients read them.
type Client struct {
	// Secure asks for TLS (zookeeper.client.secure).
	Secure bool
	// TLS is what zookeeper.ssl.* say: the trust store, and the key store for servers that ask for a certificate.
	TLS TLS
	// Warnings are about names that look misspelled.
	Warnings []Note
}

// LoadClient reads the system properties that are for clients, and over them a file of such properties ("" for none;
// zkCli.sh -client-configuration). Names that have nothing to do with TLS are passed over. What is wrong comes back
// as Errors; a file that can't be read as a wrapped error of the os package. (Java: ZKClientConfig, ClientX509Util.)
func LoadClient(file string, opts Options) (*Client, error) {
	opts = opts.complete()
	props := slices.Clone(opts.Properties)
	if file != "" {
		text, err := opts.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("conf: reading the client configuration: %w", err)
		}
		entries, err := parseProperties(text)
		if err != nil {
			var e *Error
			if errors.As(err, &e) {
				e.File = file
				return nil, Errors{e}
			}
			return nil, err
		}
		for _, e := range entries {
			props = append(props, Property{Name: e.Key, Value: e.Value, Source: file})
		}
	}
	c := &Client{}
	opts.Properties = slices.DeleteFunc(props, func(p Property) bool {
		if p.Name == "zookeeper.client.secure" {
			c.Secure = strings.EqualFold(p.Value, "true")
		}
		return !strings.HasPrefix(p.Name, "zookeeper.ssl.") || strings.HasPrefix(p.Name, "zookeeper.ssl.quorum.")
	})
	l := newLoader(file, opts)
	l.gatherProperties()
	for _, k := range l.table.keys {
		k.storeDefault(l.cfg)
		if s, ok := l.set[k]; ok {
			l.assign(k, s)
		}
	}
	l.checkTLS("ssl.", &l.cfg.ClientTLS)
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	c.TLS, c.Warnings = l.cfg.ClientTLS, l.cfg.Warnings
	return c, nil
}
