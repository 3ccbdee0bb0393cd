package conf

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeHasTheKeys keeps the README's table equal to the one the code has.
func TestReadmeHasTheKeys(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), strings.TrimSpace(Markdown())) {
		t.Fatal("README.md has another table of keys than conf.Markdown(); put that one in")
	}
}
