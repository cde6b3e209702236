package evidence

import "testing"

// SetMaxUnvouched lowers the bound of what is parsed unsigned, for one test.
func SetMaxUnvouched(t *testing.T, n int) {
	before := maxUnvouched
	maxUnvouched = n
	t.Cleanup(func() { maxUnvouched = before })
}
