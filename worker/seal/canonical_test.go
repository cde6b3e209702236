package seal

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/gowebpki/jcs"
)

// TestCanonicalAgreesWithPeer holds the encoder against another implementation of RFC 8785.
func TestCanonicalAgreesWithPeer(t *testing.T) {
	for _, doc := range []string{
		`{"peach":"This sorting order","péché":"is wrong","pêche":"x","sin":true}`,
		`{"\u20ac":"Euro","\r":"CR","1":1,"\u0080":2,"\ud83d\ude00":"smile","\ufb33":"dagesh","\u00f6":"oe"}`,
		`{"s":"\u000f\u0007\b\t\n\f\r\"\\\/é€😀\u2028<>&","n":[0,-1,9007199254740991,-9007199254740991],"e":{},"a":[]}`,
		`[true,false,"",{"b":{"c":[[]]},"a":0}]`,
	} {
		want, err := jcs.Transform([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Canonical(json.RawMessage(doc))
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		if string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestDecodeAcceptsOneSpelling(t *testing.T) {
	type doc struct {
		A string   `json:"a"`
		B int      `json:"b"`
		C []string `json:"c,omitempty"`
	}
	tests := []struct {
		name, text string
		want       error
	}{
		{"canonical", `{"a":"x","b":1}`, nil},
		{"with the optional field", `{"a":"x","b":1,"c":["y"]}`, nil},
		{"a space", `{"a": "x","b":1}`, ErrNotCanonical},
		{"a line break at the end", "{\"a\":\"x\",\"b\":1}\n", ErrNotCanonical},
		{"another order", `{"b":1,"a":"x"}`, ErrNotCanonical},
		{"twice", `{"a":"x","a":"x","b":1}`, ErrNotCanonical},
		{"needless escape", `{"a":"\u0078","b":1}`, ErrNotCanonical},
		{"lone surrogate", `{"a":"\ud800","b":1}`, ErrNotCanonical},
		{"not UTF-8", "{\"a\":\"\xff\",\"b\":1}", ErrNotCanonical},
		{"fraction", `{"a":"x","b":1.0}`, ErrNotCanonical},
		{"exponent", `{"a":"x","b":1e0}`, ErrNotCanonical},
		{"minus zero", `{"a":"x","b":-0}`, ErrNotCanonical},
		{"beyond 2^53", `{"a":"x","b":9007199254740992}`, ErrNotCanonical},
		{"null", `{"a":null,"b":1}`, ErrFields},
		{"unknown", `{"a":"x","b":1,"d":1}`, ErrFields},
		{"missing", `{"a":"x"}`, ErrFields},
		{"other letters", `{"A":"x","b":1}`, ErrFields},
		{"other kind", `{"a":1,"b":1}`, ErrFields},
		{"an idle empty list", `{"a":"x","b":1,"c":[]}`, ErrFields},
		{"another document behind it", `{"a":"x","b":1}{}`, ErrNotJSON},
		{"cut", `{"a":"x","b":`, ErrNotJSON},
		{"nothing", ``, ErrNotJSON},
		{"a list", `[]`, ErrFields},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d doc
			if err := Decode([]byte(tt.text), &d); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"payload":"","payloadType":"x","signatures":[]}`))
	f.Add([]byte(`{"payload":"","payloadType":"x","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e envelope
		if Decode(b, &e) != nil {
			return
		}
		again, err := Canonical(e)
		if err != nil || string(again) != string(b) {
			t.Errorf("accepted %q, which is %q, %v", b, again, err)
		}
	})
}

func TestDecimal(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 0.1: "0.1", 1: "1", 43.2500001: "43.25", -0.0000001: "0", 100: "100", 0.123456789: "0.123457"} {
		if got := Decimal(f); got != want || !decimal.MatchString(got) {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}
