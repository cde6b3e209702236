package child

import (
	"strings"
	"testing"

	"veil/worker/sandbox"
)

func TestReadReplyRefusesNonsense(t *testing.T) {
	for _, text := range []string{
		"no JSON\n",
		`{"result":{}}` + "\n" + `{"event":{"stage":"render"}}` + "\n",
		`{"failure":{"code":"x","exit":1}}` + "\n" + `{"result":{}}` + "\n",
		strings.Repeat("x", maxAnswer+1),
	} {
		if a := readReply(strings.NewReader(text), replyTo{}); a.err == nil {
			t.Errorf("%.40q was taken: %+v", text, a)
		}
	}
	heard := replyTo{report: func(sandbox.Report) error { return nil }}
	for _, text := range []string{`{"result":{}}`, `{"failure":{"code":"x","exit":1}}`, `{"sandbox":{}}` + "\n" + `{"sandbox":{}}`} {
		if a := readReply(strings.NewReader(text), heard); a.err == nil {
			t.Errorf("%.40q was taken: %+v", text, a)
		}
	}
	if a := readReply(strings.NewReader(`{"sandbox":{}}`+"\n"+`{"result":{}}`), heard); a.err != nil || a.result == nil {
		t.Errorf("a report and a result read as %+v", a)
	}
	if a := readReply(strings.NewReader(""), replyTo{}); a.err != nil || a.result != nil {
		t.Errorf("nothing read as %+v", a)
	}
	if a := readReply(strings.NewReader(`{"failure":{"code":"x","exit":0}}`), replyTo{}); a.failure == nil || a.failure.Exit != 1 {
		t.Errorf("a failure that says success read as %+v", a)
	}
}

func TestEndsBufferKeepsBothEnds(t *testing.T) {
	b := endsBuffer{limit: 5}
	for _, s := range []string{"abc", "defg", "h", "ijklmnop"} {
		if n, err := b.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if string(b.first) != "abcde" || string(b.last) != "lmnop" {
		t.Errorf("kept %q and %q", b.first, b.last)
	}
}
