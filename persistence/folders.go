package persistence

import (
	"errors"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

func (o *opening) logDir() string              { return o.fs.PathJoin(o.DataLogDir, logDirName) }
func (o *opening) stateDir(name string) string { return o.fs.PathJoin(o.DataDir, name) }

// there tells whether a store's folder is there; it is whole then.
func (o *opening) there(dir string) (bool, error) {
	_, err := o.fs.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, o.refuse(err, "check its path and permissions", "folder %s can't be read", dir)
	}
	return true, nil
}

// checkFolders makes sure of both folders, and refuses what is not for this program before a store is touched.
func (o *opening) checkFolders() error {
	if err := o.makeFolders(); err != nil {
		return err
	}
	to, exported, err := Exported(o.fs, o.DataDir, o.DataLogDir)
	if err != nil {
		return err
	}
	if exported {
		return o.refuse(nil, "start Java there; to come back, start this program on Java's files, which it imports, or do what the file says",
			"the data of this server was exported to %s, as the file %s says", to, o.logDir())
	}
	there, err := o.there(o.logDir())
	if err != nil {
		return err
	}
	for _, dir := range []string{o.DataDir, o.DataLogDir} {
		if o.java == "" {
			o.java = o.javaFile(dir)
		}
	}
	if o.java != "" && !there {
		return o.refuse(nil, "import it with zk import, or let zk server do it at its first start", "%s is a file of Java ZooKeeper", o.java)
	}
	return nil
}

// checkOrigin learns whether the log was imported. Files of Java beside one that was not are of another history,
// older or newer.
func (o *opening) checkOrigin() error {
	v, ok, err := getMeta(o.log.db, metaImported)
	if err != nil {
		return err
	}
	if ok {
		last, err := decodeInt64(metaImported, v)
		if err != nil {
			return err
		}
		o.imported, o.wasImported = jute.Zxid(last), true
	}
	if v, _, err = getMeta(o.log.db, metaUnsealed); err != nil {
		return err
	}
	if len(v) > 0 {
		o.unsealed = strings.Split(string(v), "\n")
	}
	if o.java != "" && !o.wasImported {
		return o.refuse(nil, "only one of them can be served: move the other away",
			"there are both a store of this program, %s, up to zxid %v, and a file of Java ZooKeeper, %s", o.logDir(), jute.Zxid(o.log.LastLogged()), o.java)
	}
	return nil
}

// makeFolders creates the folders that are missing.
func (o *opening) makeFolders() error {
	dirs := []string{o.DataDir}
	if o.DataLogDir != o.DataDir {
		dirs = append(dirs, o.DataLogDir)
	}
	var missing []string
	for _, dir := range dirs {
		info, err := o.fs.Stat(dir)
		switch {
		case errors.Is(err, os.ErrNotExist):
			if o.NoAutoCreate {
				return o.refuse(nil, "create it or leave zookeeper.datadir.autocreate at true", "folder %s is missing", dir)
			}
			missing = append(missing, dir)
		case err != nil:
			return o.refuse(err, "check its path and permissions", "folder %s can't be read", dir)
		case !info.IsDir():
			return o.refuse(nil, "give a folder", "%s is not a folder", dir)
		}
	}
	for _, dir := range missing {
		if err := o.fs.MkdirAll(dir, 0o755); err != nil {
			if diskError(err) {
				return o.storeError("folder "+dir+" can't be created", err)
			}
			return o.refuse(err, "check its path and permissions", "folder %s can't be created", dir)
		}
		// The entry in its parent must survive a power cut like what will be in it.
		if err := syncDir(o.fs, o.fs.PathDir(dir)); err != nil {
			return o.refuse(err, "check its path and permissions", "folder %s can't be synced", o.fs.PathDir(dir))
		}
	}
	return nil
}

// javaFile finds a snapshot or log file of Java in a data folder (FileTxnSnapLog: version-2/snapshot.*
// and log.*).
func (o *opening) javaFile(dir string) string {
	sub := o.fs.PathJoin(dir, javaDirName)
	names, err := o.fs.List(sub)
	if err != nil {
		return "" // not there: nothing to find
	}
	for _, name := range names {
		if strings.HasPrefix(name, "snapshot.") || strings.HasPrefix(name, "log.") {
			return o.fs.PathJoin(sub, name)
		}
	}
	return ""
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
