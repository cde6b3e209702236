package failure

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"veil/pipeline"
	"veil/worker/jobs"
)

// exits maps the names of package pipeline's exit codes.
var exits = map[string]int{
	"ExitFailed": pipeline.ExitFailed, "ExitUsage": pipeline.ExitUsage, "ExitHeld": pipeline.ExitHeld,
	"ExitVerify": pipeline.ExitVerify, "ExitUnsupported": pipeline.ExitUnsupported,
}

// pipelineCodes reads the one list of failure codes from the source of package pipeline, with their exit codes.
func pipelineCodes(t *testing.T) map[string]int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "pipeline", "failure.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]int{"internal": pipeline.ExitFailed}
	ast.Inspect(file, func(n ast.Node) bool {
		row, ok := n.(*ast.CompositeLit)
		if !ok || row.Type != nil || len(row.Elts) != 4 {
			return true
		}
		code, ok := row.Elts[1].(*ast.BasicLit)
		exit, ok2 := row.Elts[3].(*ast.Ident)
		if !ok || !ok2 {
			return true
		}
		name, err := strconv.Unquote(code.Value)
		if err != nil {
			t.Fatal(err)
		}
		codes[name] = exits[exit.Name]
		return true
	})
	if len(codes) < 10 {
		t.Fatalf("found only %v", codes)
	}
	return codes
}

func TestFailuresPageTellsEveryCode(t *testing.T) {
	want := pipelineCodes(t)
	for _, code := range []string{Crashed, Exists, Busy, Models, Sandbox, Setup,
		Queue, QueueAccess, Store, StoreAccess, SourceMissing, TooLarge, Stalled, NoPlan, StoreUnsafe, Clock} {
		want[code] = pipeline.ExitFailed
	}
	for _, code := range []string{Conflict, NoJob, Phase, Unanswered, Held, Withdrawn, Destroyed, Rejected, WrongDigest,
		jobs.CodeWorkerDied, jobs.CodeUnreadable} {
		want[code] = texts[code].Exit
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]) \\|").FindAllStringSubmatch(string(page), -1) {
		told[m[1]], _ = strconv.Atoi(m[2])
	}
	for code, exit := range want {
		if got, ok := told[code]; !ok || got != exit {
			t.Errorf("docs/failures.md tells exit %d for %s (told: %t), want %d", got, code, ok, exit)
		}
	}
	for code := range told {
		if _, ok := want[code]; !ok {
			t.Errorf("docs/failures.md tells %s, which nothing gives", code)
		}
	}
}

// TestFailuresPageRanksExits: the page tells the order in which a batch ends.
func TestFailuresPageRanksExits(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, code := range Severity {
		order = append(order, strconv.Itoa(code))
	}
	if want := "4, 1, 5, 2, 3"; strings.Join(order, ", ") != want || !bytes.Contains(page, []byte(want)) {
		t.Errorf("docs/failures.md does not tell the order %v", order)
	}
}
