package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	"zk/conf"
	"zk/server/embed"
)

// gcPercent keeps the heap close to what is in use. The znodes lie outside of it, so there is little to
// mark and a collection is cheap. GOGC in the environment wins.
const gcPercent = 50

// startEmbedded starts the server in this process.
func startEmbedded(ctx context.Context, cfg *conf.Config, logger *slog.Logger) (node, error) {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	n, err := embed.Start(ctx, cfg, embed.Deps{Logger: logger})
	if err != nil {
		return nil, err
	}
	return n, nil
}
