package conf

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse turns a written value into what store takes: int64 (in the row's unit), float64, bool, string
// or []string. problem is what Config.Warnings should say about a value that is taken; bad says that
// the value can't be taken at all.
func (k *key) parse(value string) (v any, problem string, bad bool) {
	switch k.kind {
	case kindInt:
		n, err := strconv.ParseInt(value, 10, 32)
		return k.number(n, err)
	case kindPropInt:
		n, err := decodeInt(value)
		if err == nil && n != int64(int32(n)) && k.max <= maxInt32 {
			err = strconv.ErrRange
		}
		return k.number(n, err)
	case kindSize:
		n, err := parseSize(value)
		return k.number(n, err)
	case kindHex:
		n, err := strconv.ParseInt(value, 16, 64)
		return n, "", err != nil
	case kindFloat:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, "", true
		}
		v, problem, bad = k.within(f)
		return v, problem, bad
	case kindBool:
		return strings.EqualFold(value, "true"), "", !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false")
	case kindProp:
		on := strings.EqualFold(value, "true")
		if !on && !strings.EqualFold(value, "false") {
			problem = "is neither true nor false, and counts as false, as in Java"
		}
		return on, problem, false
	case kindYes, kindTrue:
		off, on := "no", "yes"
		if k.kind == kindTrue {
			off, on = "false", "true"
		}
		if value != on && value != off {
			problem = fmt.Sprintf("is neither %s nor %s, and counts as %s, as in Java", on, off, on)
		}
		return value != off, problem, false
	case kindNo:
		if value != "yes" && value != "no" {
			problem = "is neither yes nor no, and counts as no, as in Java"
		}
		return value == "yes", problem, false
	case kindSwitch:
		return strings.EqualFold(value, "on"), "", !strings.EqualFold(value, "on") && !strings.EqualFold(value, "off")
	case kindList:
		return splitList(value), "", false
	case kindChoice:
		if i := slices.IndexFunc(k.choices, func(c string) bool { return strings.EqualFold(c, value) }); i >= 0 {
			return k.choices[i], "", false
		}
		if k.outside == isError {
			return nil, "", true
		}
		return k.def, fmt.Sprintf("%s; %s is used, as in Java", k.want(), k.defaultText()), false
	case kindHost:
		host, ok := parseHost(value)
		return host, "", !ok
	case kindPath:
		return value, "", value == "" || strings.ContainsRune(value, 0)
	default:
		return value, "", false
	}
}

// number checks a whole number against the row's bounds.
func (k *key) number(n int64, err error) (any, string, bool) {
	if err != nil {
		return nil, "", true
	}
	v, problem, bad := k.within(float64(n))
	if bad || problem == "" {
		return n, "", bad
	}
	return int64(v), problem, false
}

// within applies the row's bounds: a number outside is an error, or replaced with a warning.
func (k *key) within(f float64) (v float64, problem string, bad bool) {
	low, high, _ := k.bounded()
	if f >= low && f <= high {
		return f, "", false
	}
	switch k.outside {
	case toBound:
		v = min(max(f, low), high)
	case toDefault:
		v, _ = strconv.ParseFloat(k.def, 64)
	default:
		return 0, "", true
	}
	return v, fmt.Sprintf("%s; %s is used, as in Java", k.want(), strconv.FormatFloat(v, 'f', -1, 64)), false
}

// store puts what parse returned into the field.
func (k *key) store(c *Config, v any) {
	if k.field == nil {
		return
	}
	switch p := k.field(c).(type) {
	case *int:
		*p = int(v.(int64))
	case *int64:
		*p = v.(int64)
		if k.unit == "KiB" && *p > 0 {
			*p *= 1024
		}
	case *time.Duration:
		*p = time.Duration(v.(int64)) * k.scale()
	case *float64:
		*p = v.(float64)
	case *bool:
		*p = v.(bool)
	case *string:
		*p = v.(string)
	case *[]string:
		*p = v.([]string)
	default:
		panic(fmt.Sprintf("conf: key %s has a field of type %T", k.name, p))
	}
}

// scale is the length of the row's unit of time.
func (k *key) scale() time.Duration {
	switch k.unit {
	case "ms":
		return time.Millisecond
	case "s":
		return time.Second
	case "h":
		return time.Hour
	}
	panic(fmt.Sprintf("conf: key %s has unit %q, which is no time", k.name, k.unit))
}

// storeDefault puts the row's default into the field. A default may lie outside the bounds when it
// stands for "computed later".
func (k *key) storeDefault(c *Config) {
	if k.def == "" || k.field == nil {
		return
	}
	plain := *k
	plain.min, plain.max = 0, 0
	v, problem, bad := plain.parse(k.def)
	if bad || problem != "" {
		panic(fmt.Sprintf("conf: default %q of key %s is not valid", k.def, k.name))
	}
	k.store(c, v)
}

// want says what a value of the row must be.
func (k *key) want() string {
	switch k.kind {
	case kindInt, kindPropInt, kindSize:
		s := "must be a whole number"
		switch k.unit {
		case "":
		case "ms":
			s += " of milliseconds"
		case "h":
			s += " of hours"
		default:
			s += " of " + k.unit
		}
		if k.kind == kindSize {
			s += ", with k, m or g behind it if you like,"
		}
		if low, high, ok := k.bounded(); ok && low == high {
			s = "must be " + formatNumber(low)
		} else if ok {
			s += " from " + formatNumber(low) + " to " + formatNumber(high)
		}
		return s
	case kindFloat:
		low, high, _ := k.bounded()
		if low < -1 {
			return "must be a number up to " + formatNumber(high)
		}
		return "must be a number from " + formatNumber(low) + " to " + formatNumber(high)
	case kindHex:
		return "must be a hexadecimal number"
	case kindBool, kindProp, kindTrue:
		return "must be true or false"
	case kindYes, kindNo:
		return "must be yes or no"
	case kindSwitch:
		return "must be on or off"
	case kindChoice:
		named := slices.DeleteFunc(slices.Clone(k.choices), func(c string) bool { return c == "" })
		return "must be " + orList(named)
	case kindHost:
		return "must be an IP address or host name without a port"
	case kindPath:
		return "must be a path"
	}
	return "must be text"
}

// defaultText is the default as it is printed.
func (k *key) defaultText() string {
	if k.defText != "" {
		return k.defText
	}
	return k.def
}

func formatNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// orList writes "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// decodeInt reads a number as Java's Integer.decode and Long.decode do: 0x, 0X and # before
// hexadecimal digits, 0 before octal ones.
func decodeInt(s string) (int64, error) {
	sign, digits := "", s
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		sign, digits = s[:1], s[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0X"):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(digits, "#"):
		base, digits = 16, digits[1:]
	case strings.HasPrefix(digits, "0") && len(digits) > 1:
		base, digits = 8, digits[1:]
	}
	if strings.HasPrefix(digits, "-") || strings.HasPrefix(digits, "+") {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(sign+digits, base, 64)
}

// parseSize reads a number of bytes with an optional suffix k, m or g (1024, 1024^2, 1024^3).
func parseSize(s string) (int64, error) {
	shift := 0
	if len(s) > 0 {
		switch s[len(s)-1] | 0x20 {
		case 'k':
			shift = 10
		case 'm':
			shift = 20
		case 'g':
			shift = 30
		}
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n > math.MaxInt64>>shift || n < 0) {
		err = strconv.ErrRange
	}
	return n << shift, err
}

// splitList cuts at commas, trims each part and drops the empty ones. An empty list is nil.
func splitList(s string) []string {
	var parts []string
	for p := range strings.SplitSeq(s, ",") {
		if p = trimJava(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}
