package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"zk/server/figures"
)

func versionCommand(env environment) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Action: func(*cli.Context) error {
			_, err := fmt.Fprint(env.stdout, versionText(figures.BuildVersion()))
			return err
		},
	}
}

// versionText has the release and the build in the form of "zkServer.sh version", then where they come
// from. full is what srvr shows: release-revision, built on time.
func versionText(full string) string {
	source, built, _ := strings.Cut(full, ", built on ")
	release, revision, _ := strings.Cut(source, "-")
	return fmt.Sprintf("zk, compatible with Apache ZooKeeper, version %s %s\nrevision %s, %s %s/%s\n",
		release, built, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
