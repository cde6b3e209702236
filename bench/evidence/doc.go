// Package evidence renders every easy clip of the footage a second time by what its manifest records, and holds the bytes against
// each other. It is run by `make rerender`, on its own, because it takes some minutes.
package evidence
