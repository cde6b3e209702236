package batch

import (
	"testing"
)

func TestWorstExit(t *testing.T) {
	tests := []struct {
		exits []int
		want  int
	}{{[]int{0, 0}, 0}, {[]int{0, 3, 0}, 3}, {[]int{3, 2}, 2}, {[]int{2, 5, 3}, 5}, {[]int{5, 1}, 1}, {[]int{1, 4, 5}, 4}, {nil, 2}}
	for _, tt := range tests {
		var rows []Row
		for _, e := range tt.exits {
			rows = append(rows, Row{Outcome: "x", exit: e})
		}
		if got := Worst(rows); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.exits, got, tt.want)
		}
	}
}
