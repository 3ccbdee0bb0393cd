package crash

import (
	"context"
	"os"
	"testing"

	"zk/compat/harness"
	"zk/conf"
	"zk/server/embed"
)

// TestMain deletes the binary that the tests built.
func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(harness.EnableEnv) != "" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

// checkOffline opens the data of a server that was killed and computes anew what the tree keeps count of.
func checkOffline(t *testing.T, dir string) {
	t.Helper()
	cfg, err := conf.Parse("zoo.cfg", []byte("clientPort=0\ndataDir="+dir+"\nextendedTypesEnabled=true\n"), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := embed.Check(context.Background(), cfg, embed.Deps{}, nil); err != nil {
		t.Fatal(err)
	}
}
