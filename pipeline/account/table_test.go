package account

import (
	"testing"
)

func TestNoFormula(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "plain": "plain", "1-2": "1-2", "=1": "'=1", " =1": "' =1", "\t@x": "'\t@x", "＝1": "'＝1", `"=1`: `'"=1`, "-": "'-",
		"a;=1": "'a =1", "a,b": "a,b", "|calc": "'|calc", "−1": "'−1", "a, +1": "'a  +1",
	} {
		if have := noFormula(cell); have != want {
			t.Errorf("%q becomes %q, want %q", cell, have, want)
		}
	}
}
