package admin

import (
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"zk/server/metrics/javatext"
)

// chunkBytes is how much text is gathered before it is handed on.
const chunkBytes = 32 << 10

// jsonWriter writes JSON in the layout of Java's (Jackson's default pretty printer): a member a line,
// two blanks deeper for each object around it, " : " between name and value, arrays on one line with
// blanks inside their brackets. It is driven by one goroutine; after the first failed write it swallows
// the rest.
type jsonWriter struct {
	out   io.Writer
	buf   []byte
	depth int  // objects around the place
	empty bool // nothing was written yet into the innermost object or array
	err   error
}

// object writes an object with the members that fill writes.
func (j *jsonWriter) object(fill func()) {
	j.buf = append(j.buf, '{')
	j.depth++
	j.empty = true
	fill()
	j.depth--
	if j.empty {
		j.buf = append(j.buf, " }"...)
	} else {
		j.newline()
		j.buf = append(j.buf, '}')
	}
	j.empty = false
}

// array writes an array with the elements that fill writes, each after a call of item.
func (j *jsonWriter) array(fill func()) {
	j.buf = append(j.buf, '[')
	j.empty = true
	fill()
	j.buf = append(j.buf, " ]"...)
	j.empty = false
}

// member begins a member of the innermost object.
func (j *jsonWriter) member(name string) {
	if !j.empty {
		j.buf = append(j.buf, ',')
	}
	j.empty = false
	j.handOn()
	j.newline()
	j.text(name)
	j.buf = append(j.buf, " : "...)
}

// item begins an element of the innermost array.
func (j *jsonWriter) item() {
	if !j.empty {
		j.buf = append(j.buf, ',')
	}
	j.empty = false
	j.handOn()
	j.buf = append(j.buf, ' ')
}

func (j *jsonWriter) newline() {
	j.buf = append(j.buf, '\n')
	for range j.depth {
		j.buf = append(j.buf, "  "...)
	}
}

func (j *jsonWriter) integer(v int64) { j.buf = strconv.AppendInt(j.buf, v, 10) }
func (j *jsonWriter) null()           { j.buf = append(j.buf, "null"...) }
func (j *jsonWriter) boolean(v bool)  { j.buf = strconv.AppendBool(j.buf, v) }

// double writes what Java prints; what is no number in JSON becomes text.
func (j *jsonWriter) double(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		j.text(string(javatext.AppendDouble(nil, v)))
		return
	}
	j.buf = javatext.AppendDouble(j.buf, v)
}

// text writes a string. Letters beyond ASCII stay as they are; what is no UTF-8 becomes U+FFFD.
func (j *jsonWriter) text(s string) {
	const hex = "0123456789ABCDEF"
	j.buf = append(j.buf, '"')
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			switch i++; {
			case c == '"' || c == '\\':
				j.buf = append(j.buf, '\\', c)
			case c >= ' ':
				j.buf = append(j.buf, c)
			case c == '\n':
				j.buf = append(j.buf, `\n`...)
			case c == '\r':
				j.buf = append(j.buf, `\r`...)
			case c == '\t':
				j.buf = append(j.buf, `\t`...)
			case c == '\b':
				j.buf = append(j.buf, `\b`...)
			case c == '\f':
				j.buf = append(j.buf, `\f`...)
			default:
				j.buf = append(j.buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		j.buf = utf8.AppendRune(j.buf, r)
		i += n
	}
	j.buf = append(j.buf, '"')
}

// The members of the innermost object by their types.

func (j *jsonWriter) putText(name, v string)           { j.member(name); j.text(v) }
func (j *jsonWriter) putInteger(name string, v int64)  { j.member(name); j.integer(v) }
func (j *jsonWriter) putBoolean(name string, v bool)   { j.member(name); j.boolean(v) }
func (j *jsonWriter) putDouble(name string, v float64) { j.member(name); j.double(v) }

func (j *jsonWriter) putObject(name string, fill func()) { j.member(name); j.object(fill) }
func (j *jsonWriter) putArray(name string, fill func())  { j.member(name); j.array(fill) }

// memberInteger begins a member whose name is a number.
func (j *jsonWriter) memberInteger(v int64) { j.member(strconv.FormatInt(v, 10)) }

// handOn hands a full chunk over.
func (j *jsonWriter) handOn() {
	if len(j.buf) >= chunkBytes {
		j.flush()
	}
}

func (j *jsonWriter) flush() {
	if j.err == nil && len(j.buf) > 0 {
		_, j.err = j.out.Write(j.buf)
	}
	j.buf = j.buf[:0]
}
