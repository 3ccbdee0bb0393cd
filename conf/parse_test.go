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
	"unicode/utf16"
)

func TestPropertiesSyntax(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Entry
	}{
		{"separators", "a=1\nb: 2\nc 3\nd\t=\t4\ne\f5\nf", []Entry{
			{Key: "a", Value: "1", Line: 1}, {Key: "b", Value: "2", Line: 2}, {Key: "c", Value: "3", Line: 3},
			{Key: "d", Value: "4", Line: 4}, {Key: "e", Value: "5", Line: 5}, {Key: "f", Line: 6},
		}},
		{"only the first separator counts", "server.1=h:1:2;3\na = = b\nc : :d", []Entry{
			{Key: "server.1", Value: "h:1:2;3", Line: 1}, {Key: "a", Value: "= b", Line: 2}, {Key: "c", Value: ":d", Line: 3},
		}},
		{"comments and blank lines", "# x\n  ! y \\\n\n \t\na=1 # not a comment\r\nb=2", []Entry{
			{Key: "a", Value: "1 # not a comment", Line: 5}, {Key: "b", Value: "2", Line: 6},
		}},
		{"line ends", "a=1\rb=2\r\nc=3\n\rd=4", []Entry{
			{Key: "a", Value: "1", Line: 1}, {Key: "b", Value: "2", Line: 2}, {Key: "c", Value: "3", Line: 3}, {Key: "d", Value: "4", Line: 5},
		}},
		{"continued lines", "a=1,\\\n   2,\\\r\n\t3\nb=x\\\\\nc=y\\\n#z\nd=q\\\n\ne=5", []Entry{
			{Key: "a", Value: "1,2,3", Line: 1}, {Key: "b", Value: `x\`, Line: 4}, {Key: "c", Value: "y#z", Line: 5},
			{Key: "d", Value: "q", Line: 7}, {Key: "e", Value: "5", Line: 9},
		}},
		{"escapes", `a\=b\:c\ d=\t|\n|\q|\u0041|\ud83d\ude00` + "\n" + `path=C:\\x`, []Entry{
			{Key: "a=b:c d", Value: "|\n|q|A|\U0001F600", Line: 1}, {Key: "path", Value: `C:\x`, Line: 2},
		}},
		{"trimmed", "a = 1 \t \n b=\\ 2\\ ", []Entry{{Key: "a", Value: "1", Line: 1}, {Key: "b", Value: "2", Line: 2}}},
		{"bytes are ISO-8859-1", "a=\xe9", []Entry{{Key: "a", Value: "é", Line: 1, NonASCII: true}}},
		{"duplicates in order", "a=1\na=2", []Entry{{Key: "a", Value: "1", Line: 1}, {Key: "a", Value: "2", Line: 2}}},
		{"end inside a continuation", "a=1\\", []Entry{{Key: "a", Value: "1", Line: 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseProperties([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestMalformedEscape(t *testing.T) {
	_, err := Parse("zoo.cfg", []byte("clientPort=2181\ndataDir=\\u12g4\n"), Options{ReadFile: noFiles})
	var e *Error
	if !errors.As(err, &e) || e.Line != 2 || e.Key != "dataDir" || e.File != "zoo.cfg" {
		t.Fatalf("got %v", err)
	}
}

// TestPropertiesLikeJava compares with what java.util.Properties made of the same bytes.
func TestPropertiesLikeJava(t *testing.T) {
	golden, err := os.ReadFile("testdata/properties.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(golden)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		cases++
		input, want, _ := strings.Cut(line, "\t")
		text, err := hex.DecodeString(input)
		if err != nil {
			t.Fatal(err)
		}
		if got := entriesInHex(text); got != want {
			t.Errorf("%q\ngot  %s\nwant %s", text, got, want)
		}
	}
	if cases < 300 {
		t.Errorf("only %d cases", cases)
	}
}

func entriesInHex(text []byte) string {
	entries, err := parseProperties(text)
	if err != nil {
		return "ERR"
	}
	values := map[string]string{}
	for _, e := range entries {
		values[e.Key] = e.Value
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, utf16Hex(k)+"="+utf16Hex(values[k]))
	}
	return strings.Join(parts, "\t")
}

func utf16Hex(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04x", u)
	}
	return b.String()
}

// FuzzParse feeds whole files: no panic, an error is one of ours, and what the syntax gives is the same
// when it is written back in plain form.
func FuzzParse(f *testing.F) {
	sample, err := os.ReadFile("zoo.cfg")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte(defaultText))
	f.Add([]byte("dataDir=/d\nserver.1=[::1]:2888:3888:participant;[::]:2181\ngroup.1=1:2\nweight.1=2\nauthProvider.1=x\n"))
	f.Add([]byte("a\\\n b\\u0041 = \\\r\n#c\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("zoo.cfg", text, Options{ReadFile: noFiles})
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error of another kind: %v", err)
		}
		if (c == nil) != (err != nil) {
			t.Fatal("neither or both of a configuration and an error")
		}
		if err != nil && strings.Contains(err.Error(), "\x00") {
			t.Fatalf("a message with control characters: %q", err)
		}
		entries, err := parseProperties(text)
		if err != nil {
			return
		}
		var plain strings.Builder
		for _, e := range entries {
			plain.WriteString(escapeProperty(e.Key) + "=" + escapeProperty(e.Value) + "\n")
		}
		again, err := parseProperties([]byte(plain.String()))
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%d entries became %d: %v", len(entries), len(again), err)
		}
		for i, e := range again {
			if e.Key != entries[i].Key || e.Value != entries[i].Value || e.Line != i+1 {
				t.Fatalf("%+v became %+v", entries[i], e)
			}
		}
	})
}

// escapeProperty writes every UTF-16 unit as \uXXXX.
func escapeProperty(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, u)
	}
	return b.String()
}
