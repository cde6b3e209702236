package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"veil/pipeline/decide"
)

// Seconds is a time within a clip, counted from its first frame: "12.5", "1:02.25" or "1:00:00".
type Seconds float64

// UnmarshalText reads one of the three forms. Negative times, and minutes or seconds of 60 and more after a colon, are
// refused.
func (s *Seconds) UnmarshalText(text []byte) error {
	fields := strings.Split(string(text), ":")
	if len(fields) > 3 {
		return timeError(text)
	}
	total := 0.0
	for i, field := range fields {
		last := i == len(fields)-1
		if field == "" || strings.Trim(field, "0123456789.") != "" || (!last && strings.Contains(field, ".")) {
			return timeError(text)
		}
		v, err := strconv.ParseFloat(field, 64)
		if err != nil || math.IsInf(v, 0) || (i > 0 && v >= 60) {
			return timeError(text)
		}
		total = total*60 + v
	}
	*s = Seconds(total)
	return nil
}

func timeError(text []byte) error {
	return fmt.Errorf("%q is no time: give seconds (12.5) or [HH:]MM:SS[.mmm] (1:02.250)", text)
}

// Value gives the time as the pipeline takes it; nil stays nil.
func (s *Seconds) Value() *float64 {
	if s == nil {
		return nil
	}
	v := float64(*s)
	return &v
}

// span is a time range FROM-TO, TO exclusive.
type span decide.Span

// UnmarshalText reads FROM-TO.
func (s *span) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	if !ok {
		return fmt.Errorf("%q is no time range: give FROM-TO", text)
	}
	var a, b Seconds
	if err := a.UnmarshalText([]byte(from)); err != nil {
		return err
	}
	if err := b.UnmarshalText([]byte(to)); err != nil {
		return err
	}
	if b <= a {
		return fmt.Errorf("%q ends before it begins", text)
	}
	*s = span{From: float64(a), To: float64(b)}
	return nil
}

// region is a rectangle in upright pixels, for a time range or the whole clip: X,Y,W,H[@FROM-TO].
type region struct {
	rect [4]int
	span *decide.Span
}

// UnmarshalText reads X,Y,W,H or X,Y,W,H@FROM-TO.
func (r *region) UnmarshalText(text []byte) error {
	where, when, timed := strings.Cut(string(text), "@")
	fields := strings.Split(where, ",")
	if len(fields) != 4 {
		return fmt.Errorf("%q is no region: give X,Y,W,H[@FROM-TO]", text)
	}
	var out region
	for i, field := range fields {
		v, err := strconv.Atoi(field)
		if err != nil || v < 0 || (i >= 2 && v == 0) {
			return fmt.Errorf("%q is no region: X and Y are pixels from 0, W and H from 1", text)
		}
		out.rect[i] = v
	}
	if timed {
		var s span
		if err := s.UnmarshalText([]byte(when)); err != nil {
			return err
		}
		d := decide.Span(s)
		out.span = &d
	}
	*r = out
	return nil
}

// ground is the reason code of something that is withheld: WHAT[:N|@FROM-TO]=CODE[|BASIS].
type ground decide.GroundFor

// UnmarshalText reads one of the forms; what can stand in them is checked with the decisions.
func (g *ground) UnmarshalText(text []byte) error {
	what, code, ok := strings.Cut(string(text), "=")
	if !ok {
		return fmt.Errorf("%q is no ground: give WHAT=CODE or WHAT=CODE|BASIS", text)
	}
	var out ground
	out.Code, out.Basis, _ = strings.Cut(code, "|")
	out.Code, out.Basis = strings.TrimSpace(out.Code), strings.TrimSpace(out.Basis)
	what, number, one := strings.Cut(strings.TrimSpace(what), ":")
	if one && what == "track" {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no ground: a track has a number from 1", text)
		}
		out.What, out.Track = decide.GroundTracks, n
		*g = out
		return nil
	}
	if one { // the colon of a time
		what += ":" + number
	}
	what, when, timed := strings.Cut(what, "@")
	if timed {
		var s span
		if err := s.UnmarshalText([]byte(when)); err != nil {
			return err
		}
		d := decide.Span(s)
		out.Span = &d
	}
	out.What = what
	*g = out
	return nil
}
