package x500

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// recorded are the answers of Java 17 in testdata: "D der name" of X500Principal(byte[]).getName(), "V text true"
// of whether X500Principal(String) takes it; DER, names and texts in hexadecimal.
func recorded(t testing.TB) (lines [][]string) {
	packed, err := os.ReadFile("testdata/java.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(r); s.Scan(); {
		lines = append(lines, strings.Split(s.Text(), " "))
	}
	if len(lines) < 1000 {
		t.Fatalf("%d lines", len(lines))
	}
	return lines
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestJavaNames(t *testing.T) {
	wrong := 0
	for _, line := range recorded(t) {
		if wrong > 20 {
			t.Fatal("and so on")
		}
		in := unhex(t, line[1])
		switch line[0] {
		case "D":
			if got, err := Name(in); err != nil || got != string(unhex(t, line[2])) {
				wrong++
				t.Errorf("%s: %q, %v, want %q", line[1], got, err, unhex(t, line[2]))
			}
		case "V":
			if got := Valid(string(in)); strconv.FormatBool(got) != line[2] {
				wrong++
				t.Errorf("%q: %v, want %s", in, got, line[2])
			}
		}
	}
}
