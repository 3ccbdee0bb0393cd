package control

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// SeedEnv names the seed with which a long form is to begin and end, to see again what it has found.
const SeedEnv = "ZK_COMPAT_SEED"

// Soak is how long a long form goes on (SOAK_MINUTES); it is skipped where that is not set.
func Soak(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK_MINUTES")
	if text == "" {
		t.Skip("a long form: switched on by SOAK_MINUTES=minutes")
	}
	minutes, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal("SOAK_MINUTES:", err)
	}
	return time.Duration(minutes) * time.Minute
}

// Seeds runs a long form with new seeds, which it names, for SOAK_MINUTES or until one fails; with that of
// ZK_COMPAT_SEED once.
func Seeds(t *testing.T, run func(t *testing.T, seed uint64)) {
	t.Helper()
	end := time.Now().Add(Soak(t))
	seed, once := uint64(time.Now().UnixNano()), false
	if text := os.Getenv(SeedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(SeedEnv, ":", err)
		}
		once = true
	}
	for ; time.Now().Before(end) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("again: %s=%d", SeedEnv, seed)
			run(t, seed)
		})
		if once {
			return
		}
	}
}
