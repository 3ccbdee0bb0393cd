package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
)

const jaasServer = `Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_super="adm" user_bob="${pw}"; };
Other { org.apache.zookeeper.server.auth.DigestLoginModule required user_eve=x; org.apache.zookeeper.server.auth.DigestLoginModule optional user_joe=y debug=true; };
Kerberos { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true; };
Plain { org.apache.kafka.common.security.plain.PlainLoginModule required; };
Empty { };
`

// parseSASL reads settings beside a few files.
func parseSASL(lines string, props ...Property) (*Config, error) {
	files := map[string]string{
		"/jaas.conf": jaasServer, "/bad.conf": "Server {\n oops", "/a b.conf": jaasServer, "jaas.conf": jaasServer,
		"/home/u/.java.login.config": jaasServer, "/home/bad/.java.login.config": "{",
	}
	system := map[string]string{"user.home": "/home/none", "pw": "secret", "dir": "/"}
	for _, p := range props {
		system[p.Name] = p.Value
	}
	return Parse("zoo.cfg", []byte(base+lines), Options{
		Properties:     props,
		SystemProperty: func(name string) (string, bool) { v, ok := system[name]; return v, ok },
		ReadFile: func(name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
	})
}

func TestSASL(t *testing.T) {
	const file = "java.security.auth.login.config"
	const provider = "authProvider.1=" + classSASL + "\n"
	d := func(name, value string) Property { return Property{name, value, commandLine} }
	for name, c := range map[string]struct {
		lines   string
		props   []Property
		users   string // "" when SASL is off
		warning string
	}{
		"off":                     {},
		"on":                      {provider, []Property{d(file, "/jaas.conf")}, "map[bob:secret super:adm]", ""},
		"without the scheme":      {"", []Property{d(file, "/jaas.conf")}, "map[bob:secret super:adm]", "can't stand in ACLs"},
		"in the file":             {provider + file + "=/jaas.conf\n", nil, "map[bob:secret super:adm]", ""},
		"-D==":                    {provider, []Property{d(file, "=/jaas.conf")}, "map[bob:secret super:adm]", ""},
		"expanded":                {provider, []Property{d(file, "${dir}jaas.conf")}, "map[bob:secret super:adm]", ""},
		"URL":                     {provider, []Property{d(file, "file:/jaas.conf")}, "map[bob:secret super:adm]", ""},
		"URL, three slashes":      {provider, []Property{d(file, "file:///a%20b.conf")}, "map[bob:secret super:adm]", ""},
		"URL, relative":           {provider, []Property{d(file, "FILE:jaas.conf")}, "map[bob:secret super:adm]", ""},
		"another section":         {provider + "sasl.serverconfig=Other\n", []Property{d(file, "/jaas.conf")}, "map[eve:x joe:y]", ""},
		"by property":             {provider, []Property{d(file, "/jaas.conf"), d("zookeeper.sasl.serverconfig", "Other")}, "map[eve:x joe:y]", ""},
		"no such section":         {provider + "sasl.serverconfig=server\n", []Property{d(file, "/jaas.conf")}, "", "no section server"},
		"no module":               {provider + "sasl.serverconfig=Empty\n", []Property{d(file, "/jaas.conf")}, "", "no section Empty"},
		"a section, no file":      {provider + "sasl.serverconfig=Other\n", nil, "", "no section Other"},
		"super's password":        {provider, []Property{d(file, "/jaas.conf"), d("zookeeper.SASLAuthenticationProvider.superPassword", "boss")}, "map[bob:secret super:boss]", ""},
		"super, who isn't":        {provider + "sasl.serverconfig=Other\nSASLAuthenticationProvider.superPassword=boss\n", []Property{d(file, "/jaas.conf")}, "map[eve:x joe:y]", ""},
		"given and the machine's": {provider, []Property{d("pw", "later"), d(file, "/jaas.conf")}, "map[bob:later super:adm]", ""},
		"home":                    {provider, []Property{d("user.home", "/home/u")}, "map[bob:secret super:adm]", ""},
		"home, bad":               {provider, []Property{d("user.home", "/home/bad")}, "", "passed over"},
	} {
		cfg, err := parseSASL(c.lines, c.props...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if users := fmt.Sprint(map[string]string(cfg.SASL.Users)); cfg.SASL.Enabled != (c.users != "") || cfg.SASL.Enabled && users != c.users {
			t.Errorf("%s: %v %s", name, cfg.SASL.Enabled, users)
		}
		if got := fmt.Sprint(cfg.Warnings); (len(cfg.Warnings) > 0) != (c.warning != "") || !strings.Contains(got, c.warning) {
			t.Errorf("%s: warnings %s", name, got)
		}
		for _, shown := range []string{fmt.Sprintf("%v %+v %#v", *cfg, *cfg, *cfg), fmt.Sprint(cfg.Notes)} {
			for password := range maps.Values(cfg.SASL.Users) {
				if len(password) > 1 && strings.Contains(strings.ReplaceAll(shown, classSASL, ""), password) {
					t.Errorf("%s: password %s is shown", name, password)
				}
			}
		}
	}
	c, err := parseSASL(provider+"superUser=a\nsuperUser.2=b\nsuperUser.x=c\nletAnySaslUserDoX=any\nallowSaslFailedClients=true\nsessionRequireClientSASLAuth=true\nenforce.auth.schemes=ip\n",
		d(file, "/jaas.conf"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(c.SASL.SuperUsers)
	if !slices.Equal(c.SASL.SuperUsers, []string{"a", "b", "c"}) || c.SASL.AnyUser != "any" || !c.AllowSaslFailedClients ||
		!c.EnforceAuthEnabled || !slices.Equal(c.EnforceAuthSchemes, []string{"sasl"}) {
		t.Errorf("%+v %v %v", c.SASL, c.EnforceAuthEnabled, c.EnforceAuthSchemes)
	}
}

func TestSASLErrors(t *testing.T) {
	const file = "java.security.auth.login.config"
	for _, c := range []struct {
		lines, value, place string
		line                int
		want                string
	}{
		{"", "/none.conf", "/none.conf", 0, "can't be read"},
		{"", "/bad.conf", "/bad.conf", 2, "required, requisite"},
		{"", "${nosuch}/jaas.conf", "command line", 0, "needs the property nosuch"},
		{"", "http://example.com/jaas.conf", "command line", 0, "a file of this machine"},
		{"", "file:", "command line", 0, "a path or a URL"},
		{"sasl.serverconfig=Kerberos\n", "/jaas.conf", "/jaas.conf", 3, "Kerberos is not supported"},
		{"sasl.serverconfig=Plain\n", "/jaas.conf", "/jaas.conf", 4, "the only login module"},
		{"sessionRequireClientSASLAuth=true\n", "/jaas.conf", "zoo.cfg", 3, "needs the scheme sasl"},
	} {
		_, err := parseSASL(c.lines, Property{file, c.value, commandLine})
		var e *Error
		if !errors.As(err, &e) || e.File != c.place || e.Line != c.line || !strings.Contains(e.Want, c.want) {
			t.Errorf("%s %s: %v", c.lines, c.value, err)
		}
	}
	// The default file counts only for who asked for a section.
	if _, err := parseSASL("sasl.serverconfig=Server\n", Property{"user.home", "/home/bad", commandLine}); err == nil {
		t.Error("a bad default file and a section asked for")
	}
}
