package main

import (
	"context"
	"log/slog"

	"zk/conf"
	"zk/server/embed"
)

// startEmbedded starts the server in this process.
func startEmbedded(ctx context.Context, cfg *conf.Config, logger *slog.Logger) (node, error) {
	n, err := embed.Start(ctx, cfg, embed.Deps{Logger: logger})
	if err != nil {
		return nil, err
	}
	return n, nil
}
