package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"zk/conf"
	"zk/server/embed"
)

func importCommand(env environment, props []conf.Property) *cli.Command {
	return transferCommand(env, props, &cli.Command{
		Name:      "import",
		Usage:     "take over the data of a server of Java ZooKeeper",
		ArgsUsage: "zoo.cfg",
		Description: "Makes this program's data out of the snapshots, transaction logs and epochs of a server of Java that is\n" +
			"stopped: the newest snapshot that loads (plain, gz or snappy) and all transactions after it, as that server\n" +
			"itself would start. dataDir and dataLogDir are those of zoo.cfg, and the system properties that Java had count\n" +
			"here, too (zookeeper.extendedTypesEnabled, jute.maxbuffer). What can't be complete is an error with file, offset\n" +
			"and reason, and changes nothing.\n" +
			"Java's folders version-2 are then called version-2.java; in their place lies a file with a note on how to\n" +
			"go back, on which no server of Java starts. zk server does all this by itself on folders that hold only Java's\n" +
			"files. -Dname=value, SERVER_JVMFLAGS and JVMFLAGS are read as by zk server.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "dataDir of the server of Java, if it is another"},
			&cli.StringFlag{Name: "from-log", Usage: "its dataLogDir, if it has one"},
			&cli.BoolFlag{Name: "copy", Usage: "leave Java's files as they are: they are a copy that no server starts on"},
		},
	}, func(ctx context.Context, c *cli.Context, cfg *conf.Config, deps embed.Deps) error {
		r, err := embed.Import(ctx, cfg, deps, embed.ImportOptions{From: c.String("from"), FromLog: c.String("from-log"), Copy: c.Bool("copy")})
		if err != nil {
			return err
		}
		var b strings.Builder
		fmt.Fprintf(&b, "imported up to zxid %v: %d znodes, %d sessions\n", r.LastZxid, r.Znodes, r.Sessions)
		if r.Snapshot != "" {
			fmt.Fprintf(&b, "snapshot: %s\n", r.Snapshot)
		}
		fmt.Fprintf(&b, "transactions after it: %d\n", r.Txns)
		if r.Tail > 0 {
			fmt.Fprintf(&b, "of these the last %d come into the tree when the ensemble has a leader\n", r.Tail)
		}
		fmt.Fprintf(&b, "epochs: accepted %d, current %d\n", r.AcceptedEpoch, r.CurrentEpoch)
		fmt.Fprintf(&b, "digests compared: %d, different: %d\n", r.DigestChecks, r.DigestMismatches)
		list(&b, "passed over", r.Skipped)
		list(&b, "note", r.Notes)
		list(&b, "Java's files are now in", r.Kept)
		_, err = io.WriteString(env.stdout, b.String())
		return err
	})
}

func exportCommand(env environment, props []conf.Property) *cli.Command {
	return transferCommand(env, props, &cli.Command{
		Name:      "export",
		Usage:     "give the data back to Java ZooKeeper",
		ArgsUsage: "zoo.cfg",
		Description: "Makes a folder version-2 for Java out of the data of this program's server, which is stopped: a snapshot,\n" +
			"the transactions after it if there are any, the epochs, myid. Without --to it lies in dataDir (and dataLogDir)\n" +
			"of zoo.cfg, so that Java starts there with the same file.\n" +
			"This program's folders are then kept under another name, zk-log.exported and zk-state-1.exported; in their place\n" +
			"lies a file with a note on how to go back, on which zk server does not start. An export that was interrupted\n" +
			"is finished by the next one. -Dname=value, SERVER_JVMFLAGS and JVMFLAGS are read as by zk server.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "dataDir for Java, if it is another"},
			&cli.StringFlag{Name: "to-log", Usage: "dataLogDir for Java, if it has one"},
			&cli.BoolFlag{Name: "copy", Usage: "leave this program's data in service: the export is never started as the same server"},
		},
	}, func(ctx context.Context, c *cli.Context, cfg *conf.Config, deps embed.Deps) error {
		r, err := embed.Export(ctx, cfg, deps, embed.ExportOptions{To: c.String("to"), ToLog: c.String("to-log"), Copy: c.Bool("copy")})
		if err != nil {
			return err
		}
		var b strings.Builder
		if r.Snapshot != "" {
			fmt.Fprintf(&b, "exported up to zxid %v: %d znodes\nsnapshot: %s\n", r.LastZxid, r.Znodes, r.Snapshot)
			fmt.Fprintf(&b, "transactions after it: %d\nepochs: accepted %d, current %d\n", r.Txns, r.AcceptedEpoch, r.CurrentEpoch)
		}
		list(&b, "note", r.Notes)
		_, err = io.WriteString(env.stdout, b.String())
		return err
	})
}

func list(b *strings.Builder, what string, texts []string) {
	for _, text := range texts {
		fmt.Fprintf(b, "%s: %s\n", what, text)
	}
}

// transferCommand gives a command what both have in common: the configuration, the log with the progress, errors.
func transferCommand(env environment, props []conf.Property, command *cli.Command, run func(context.Context, *cli.Context, *conf.Config, embed.Deps) error) *cli.Command {
	command.Flags = append(command.Flags,
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "debug, info, warn or error"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "text or json"})
	command.Action = func(c *cli.Context) error {
		if c.NArg() != 1 {
			return &commandError{exitInvocation, fmt.Sprintf("Usage: zk %s [flags] zoo.cfg", command.Name)}
		}
		logger, err := newLogger(env.stderr, c.String("log-level"), c.String("log-format"))
		if err != nil {
			return err
		}
		cfg, err := loadConfig(c.Args().Slice(), properties(env.getenv, "SERVER_JVMFLAGS", props))
		if err != nil {
			return configError(err)
		}
		if err := run(c.Context, c, cfg, embed.Deps{Logger: logger}); err != nil {
			return &commandError{exitCode(err), fmt.Sprintf("zk %s: %v", command.Name, err)}
		}
		return nil
	}
	return command
}
