package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
)

// SASL says how clients authenticate with SASL.
type SASL struct {
	// File is java.security.auth.login.config as it was written; "" when it was not.
	File string
	// Section is the section of the JAAS file.
	Section string
	// Enabled is true when the file has the section: clients that want to can use DIGEST-MD5.
	Enabled bool
	// Users are the passwords of those who may.
	Users Passwords
	// SuperUsers may do everything (superUser, superUser.<n>).
	SuperUsers []string
	// AnyUser is the ACL id that stands for every user (letAnySaslUserDoX); "" for none.
	AnyUser string

	superPassword string // until it is in Users
}

// Passwords are passwords by the names of users. It shows nothing of them when it is printed or logged.
type Passwords map[string]string

func (p Passwords) String() string   { return fmt.Sprintf("%d passwords", len(p)) }
func (p Passwords) GoString() string { return p.String() }

// digestUserPrefix is what begins the name of an option that gives a user's password.
const digestUserPrefix = "user_"

// resolveSASL reads the JAAS file, with Java's outcome: a file that was named and can't be read ends the
// start, a file without the section leaves SASL off (ServerCnxnFactory.configureSaslLogin).
func (l *loader) resolveSASL() {
	s := &l.cfg.SASL
	superPassword := s.superPassword
	s.superPassword = ""
	for _, row := range l.family[l.table.find("superUser.1")] {
		s.SuperUsers = append(s.SuperUsers, row.value)
	}
	if row, ok := l.set[l.table.byName["superUser"]]; ok {
		s.SuperUsers = append(s.SuperUsers, row.value)
	}
	const key = "java.security.auth.login.config"
	file, modules, ok := l.jaasSection()
	if !ok {
		return
	}
	if modules == nil {
		if file != "" || l.isSet("sasl.serverconfig") {
			l.warnKey(key, fmt.Sprintf("there is no section %s in the JAAS file %q: clients can't authenticate with SASL", shorten(s.Section), file))
		}
		return
	}
	s.Enabled, s.Users = true, Passwords{}
	for _, m := range modules {
		if why := refuseModule(m.Class); why != "" {
			l.errs = append(l.errs, &Error{File: file, Line: m.Line, Key: s.Section, Value: m.Class, Want: why})
		}
		for name, value := range m.Options {
			if user, is := strings.CutPrefix(name, digestUserPrefix); is {
				s.Users[user] = value
			}
		}
	}
	if _, has := s.Users["super"]; has && superPassword != "" {
		s.Users["super"] = superPassword
	}
	l.noteOn(key, 0, fmt.Sprintf("section %s of %s is read; users of SASL DIGEST-MD5: %d", s.Section, file, len(s.Users)))
	if !l.hasScheme("sasl") {
		l.warnKey(key, "is set without authProvider.1="+classSASL+": SASL users can't stand in ACLs")
	}
}

func refuseModule(class string) string {
	switch class {
	case classDigestLogin:
		return ""
	case classKerberosLogin:
		return noKerberos
	}
	return "must be " + classDigestLogin + ", the only login module here"
}

// jaasSection finds the modules of the section: in the file that java.security.auth.login.config names, else
// in .java.login.config in the home of the user, which may be missing or bad. ok is false after an error.
func (l *loader) jaasSection() (file string, modules []LoginModule, ok bool) {
	s := &l.cfg.SASL
	named := s.File != ""
	if named {
		var problem string
		if file, problem = l.jaasPath(s.File); problem != "" {
			l.failKey("java.security.auth.login.config", problem)
			return "", nil, false
		}
	} else {
		home, known := l.property("user.home")
		if !known {
			return "", nil, true
		}
		file = filepath.Join(home, ".java.login.config")
	}
	text, err := l.opts.ReadFile(file)
	if err != nil {
		if !named && errors.Is(err, fs.ErrNotExist) {
			return "", nil, true
		}
		err = &Error{File: file, Want: "can't be read: " + err.Error()}
	} else {
		var sections JAAS
		if sections, err = ParseJAAS(text, l.property); err == nil {
			return file, sections[s.Section], true
		}
	}
	var e *Error
	errors.As(err, &e) // it is one
	e.File = file
	if named || l.isSet("sasl.serverconfig") {
		l.errs = append(l.errs, e)
		return file, nil, false
	}
	l.warn("java.security.auth.login.config", 0, "is not set, and the default is passed over: "+e.Error())
	return "", nil, true
}

// jaasPath makes a path of the value of java.security.auth.login.config, which may be a URL, hold ${name} and
// begin with the second '=' of -Dname==value.
func (l *loader) jaasPath(value string) (path, problem string) {
	path, missing := expandProperties(strings.TrimPrefix(value, "="), l.property)
	if missing != "" {
		return "", "needs the property " + shorten(missing) + ", which is not set"
	}
	scheme, _, isURL := strings.Cut(path, ":")
	if !isURL {
		return path, ""
	}
	switch strings.ToLower(scheme) {
	case "file":
	case "http", "https", "ftp", "jar":
		return "", "must be a file of this machine"
	default:
		return path, "" // a colon in a path
	}
	u, err := url.Parse(path)
	if err != nil || u.Opaque == "" && u.Path == "" {
		return "", "must be a path or a URL such as file:/etc/zookeeper/jaas.conf"
	}
	if u.Opaque != "" { // file:jaas.conf
		if path, err = url.PathUnescape(u.Opaque); err != nil {
			path = u.Opaque
		}
		return path, ""
	}
	return u.Path, ""
}

// property is a Java system property: one that was given, one that Java makes of a key of the file, or one
// that the machine has (Options.SystemProperty).
func (l *loader) property(name string) (value string, ok bool) {
	for _, p := range l.opts.Properties {
		if p.Name == name {
			value, ok = p.Value, true
		}
	}
	if key, is := strings.CutPrefix(name, "zookeeper."); is {
		if v, set := l.cfg.Raw[key]; set {
			value, ok = v, true
		}
	}
	if !ok && l.opts.SystemProperty != nil {
		value, ok = l.opts.SystemProperty(name)
	}
	return value, ok
}
