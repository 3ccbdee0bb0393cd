package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "zk"

// Modules that only some packages may import, by the start of the import path.
const (
	pebble     = "github.com/cockroachdb/"
	prometheus = "github.com/prometheus/"
	urfave     = "github.com/urfave/cli/v2"
	term       = "golang.org/x/term"
	unix       = "golang.org/x/sys/unix"
	rate       = "golang.org/x/time/rate"
	xsync      = "golang.org/x/sync/"
	jks        = "github.com/pavlo-v-chernykh/keystore-go/"
	pkcs12     = "software.sslmate.com/src/go-pkcs12"
	compress   = "github.com/klauspost/compress/"
	porcupine  = "github.com/anishathalye/porcupine"
)

// layer is a line of the table: what the packages of a folder may import besides the standard library.
type layer struct {
	// folder is the package, or with "/..." everything below a folder.
	folder string
	// may are packages of this module, folders with "/...", or starts of outside import paths.
	may []string
	// pure packages have no goroutine of their own, clock, socket, file, log or random source, so that a
	// run of them can be repeated exactly. What a pure package may use of pureForbidden is in uses.
	pure bool
	uses []string
}

// layers is the table "package: may import". The first line that fits counts. Arrows go one way only, and
// nothing imports compat or cmd but they themselves.
func layers() []layer {
	return []layer{
		{folder: "jute", pure: true},
		{folder: "conf", may: []string{"jute", "quorum/verifier"}},
		{folder: "server/tree", may: []string{"jute"}, pure: true},
		{folder: "server/prep", may: []string{"jute", "server/tree"}, pure: true},
		{folder: "server/watch", may: []string{"jute"}, pure: true, uses: []string{"sync", "sync/atomic"}},
		{folder: "server/session", may: []string{"jute"}, pure: true, uses: []string{"sync", "sync/atomic"}},
		{folder: "server/auth/digestmd5", pure: true},
		{folder: "server/lookout"}, // for long tasks of the stores, too
		{folder: "server/metrics/...", may: []string{"jute", "server/metrics/...", prometheus, unix}},
		{folder: "server/secure/x500", pure: true},
		{folder: "server/secure", may: []string{"conf", jks, pkcs12}},
		{folder: "server/embed", may: []string{
			"jute", "conf", "server/...", "quorum/...", "persistence/...", prometheus, pebble, unix, rate, xsync,
		}},
		{folder: "server/...", may: []string{"jute", "conf", "server/...", unix, rate, xsync}},
		{folder: "quorum/verifier", may: []string{"jute"}, pure: true},
		{folder: "quorum/zab", may: []string{"jute", "quorum/verifier"}, pure: true},
		{folder: "quorum/election", may: []string{"jute", "quorum/verifier"}, pure: true},
		// Its numbers all come from one seed.
		{folder: "quorum/sim", may: []string{"jute", "quorum/verifier", "quorum/election", "quorum/zab"}, pure: true, uses: []string{"math/rand/v2"}},
		{folder: "quorum/...", may: []string{"jute", "conf", "quorum/...", unix, rate, xsync}},
		{folder: "persistence/javafile", may: []string{"jute", "persistence", compress, pebble}}, // vfs
		{folder: "persistence/slowcall", may: []string{"server/lookout", pebble, unix}},
		{folder: "persistence/...", may: []string{"jute", "server/tree", "server/lookout", "persistence/...", pebble, unix, xsync}},
		{folder: "compat/...", may: []string{"jute", "conf", "compat/...", "cmd/internal/client", porcupine, unix, xsync}},
		{folder: "cmd/internal/client", may: []string{"jute"}},
		{folder: "cmd/internal/...", may: []string{"jute", "cmd/internal/...", term, xsync}},
		// figures has the text of the version.
		{folder: "cmd/zk", may: []string{
			"jute", "conf", "server/embed", "server/figures", "server/secure", "persistence/...", "cmd/internal/...", urfave, term, unix, xsync,
		}},
	}
}

