package main

import (
	"errors"
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	pass := `{"Action":"pass","Package":"p","Test":"A"}` + "\n"
	skip := `{"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:1: no footage\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"B"}` + "\n"
	fail := `{"Action":"output","Package":"p","Test":"C","Output":"boom\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"C"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n"
	crash := `{"Action":"output","Package":"q","Test":"D","Output":"=== RUN D\n"}` + "\n" + `{"Action":"fail","Package":"q"}` + "\n"
	for _, c := range []struct {
		name, in string
		strict   bool
		err      error
		exit     int
		closing  string
	}{
		{"passes", pass, true, nil, 0, "1 passed, 0 failed"},
		{"a skip on a laptop", pass + skip, false, nil, 0, "1 passed, 0 failed, 1 skipped"},
		{"a skip in CI", pass + skip, true, nil, 1, "1 passed, 1 failed"},
		{"a failure counts once", pass + fail, false, errors.New("exit status 1"), 1, "1 passed, 1 failed"},
		{"a crash", pass + crash, false, errors.New("exit status 1"), 1, "1 passed, 1 failed"},
		{"nothing ran", "", false, nil, 1, "0 passed, 1 failed"},
		{"go test died", pass, false, errors.New("signal: killed"), 1, "1 passed, 1 failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			ty := newTally(&out, c.strict)
			if err := ty.read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			exit := ty.close(c.err)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; exit != c.exit || last != c.closing {
				t.Errorf("exit %d, closing %q; want %d, %q\n%s", exit, last, c.exit, c.closing, out.String())
			}
		})
	}
}

func TestSkipSaysWhy(t *testing.T) {
	var out strings.Builder
	ty := newTally(&out, false)
	in := `{"Action":"output","Package":"p","Test":"B","Output":"=== RUN   B\n"}
{"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:1: no footage\n"}
{"Action":"skip","Package":"p","Test":"B"}
`
	if err := ty.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	ty.close(nil)
	if want := "skipped: p B (b_test.go:1: no footage)"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}
