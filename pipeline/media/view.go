package media

import "strings"

// View says what decoded frames shall look like: a filter chain and the layout that comes out of it.
type View struct {
	Layout Layout `json:"layout"`
	// Filters is the chain in ffmpeg's terms, from the decoder's own picture (as stored, not yet turned) to Layout.
	// Decode puts showinfo and the excerpt's trim before it and adds nothing behind it; frames that do not come out in
	// Layout are an error. No filter of it may drop, add or reorder frames. Each element is one filter with its options;
	// commas inside options are escaped.
	Filters []string `json:"filters"`
}

// chain joins the filters.
func (v View) chain() string { return strings.Join(v.Filters, ",") }
