package access

import (
	"context"
	"fmt"
	"slices"
)

// Expired is what became of the entries whose time is over.
type Expired struct {
	Entries int         `json:"entries"`         // removed, or due in a dry run
	Kept    int         `json:"kept,omitempty"`  // over, but of a job under legal hold
	Years   map[int]int `json:"years,omitempty"` // entries by the year that they are of
}

// Over reports whether entries of a year have to be gone: from the first moment, in UTC, of the second year after it.
func (l *Log) Over(year int) bool { return l.o.Now().UTC().Year() > year+1 }

// Expire removes the entries whose time is over, with all versions, but those of jobs that held says are under legal hold.
// Without apply it only counts. It reads keys alone and can be repeated by anyone.
func (l *Log) Expire(ctx context.Context, held func(job string) bool, apply bool) (Expired, error) {
	x := Expired{Years: map[int]int{}}
	var due []string
	for o, err := range l.store.ListVersions(ctx, Prefix) {
		if err != nil {
			return x, fmt.Errorf("expire access log: %w", err)
		}
		p, ok := parseKey(o.Key)
		if !ok || !l.Over(p.at.Year()) {
			continue
		}
		if n := len(due); n > 0 && due[n-1] == o.Key {
			continue // another version
		}
		if p.job != noJob && held(p.job) {
			x.Kept++
			continue
		}
		due = append(due, o.Key)
		x.Years[p.at.Year()]++
	}
	x.Entries = len(due)
	if !apply {
		return x, nil
	}
	for _, key := range slices.Backward(due) {
		if err := l.store.Remove(ctx, key); err != nil {
			return x, fmt.Errorf("expire access log: %w", err)
		}
	}
	return x, nil
}
