package text

import (
	"testing"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 漢":      "plain ä 漢",
		"a\nb\tc":        `a\nb\tc`,
		"\x1b[2J":        `\x1b[2J`,
		"\u202egnp.exe":  `\u202egnp.exe`,
		"bad\xffbyte":    `bad\xffbyte`,
		"\u00a0nbsp\x7f": `\u00a0nbsp\x7f`,
		`'quote' "two"`:  `'quote' "two"`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}
