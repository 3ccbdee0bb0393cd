// Package javatext writes numbers and dates the way the Java server prints them in the replies of
// four-letter words. Monitoring agents match those texts with patterns, so "12.0" must not become "12"
// and one ten-thousandth must stay "1.0E-4".
//
// It is a leaf: no state, no imports beyond the standard library, and no rule of ZooKeeper itself.
// Source: Double.toString of the Java language, and java.util.Date.toString.
package javatext

import (
	"math"
	"strconv"
	"time"
)

// AppendDouble appends f as Double.toString prints it: always with a fraction, in plain digits from
// 0.001 up to below ten million and as "digit.digitsEexponent" outside of that.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	size := math.Abs(f)
	if size == 0 || size >= 1e-3 && size < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		return appendFraction(dst, start)
	}
	var text [32]byte
	digits := strconv.AppendFloat(text[:0], f, 'e', -1, 64)
	mark := len(digits) - 1
	for digits[mark] != 'e' {
		mark--
	}
	start := len(dst)
	dst = append(dst, digits[:mark]...)
	dst = appendFraction(dst, start)
	exponent, err := strconv.Atoi(string(digits[mark+1:]))
	if err != nil {
		panic("javatext: exponent of " + string(digits))
	}
	dst = append(dst, 'E')
	return strconv.AppendInt(dst, int64(exponent), 10)
}

// appendFraction adds ".0" to the number that starts at start when it has no fraction yet.
func appendFraction(dst []byte, start int) []byte {
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// Round4 rounds to four decimals, halves away from zero: the precision of every average that the Java
// server shows (AvgMinMaxCounter.getAvg). f must not be negative.
func Round4(f float64) float64 {
	// strconv rounds the exact value, but halves to even. An exact half of a ten-thousandth is an odd
	// number of 32nds.
	if thirtySeconds := f * 32; math.Mod(thirtySeconds, 2) == 1 {
		const tenThousandthsPer32nd = 312.5
		return (thirtySeconds*tenThousandthsPer32nd + 0.5) / 10000
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', 4, 64), 64)
	if err != nil {
		return f // NaN and infinities are read back without error; there is no other text
	}
	return rounded
}

// AppendDate appends t like "Sun Nov 22 13:18:02 UTC 2026", in the zone that t carries.
func AppendDate(dst []byte, t time.Time) []byte {
	return t.AppendFormat(dst, "Mon Jan 02 15:04:05 MST 2006")
}
