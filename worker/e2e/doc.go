// Package e2e holds the tests of the finished program: they build veil, run it as a user would on clips that they make, and
// look at what it leaves with plain ffmpeg. There is no code here but tests.
package e2e
