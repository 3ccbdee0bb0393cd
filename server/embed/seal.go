package embed

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"zk/conf"
	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
)

// sealJava puts the files of Java that were imported out of use, if that was not done yet, or was undone. They must
// not have gone on meanwhile: then there are two histories, and only an operator knows which one counts.
func sealJava(stores *persistence.Recovered, cfg *conf.Config, log *slog.Logger) (kept []string, err error) {
	imported, ok := stores.Imported()
	if !ok {
		return nil, nil
	}
	dirs := stores.Unsealed()
	pending := len(dirs) > 0
	if !pending {
		if dirs = []string{cfg.DataDir}; cfg.DataLogDir != cfg.DataDir {
			dirs = append(dirs, cfg.DataLogDir)
		}
	}
	fs := stores.FS()
	folder, err := javafile.OpenFolder(fs, dirs[0], dirs[len(dirs)-1])
	if err != nil {
		return nil, fmt.Errorf("embed: files of Java beside ours: %w", err)
	}
	if !pending && folder.Empty() {
		return nil, nil
	}
	last, at, err := folder.Last(javafile.ReadOptions{BytesMax: cfg.JuteMaxBuffer + cfg.JuteMaxBufferExtraSize})
	if err != nil {
		return nil, fmt.Errorf("embed: files of Java beside ours: %w", err)
	}
	if last > imported {
		return nil, &persistence.StartError{
			Reason: fmt.Sprintf("a server of Java has gone on after its files were imported: %s has zxid %v, the import ended at %v, and the log in %s at %v",
				at, last, imported, cfg.DataLogDir, jute.Zxid(stores.Log.LastLogged())),
			DataDir: cfg.DataDir, DataLogDir: cfg.DataLogDir,
			Remedy: "move away what does not count: zk-log and zk-state-* to go on with Java's files, or Java's folder " + javafile.VersionDir,
		}
	}
	kept, err = persistence.SealJava(fs, dirs, func(kept string) string { return javaNote(kept, imported) })
	if err != nil {
		return kept, err
	}
	if err := stores.Sealed(); err != nil {
		return kept, err
	}
	if len(kept) > 0 {
		log.Info("Java's files are kept under another name, so that no server of Java starts on them", "dirs", strings.Join(kept, " "))
	}
	return kept, nil
}

// javaNote is the text in the place of Java's folder.
func javaNote(kept string, imported jute.Zxid) string {
	text := fmt.Sprintf(`This is a file, not a folder, so that Apache ZooKeeper does not start here.
Its data was imported by zk at %s, up to zxid %v; what was written since is in the
folders zk-log and zk-state-* of dataLogDir and dataDir only.

To go back to Apache ZooKeeper with everything that was written: zk export (see zk export --help).
`, time.Now().UTC().Format(time.RFC3339), imported)
	if kept == "" {
		return text
	}
	return text + fmt.Sprintf(`
To go back to the state of the import, and lose what was written since (in an ensemble that is safe only for
a member whose folders you leave empty instead): stop zk, move zk-log and zk-state-* away, and
    rm %[2]s && mv %[1]s %[2]s
in dataDir, and in dataLogDir if that is another folder.
`, filepath.Base(kept), javafile.VersionDir)
}