// nobody imports these from elsewhere: an arrow from server/... to server/embed would be a circle of
// meaning, if not of imports.
func onlyFrom() map[string][]string {
	return map[string][]string{
		"server/embed": {"cmd", "compat"},
		"cmd":          {"cmd", "compat"},
		"compat":       {"compat"},
	}
}

// pureForbidden are the packages that pure ones must not import.
func pureForbidden() []string {
	return []string{"net", "os", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "sync", "sync/atomic", "context", "os/exec", "net/http"}
}

// testOnly are modules that only test files may import.
func testOnly() []string {
	return []string{"github.com/go-zookeeper/", "github.com/twmb/franz-go", "github.com/cockroachdb/datadriven", "pgregory.net/rapid", "go.uber.org/goleak", porcupine, "testing"}
}

// listed is what "go list -json" tells of a package.
type listed struct {
	Dir, ImportPath, Doc      string
	GoFiles, CgoFiles         []string
	TestGoFiles, XTestGoFiles []string
	Imports                   []string
	TestImports, XTestImports []string
}

// packages lists this module.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,Doc,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", module+"/...")
	cmd.Dir = filepath.Join("..", "..", "..")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// name is a package's path inside the module.
func name(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

func ours(importPath string) bool { return strings.HasPrefix(importPath, module+"/") }

// standard reports if a path is in the standard library, whose first elements have no dot.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !ours(importPath) && importPath != module && !strings.Contains(first, ".")
}

// fits reports if a package is meant by a pattern of the table.
func fits(pattern, pkg string) bool {
	folder, below := strings.CutSuffix(pattern, "/...")
	return pkg == folder || below && strings.HasPrefix(pkg, folder+"/")
}

// below reports if a package is a folder's or lies below it.
func below(folder, pkg string) bool { return fits(folder+"/...", pkg) }

func TestImports(t *testing.T) {
	used := make([]bool, len(layers()))
	for _, p := range packages(t) {
		pkg := name(p.ImportPath)
		i := slices.IndexFunc(layers(), func(l layer) bool { return fits(l.folder, pkg) })
		if i < 0 {
			t.Errorf("%s is not in the table of layers", pkg)
			continue
		}
		used[i] = true
		for _, problem := range wrongImports(layers()[i], pkg, p.Imports) {
			t.Error(problem)
		}
		// Tests may import more, but not against the arrows.
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if why := forbiddenFrom(pkg, imported); why != "" {
				t.Errorf("%s: a test %s", pkg, why)
			}
		}
	}
	for i, l := range layers() {
		if !used[i] && !strings.HasPrefix(l.folder, "quorum/") { // the ensemble is still to come
			t.Errorf("the table's line for %s fits no package", l.folder)
		}
	}
}

// wrongImports tells what a package must not import.
func wrongImports(l layer, pkg string, imports []string) (problems []string) {
	for _, imported := range imports {
		switch {
		case slices.ContainsFunc(testOnly(), func(m string) bool { return strings.HasPrefix(imported, m) }) && !below("compat", pkg):
			problems = append(problems, fmt.Sprintf("%s imports %s, which is for tests", pkg, imported))
		case standard(imported):
			if l.pure && slices.Contains(pureForbidden(), imported) && !slices.Contains(l.uses, imported) {
				problems = append(problems, fmt.Sprintf("%s is pure and imports %s", pkg, imported))
			}
		default:
			if why := forbiddenFrom(pkg, imported); why != "" {
				problems = append(problems, pkg+" "+why)
			} else if !allowed(l, imported) {
				problems = append(problems, fmt.Sprintf("%s must not import %s", pkg, imported))
			}
		}
	}
	return problems
}

func allowed(l layer, imported string) bool {
	return slices.ContainsFunc(l.may, func(m string) bool {
		if ours(imported) {
			return fits(m, name(imported))
		}
		return strings.HasPrefix(imported, m)
	})
}

// forbiddenFrom tells why a package must not be imported from another folder; "" when it may.
func forbiddenFrom(pkg, imported string) string {
	if !ours(imported) {
		return ""
	}
	for folder, from := range onlyFrom() {
		if below(folder, name(imported)) && !below(folder, pkg) &&
			!slices.ContainsFunc(from, func(f string) bool { return below(f, pkg) }) {
			return "imports " + imported + ", which only " + strings.Join(from, ", ") + " may"
		}
	}
	return ""
}

