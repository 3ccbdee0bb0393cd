package javatext

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// The texts were printed by Java 17's Double.toString.
func TestAppendDouble(t *testing.T) {
	for text, f := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "1.0": 1, "12.0": 12, "0.9598": 0.9598, "1.6886": 1.6886,
		"47778.0": 47778, "9999999.0": 9999999, "1.0E7": 1e7, "1.2345678E7": 12345678,
		"0.001": 0.001, "9.0E-4": 0.0009, "1.0E-4": 0.0001, "1.7E-5": 0.000017, "6.1809368E7": 61809368,
		"2.68435456E8": 268435456, "-1.0": -1, "-1.5E10": -1.5e10, "1.0E100": 1e100,
		"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1),
	} {
		if got := string(AppendDouble([]byte("x"), f)); got != "x"+text {
			t.Errorf("%g: got %q, want %q", f, got, "x"+text)
		}
	}
}

// TestRound4 compares with exact decimal arithmetic.
func TestRound4(t *testing.T) {
	check := func(f float64) {
		t.Helper()
		exact := new(big.Rat).SetFloat64(f)
		exact.Mul(exact, big.NewRat(10000, 1)).Add(exact, big.NewRat(1, 2))
		whole := new(big.Int).Quo(exact.Num(), exact.Denom())
		want, _ := new(big.Rat).SetFrac(whole, big.NewInt(10000)).Float64()
		if got := Round4(f); got != want {
			t.Errorf("%v: got %v, want %v", f, got, want)
		}
	}
	for i := range 2000 {
		check(float64(i) / 32) // the halves are among these
		check(float64(i) / 64)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		check(float64(r.Int64N(1<<r.IntN(50)+1)) / float64(1+r.Int64N(1<<20)))
	}
}

func TestAppendDate(t *testing.T) {
	at := time.Date(2026, 11, 2, 3, 8, 2, 999e6, time.UTC)
	if got := string(AppendDate(nil, at)); got != "Mon Nov 02 03:08:02 UTC 2026" {
		t.Error(got)
	}
	if got := string(AppendDate(nil, at.In(time.FixedZone("CET", 3600)))); got != "Mon Nov 02 04:08:02 CET 2026" {
		t.Error(got)
	}
}
