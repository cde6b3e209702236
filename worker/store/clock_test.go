package store

import (
	"errors"
	"testing"
	"time"
)

// TestCheckClock: a clock that is off by more than a few minutes is told, on either side, and the probe leaves nothing.
func TestCheckClock(t *testing.T) {
	s, err := OpenDir(t.TempDir(), DirOptions{Encryption: Off})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, tt := range map[string]struct {
		off  time.Duration
		want error
	}{
		"right": {0, nil}, "a little ahead": {2 * time.Minute, nil}, "a little behind": {-2 * time.Minute, nil},
		"a year ahead": {365 * 24 * time.Hour, ErrClock}, "an hour behind": {-time.Hour, ErrClock},
	} {
		if err := CheckClock(t.Context(), s, func() time.Time { return time.Now().Add(tt.off) }); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for o, err := range s.List(t.Context(), "") {
		t.Errorf("left behind: %s, %v", o.Key, err)
	}
}
