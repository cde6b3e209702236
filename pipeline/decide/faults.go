package decide

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// ErrInvalid says that a policy, a plan or decisions were refused; errors.Is finds it in every *InvalidError.
var ErrInvalid = errors.New("invalid document")

// maxFaultsShown bounds the text of an InvalidError, not the list.
const maxFaultsShown = 20

// InvalidError lists everything that is wrong with one document.
type InvalidError struct {
	Document string // "policy", "plan" or "decisions"
	Faults   []string
}

// Error gives the faults in one line, at most twenty of them.
func (e *InvalidError) Error() string {
	shown := e.Faults
	more := ""
	if len(shown) > maxFaultsShown {
		more = fmt.Sprintf("; and %d more", len(shown)-maxFaultsShown)
		shown = shown[:maxFaultsShown]
	}
	return fmt.Sprintf("%s refused: %s%s", e.Document, strings.Join(shown, "; "), more)
}

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// DamageError says that a frame is damaged and the policy does not allow that.
type DamageError struct {
	Frame int // index within the plan
	Why   string
}

// Error names the frame.
func (e *DamageError) Error() string { return fmt.Sprintf("frame %d is damaged: %s", e.Frame, e.Why) }

// faults collects what is wrong with one document.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// oneOf adds a fault unless value is among allowed.
func (f *faults) oneOf(name, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	f.add("%s is %q, must be %s", name, value, orList(allowed))
}

// span adds the faults of a time range.
func (f *faults) span(name string, s Span) {
	if !finite(s.From) || !finite(s.To) || s.From < 0 || s.To <= s.From {
		f.add("%s from %g to %g is no time range", name, s.From, s.To)
	}
}

// rect adds the faults of a rectangle; width 0 means that the picture is not known yet.
func (f *faults) rect(name string, r [4]int, width, height int) {
	const most = 1 << 20
	if r[0] < 0 || r[1] < 0 || r[2] <= 0 || r[3] <= 0 || r[0] > most || r[1] > most || r[2] > most || r[3] > most {
		f.add("%s %v is no rectangle", name, r)
		return
	}
	if width > 0 && (r[0]+r[2] > width || r[1]+r[3] > height) {
		f.add("%s %v reaches beyond the picture of %dx%d", name, r, width, height)
	}
}

func (f *faults) err(document string) error {
	if len(*f) == 0 {
		return nil
	}
	return &InvalidError{Document: document, Faults: *f}
}

func orList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// isHex reports whether s is n lower-case hex digits.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
