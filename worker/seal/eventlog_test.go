package seal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

func sampleLog(t *testing.T, n int) *Log {
	t.Helper()
	var l Log
	for i := range n {
		if err := l.Add(t0.Add(time.Duration(i)*time.Second), "render", map[string]string{"round": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return &l
}

func TestLog(t *testing.T) {
	l := sampleLog(t, 5)
	whole, head := l.Bytes(), l.Head()
	lines := bytes.SplitAfter(whole, []byte("\n"))[:5]
	join := func(i ...int) []byte {
		var b []byte
		for _, i := range i {
			b = append(b, lines[i]...)
		}
		return b
	}
	longer := sampleLog(t, 6)
	tests := []struct {
		name  string
		log   []byte
		want  error
		entry int
	}{
		{"untouched", whole, nil, 0},
		{"the last entry is missing", join(0, 1, 2, 3), ErrLogShort, 5},
		{"cut in mid-entry", whole[:len(whole)-10], ErrNotJSON, 5},
		{"cut before the last line break", whole[:len(whole)-1], ErrLogShort, 5},
		{"nothing left", nil, ErrLogShort, 1},
		{"one taken out", join(0, 1, 3, 4), ErrLogChain, 3},
		{"the first taken out", join(1, 2, 3, 4), ErrLogChain, 1},
		{"two changed places", join(0, 2, 1, 3, 4), ErrLogChain, 2},
		{"one twice", join(0, 1, 1, 2, 3, 4), ErrLogChain, 3},
		{"an edit", bytes.Replace(whole, []byte(`"round":"2"`), []byte(`"round":"7"`), 1), ErrLogChain, 4},
		{"an edit of the last", bytes.Replace(whole, []byte(`"round":"4"`), []byte(`"round":"7"`), 1), ErrLogOther, 5},
		{"a space", bytes.Replace(whole, []byte(`"round":"2"`), []byte(`"round": "2"`), 1), ErrNotCanonical, 3},
		{"an entry added", longer.Bytes(), ErrLogLong, 6},
		{"rubbish added", append(bytes.Clone(whole), 'x'), ErrLogLong, 6},
		{"another log", sampleLog(t, 5).Bytes()[1:], ErrNotJSON, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadLog(tt.log, head)
			var fault *LogFault
			switch {
			case tt.want == nil && err != nil, tt.want != nil && !errors.Is(err, tt.want):
				t.Fatalf("got %v, want %v", err, tt.want)
			case tt.want != nil && (!errors.As(err, &fault) || fault.Entry != tt.entry):
				t.Errorf("got %v, want entry %d", err, tt.entry)
			}
		})
	}
}

// TestEveryByteOfALogCounts changes each byte once.
func TestEveryByteOfALogCounts(t *testing.T) {
	l := sampleLog(t, 4)
	head := l.Head()
	for i := range l.Bytes() {
		b := l.Bytes()
		b[i] ^= 0x01
		if _, err := ReadLog(b, head); err == nil {
			t.Errorf("byte %d", i)
		}
	}
}