func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles)+len(p.CgoFiles) > 0 {
			if p.Doc == "" {
				t.Errorf("%s has no package comment", name(p.ImportPath))
			}
			continue
		}
		// go list gives no Doc for packages of tests alone.
		if !testDoc(t, p) {
			t.Errorf("%s has no package comment in its tests", name(p.ImportPath))
		}
	}
}

// testDoc looks for a package comment in test files.
func testDoc(t *testing.T, p listed) bool {
	return slices.ContainsFunc(slices.Concat(p.TestGoFiles, p.XTestGoFiles), func(file string) bool {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		return f.Doc != nil
	})
}

// TestCalls looks for calls that belong elsewhere: the environment is read in cmd, the clock is not read in
// pure packages, no package has an init function.
func TestCalls(t *testing.T) {
	for _, p := range packages(t) {
		pkg := name(p.ImportPath)
		i := slices.IndexFunc(layers(), func(l layer) bool { return fits(l.folder, pkg) })
		pure := i >= 0 && layers()[i].pure
		// Suites under compat are switched on by the environment.
		environment := below("cmd", pkg) || below("compat", pkg)
		for _, file := range p.GoFiles {
			for _, problem := range wrongCalls(t, filepath.Join(p.Dir, file), pure, environment) {
				t.Errorf("%s/%s", pkg, problem)
			}
		}
	}
}

// wrongCalls lists a file's calls that must not be, with their lines.
func wrongCalls(t *testing.T, path string, pure, environment bool) (problems []string) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	report := func(at token.Pos, what string) {
		problems = append(problems, fmt.Sprintf("%s:%d: %s", filepath.Base(path), files.Position(at).Line, what))
	}
	imports := importNames(f)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				report(n.Pos(), "an init function")
			}
		case *ast.GoStmt:
			if pure {
				report(n.Pos(), "a goroutine in a pure package")
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			call := imports[x.Name] + "." + n.Sel.Name
			switch call {
			case "os.Getenv", "os.LookupEnv", "os.Environ":
				if !environment {
					report(n.Pos(), call+" outside cmd")
				}
			case "time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.NewTimer", "time.NewTicker", "time.AfterFunc":
				if pure {
					report(n.Pos(), call+" in a pure package")
				}
			}
		}
		return true
	})
	return problems
}

// importNames maps the names a file uses for packages to their paths.
func importNames(f *ast.File) map[string]string {
	names := make(map[string]string)
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		short := path[strings.LastIndexByte(path, '/')+1:]
		if i.Name != nil {
			short = i.Name.Name
		}
		names[short] = path
	}
	return names
}

// TestTheLint shows that the checks above find what they look for.
func TestTheLint(t *testing.T) {
	line := layer{folder: "server/watch", may: []string{"jute"}, pure: true, uses: []string{"sync", "sync/atomic"}}
	problems := wrongImports(line, "server/watch", []string{
		"zk/jute", "sync", "fmt", // these are right
		"os", "zk/persistence", "github.com/prometheus/client_golang/prometheus", "zk/server/embed", "zk/cmd/zk",
		"zk/compat/harness", "github.com/go-zookeeper/zk",
	})
	if len(problems) != 7 {
		t.Errorf("%d problems found, want 7: %q", len(problems), problems)
	}
	path := filepath.Join(t.TempDir(), "x.go")
	text := "package x\nimport (\"os\"; clock \"time\")\nvar _ = os.Getenv(\"X\")\nvar _ = clock.Now()\nfunc init() { go f() }\nfunc f() {}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if problems := wrongCalls(t, path, true, false); len(problems) != 4 {
		t.Errorf("%d problems found, want 4: %q", len(problems), problems)
	}
	if problems := wrongCalls(t, path, false, true); len(problems) != 1 {
		t.Errorf("%d problems found, want the init function alone: %q", len(problems), problems)
	}
}
