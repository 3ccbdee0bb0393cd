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

// SoakEnv is how many minutes long forms go on.
const SoakEnv = "SOAK_MINUTES"

// Soak is how long a long form goes on; it is skipped where SoakEnv is not set.
func Soak(t testing.TB) time.Duration {
	t.Helper()
	long := Long(t)
	if long == 0 {
		t.Skipf("a long form: switched on by %s=minutes", SoakEnv)
	}
	return long
}

// Long is Soak for a test that also has a short form, which 0 means.
func Long(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv(SoakEnv)
	if text == "" {
		return 0
	}
	minutes, err := strconv.Atoi(text)
	if err != nil || minutes < 1 {
		t.Fatalf("%s: minutes from 1, not %q", SoakEnv, text)
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
