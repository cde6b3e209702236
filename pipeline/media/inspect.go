package media

import (
	"context"
	"fmt"
)

// Inspect reads what the container says of the clip at path.
func Inspect(ctx context.Context, t Tools, path string, lim Limits) (*Probe, error) {
	return nil, fmt.Errorf("inspect: %w", ErrUnreadable)
}
