package main

import (
	"os"
	"os/user"
)

// systemProperty gives the system properties that every Java program has and that a JAAS file may use.
func systemProperty(name string) (value string, ok bool) {
	var err error
	switch name {
	case "user.home":
		value, err = os.UserHomeDir()
	case "user.dir":
		value, err = os.Getwd()
	case "user.name":
		var u *user.User
		if u, err = user.Current(); err == nil {
			value = u.Username
		}
	case "java.io.tmpdir":
		value = os.TempDir()
	case "file.separator":
		value = string(os.PathSeparator)
	case "path.separator":
		value = string(os.PathListSeparator)
	case "line.separator":
		value = "\n"
	default:
		return "", false
	}
	return value, err == nil
}
