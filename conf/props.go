package conf

import "strings"

// Property is a Java system property, as -Dname=value sets it.
type Property struct {
	Name   string
	Value  string
	Source string // where it was written, for messages: "SERVER_JVMFLAGS", "command line"
}

// ParseArgs takes the options of a java command line out of a program's arguments: -Dname=value
// becomes a property (-Dname one with an empty value), -X... and module options are dropped, the rest
// is returned in its order. Everything after "--" is left alone.
func ParseArgs(args []string) (props []Property, rest []string) {
	for i, a := range args {
		switch {
		case a == "--":
			return props, append(rest, args[i:]...)
		case strings.HasPrefix(a, "-D") && len(a) > 2:
			props = append(props, parseProperty(a, commandLine))
		case isJVMOption(a):
		default:
			rest = append(rest, a)
		}
	}
	return props, rest
}

// ParseFlags takes the properties out of the value of SERVER_JVMFLAGS or JVMFLAGS; source names it in
// messages. The value is cut at white space and nothing else, as zkServer.sh lets the shell do with an
// unquoted variable. Whatever is not -D is meant for a JVM and dropped.
func ParseFlags(flags, source string) []Property {
	var props []Property
	for word := range strings.FieldsSeq(flags) {
		if strings.HasPrefix(word, "-D") && len(word) > 2 {
			props = append(props, parseProperty(word, source))
		}
	}
	return props
}

func parseProperty(word, source string) Property {
	name, value, _ := strings.Cut(word[len("-D"):], "=")
	return Property{Name: name, Value: value, Source: source}
}

func isJVMOption(a string) bool {
	for _, prefix := range []string{"-X", "-javaagent:", "-agentlib:", "-agentpath:", "--add-opens=", "--add-exports=", "--add-modules=", "--add-reads="} {
		if strings.HasPrefix(a, prefix) {
			return true
		}
	}
	return false
}
