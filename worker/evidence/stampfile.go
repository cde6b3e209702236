package evidence

import (
	"time"

	"veil/worker/seal"
)

// stampOf gives the time that the time stamp in a file proves for an envelope; zero where there is none that does.
func stampOf(path string, envelope []byte, trust *seal.Trust) time.Time {
	response, err := readFile(path, maxStamp)
	if err != nil {
		return time.Time{}
	}
	at, err := seal.CheckStamp(response, envelope, trust.Authorities)
	if err != nil {
		return time.Time{}
	}
	return at
}
