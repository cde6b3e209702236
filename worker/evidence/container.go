package evidence

import (
	"os"
	"strconv"

	"veil/pipeline/media/mp4"
)

// checkContainer walks the file as it is: every byte must belong to something that veil writes.
func (v *verifier) checkContainer() {
	f, err := os.Open(v.request.Out)
	if err != nil {
		v.result.add(CheckContainer, Failed, "container_unreadable", nil)
		return
	}
	defer f.Close()
	a, err := mp4.Walk(f, v.bytes, mp4.Derivative())
	switch {
	case err != nil:
		v.result.add(CheckContainer, Failed, "container_unreadable", nil)
	case a.Clean():
		v.result.add(CheckContainer, Passed, "container_clean", nil)
	default:
		first := a.Findings[0]
		v.result.add(CheckContainer, Failed, "container_foreign", map[string]string{"offset": strconv.FormatInt(first.Offset, 10), "what": first.Reason})
	}
}
