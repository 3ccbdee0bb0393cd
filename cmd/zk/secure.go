package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

	"zk/conf"
	"zk/server/secure"
)

// dialFunc opens a connection to a server.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// clientSettings are those of the commands that connect to a server; props are of the command line, file is that of
// -client-configuration. CLIENT_JVMFLAGS comes before JVMFLAGS in zkCli.sh and zkServer.sh.
func clientSettings(env environment, props []conf.Property, file string) (*conf.Client, error) {
	c, err := conf.LoadClient(file, conf.Options{Properties: properties(env.getenv, "CLIENT_JVMFLAGS", props)})
	if err != nil {
		return nil, configError(err)
	}
	for _, n := range c.Warnings {
		_, _ = fmt.Fprintf(env.stderr, "zk: %s: %s\n", n.Key, n.Text)
	}
	return c, nil
}

// secureDial gives connections with TLS.
func secureDial(c *conf.Client) (dialFunc, error) {
	stores, err := secure.New(c.TLS, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, &commandError{exitInvocation, err.Error()}
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		how := stores.ClientConfig(host)
		how.ServerName = host
		return (&tls.Dialer{Config: how}).DialContext(ctx, network, addr)
	}, nil
}

// plainDial gives connections without TLS.
func plainDial(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// clientDial gives connections as the settings want them.
func clientDial(env environment, props []conf.Property, file string) (dialFunc, error) {
	c, err := clientSettings(env, props, file)
	if err != nil {
		return nil, err
	}
	if !c.Secure {
		return plainDial, nil
	}
	return secureDial(c)
}
