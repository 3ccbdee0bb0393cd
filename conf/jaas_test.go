package conf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// jaasProperties are the properties that are set in the tests below, and where testdata/jaas.txt was made.
func jaasProperties(name string) (string, bool) {
	value, ok := map[string]string{"a.b": `value$\`, "empty": ""}[name]
	return value, ok
}

func TestJAAS(t *testing.T) {
	text := `/* users of this
   ensemble */
Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_super="adm\"in" // behind it
  "user_a b"='' ;
};`
	_, err := ParseJAAS([]byte(text), jaasProperties)
	wantJAASError(t, err, 6, `value of option user_a b`)
	text = strings.Replace(text, "''", `"${a.b}${/}"`, 1)
	got, err := ParseJAAS([]byte(text), jaasProperties)
	if err != nil {
		t.Fatal(err)
	}
	want := LoginModule{
		Class: "org.apache.zookeeper.server.auth.DigestLoginModule", Flag: "REQUIRED", Line: 4,
		Options: map[string]string{"user_super": `adm"in`, "user_a b": `value$\/`},
	}
	if len(got) != 1 || len(got["Server"]) != 1 || fmt.Sprint(got["Server"][0]) != fmt.Sprint(want) {
		t.Errorf("%+v", got)
	}
}

func TestJAASErrors(t *testing.T) {
	for text, want := range map[string]string{
		"A {":                               "class of a module",
		"A\n{ m required; }":                `';' is missing`,
		"A { m maybe; };":                   "required, requisite",
		"A { m required x 1; };":            `'=' is missing`,
		"A { m required x=1; };":            "value of option x",
		"A { m required x=\"${no}\"; };":    "needs the property no",
		"A { m required x=\"${empty}\"; };": "comes to nothing",
		"A { }; A { };":                     "section A is there twice",
		"A m":                               `'{' is missing`,
	} {
		_, err := ParseJAAS([]byte(text), jaasProperties)
		wantJAASError(t, err, 1+strings.Count(strings.TrimRight(text, " };m"), "\n"), want)
	}
	_, err := ParseJAAS([]byte("A { m required user_bob=hunter2 user_eve=\"hunter2\" 5; };"), jaasProperties)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password in a message: %v", err)
	}
}

func wantJAASError(t *testing.T, err error, line int, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Line != line || !strings.Contains(e.Want, want) {
		t.Errorf("got %v, want line %d, %q", err, line, want)
	}
}

// TestJAASAsJava reads texts that the JDK has read (compat/java/record/Jaas.java).
func TestJAASAsJava(t *testing.T) {
	data, err := os.ReadFile("testdata/jaas.txt")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(data)) {
		text, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := jaasOutcome(raw); got != want {
			t.Errorf("%q\n got %s\nJava %s", raw, got, want)
		}
		counts[strings.Fields(want)[0]]++
	}
	if counts["ok"] == 0 || counts["error"] == 0 {
		t.Errorf("compared %v", counts)
	}
}

// jaasOutcome is what Jaas.java prints of a text.
func jaasOutcome(text []byte) string {
	sections, err := ParseJAAS(text, jaasProperties)
	if err != nil {
		return "error"
	}
	out := "ok"
	for _, name := range []string{"A", "B", "Server", "x-y", "a b", "$_*", "ü", "", "a.b"} {
		if len(sections[name]) == 0 {
			continue // for Java the same as a section that is not there
		}
		out += fmt.Sprintf(" %x{", name)
		for _, m := range sections[name] {
			out += fmt.Sprintf("%x,%s", m.Class, strings.ToLower(m.Flag))
			for _, key := range slices.Sorted(maps.Keys(m.Options)) {
				out += fmt.Sprintf(",%x=%x", key, m.Options[key])
			}
			out += ";"
		}
		out += "}"
	}
	return out
}

// FuzzJAAS: any text is read without a panic, and what comes out was in it.
func FuzzJAAS(f *testing.F) {
	f.Add([]byte("A { m required x=\"${a.b}\" y=z; n optional; }; // c\n/* d */ 'B' { };"), "")
	f.Add([]byte("A{m required \"\\101\\\n"), "\"\\\n")
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		sections, err := ParseJAAS(text, jaasProperties)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Want == "") {
			t.Fatalf("%v", err)
		}
		if err == nil && len(sections) > len(text) {
			t.Fatal("more sections than bytes")
		}
		if strings.Contains(value, "${") || strings.ToValidUTF8(value, "") != value {
			return
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(value)
		sections, err = ParseJAAS([]byte(`S { m required x="`+quoted+`"; };`), jaasProperties)
		if err != nil || sections["S"][0].Options["x"] != value {
			t.Fatalf("%q became %+v, %v", value, sections, err)
		}
	})
}
