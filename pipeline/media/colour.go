package media

import (
	"fmt"
	"slices"
	"strings"
)

// colour are the four marks that say how samples are to be read, as ffmpeg names them; empty where unknown.
type colour struct {
	Range, Primaries, Transfer, Space string
}

// Names that may go into a filter chain. Anything else a file may say is taken as unknown.
var (
	primaries = []string{"bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "bt2020", "smpte428", "smpte431",
		"smpte432", "jedec-p22", "ebu3213"}
	transfers = []string{"bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "linear", "log100", "log316", "iec61966-2-4",
		"bt1361e", "iec61966-2-1", "bt2020-10", "bt2020-12", "smpte2084", "smpte428", "arib-std-b67"}
	spaces = []string{"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "ycgco", "bt2020nc", "bt2020c", "smpte2085",
		"chroma-derived-nc", "chroma-derived-c", "ictcp"}
	chromaLocations = []string{"left", "center", "topleft", "top", "bottomleft", "bottom"}
)

// colourOf reads the marks of the travelling picture.
func colourOf(v *VideoStream) colour {
	known := func(list []string, name string) string {
		if slices.Contains(list, name) {
			return name
		}
		return ""
	}
	c := colour{Primaries: known(primaries, v.Primaries), Transfer: known(transfers, v.Transfer), Space: known(spaces, v.Space)}
	if v.Range == "tv" || v.Range == "pc" || rangeOf(v) == "pc" {
		c.Range = rangeOf(v)
	}
	if v.isRGB() {
		c.Range, c.Space = "tv", "bt709"
	}
	return c
}

// hdr fills what a high dynamic range stream leaves unsaid.
func (c colour) hdr() colour {
	if c.Range == "" {
		c.Range = "tv"
	}
	if c.Primaries == "" {
		c.Primaries = "bt2020"
	}
	if c.Transfer == "" {
		c.Transfer = "smpte2084"
	}
	if c.Space == "" {
		c.Space = "bt2020nc"
	}
	return c
}

// setparams is the filter that sets the marks; unknown ones are said to be unknown.
func (c colour) setparams() string {
	or := func(s string) string {
		if s == "" {
			return "unknown"
		}
		return s
	}
	return strings.Join([]string{"setparams=range=" + or(c.Range), "color_primaries=" + or(c.Primaries),
		"color_trc=" + or(c.Transfer), "colorspace=" + or(c.Space)}, ":")
}

// filters are what the encoder's side sets on each picture: the marks and the shape of a sample.
func (c colour) filters(sar Rational) []string {
	if sar.Num < 1 || sar.Den < 1 {
		sar = Rational{Num: 1, Den: 1}
	}
	return []string{c.setparams(), fmt.Sprintf("setsar=sar=%d/%d:max=2147483647", sar.Num, sar.Den)}
}
