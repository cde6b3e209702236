package evidence

import (
	"errors"
	"io/fs"
	"time"

	"veil/worker/seal"
)

// stampOf gives the time that the time stamp in a file proves for an envelope; zero where there is no file, or no authority to hold
// it against. The error says that there is one which does not hold.
func stampOf(path string, envelope []byte, trust *seal.Trust) (time.Time, error) {
	response, err := readFile(path, maxStamp)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	at, err := seal.CheckStamp(response, envelope, trust.Authorities)
	if errors.Is(err, seal.ErrStampUntrusted) && len(trust.Authorities) == 0 {
		return time.Time{}, nil
	}
	return at, err
}
