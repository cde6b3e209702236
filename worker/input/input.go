// Package input finds the clips that somebody names as files and folders, and gives each one's derivative a name of its own. It
// reads names and kinds of files only, never what is in them.
package input

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"veil/pipeline"
	"veil/worker/disk"
	"veil/worker/failure"
)

// extensions are the names that a batch takes for videos inside a folder. It is wider than what can be read: a
// container that is not on the allow-list shall be told as unsupported, not passed over.
var extensions = strings.Fields(`.mp4 .m4v .mov .qt .mkv .webm .avi .divx .mpg .mpeg .mpe .m1v .m2v .vob .ts .m2ts
	.mts .mod .tod .wmv .asf .flv .f4v .ogv .ogg .ogm .3gp .3g2 .ivf .h264 .264 .avc .h265 .265 .hevc .mxf .dv .rm .rmvb
	.y4m .mjpeg .mjpg .nut .insv .lrv .gxf .dav .av1 .obu`)

// IsVideo reports whether a name, of a file or of an object, is that of a video.
func IsVideo(name string) bool {
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(name)))
}

// Source is one clip of a batch, or something inside a folder that is none.
type Source struct {
	Path  string // absolute
	Label string // place within the inputs; the derivative's place within OUT follows it
	Skip  string // why it is passed over; empty for a clip
	Err   error  // why it cannot even be looked at

	Out string // the derivative's path relative to OUT
}

// Key names a source across runs: its label, which survives a move of both folders, unless two sources share it.
func (s Source) Key(shared bool) string {
	if !shared {
		return s.Label
	}
	return s.Label + "#" + short(s.Path)
}

// short is eight digits that tell one path from another.
func short(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:4])
}

// Gather lists the clips of the inputs: a file as it is named, a folder with everything below it but hidden names and
// the output folder. One folder alone gives labels within it, several inputs begin theirs with the folder's own name.
func Gather(inputs []string, out string) ([]Source, error) {
	var sources []Source
	seen := map[string]bool{}
	for _, in := range inputs {
		abs, err := filepath.Abs(in)
		if err != nil {
			return nil, failure.Usagef("give its whole path", "input cannot be found: %s", disk.Plain(err))
		}
		if seen[abs] {
			continue
		}
		seen[abs] = true
		if !disk.IsFolder(abs) {
			s := Source{Path: abs, Label: filepath.Base(abs)}
			s.Err = disk.CheckInput(&s.Path)
			sources = append(sources, s)
			continue
		}
		if disk.Same(abs, out) {
			return nil, failure.Usagef("choose another folder for the output", "output folder is the input folder")
		}
		prefix := ""
		if len(inputs) > 1 {
			prefix = filepath.Base(abs)
		}
		sources = append(sources, walk(abs, prefix, out)...)
	}
	slices.SortFunc(sources, func(a, b Source) int {
		return strings.Compare(a.Label+"\x00"+a.Path, b.Label+"\x00"+b.Path)
	})
	return slices.CompactFunc(sources, func(a, b Source) bool { return a.Path == b.Path && a.Label == b.Label }), nil
}

// walk lists what lies below a folder. It does not follow links to folders, which could run in a circle.
func walk(root, prefix, out string) []Source {
	var sources []Source
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(root, path)
		if relErr != nil {
			rel = filepath.Base(path)
		}
		s := Source{Path: path, Label: filepath.Join(prefix, rel)}
		if err != nil {
			s.Err = fmt.Errorf("look into folder: %w", disk.Plain(err))
			sources = append(sources, s)
			return fs.SkipDir
		}
		if path != root && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if disk.Same(path, out) {
				return fs.SkipDir
			}
			return nil
		}
		sources = append(sources, classify(s))
		return nil
	})
	return sources
}

// classify tells a clip from what is none, by its name and kind only.
func classify(s Source) Source {
	info, err := os.Stat(s.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.Skip = "a link to nothing"
	case err != nil:
		s.Err = fmt.Errorf("look at file: %w", disk.Plain(err))
	case info.IsDir():
		s.Skip = "a link to a folder"
	case !IsVideo(s.Path):
		s.Skip = "no video by its name"
	case !info.Mode().IsRegular():
		s.Skip = "not a regular file"
	}
	return s
}

// candidate is the derivative's name at one of three levels: STEM.mp4, NAME.EXT.mp4, and NAME.EXT.DIGITS.mp4.
func (s Source) candidate(level int) string {
	switch level {
	case 0:
		return strings.TrimSuffix(s.Label, filepath.Ext(s.Label)) + ".mp4"
	case 1:
		return s.Label + ".mp4"
	}
	return s.Label + "." + short(s.Path) + ".mp4"
}

// claims are the names that a derivative may come to lie under, folded: some file systems know no case.
func claims(out string) []string {
	return []string{strings.ToLower(out), strings.ToLower(pipeline.HeldName(out))}
}

// Assign gives every clip a name of its own below OUT. A clip that an earlier run named keeps that name (taken maps
// names to the keys of their owners, present in this run or not); of the others that want the same one, a clip that is
// named *.mp4 itself keeps it and the rest take their extension into the name. The order of the sources plays no part.
func Assign(sources []Source, taken map[string]string) error {
	owners := map[string]string{}
	named := map[string]string{}
	for name, key := range taken {
		named[key] = name
		for _, c := range claims(name) {
			owners[c] = key
		}
	}
	shared := SharedLabels(sources)
	level := make([]int, len(sources))
	for range 4 {
		wanted := map[string][]int{}
		for i := range sources {
			s := &sources[i]
			if s.Skip != "" || s.Err != nil {
				continue
			}
			key := s.Key(shared[s.Label])
			if s.Out = named[key]; s.Out != "" {
				continue
			}
			s.Out = s.candidate(level[i])
			for _, c := range claims(s.Out) {
				if owner, ok := owners[c]; ok && owner != key {
					wanted[c] = append(wanted[c], -1)
				}
				wanted[c] = append(wanted[c], i)
			}
		}
		if !raise(sources, level, wanted) {
			return nil
		}
	}
	return failure.Usagef("redact them into different folders", "two clips want the same name")
}

// raise lifts the clips that share a name to the next level and reports whether there were any.
func raise(sources []Source, level []int, wanted map[string][]int) bool {
	next := slices.Clone(level)
	clash := false
	for _, who := range wanted {
		if len(who) < 2 {
			continue
		}
		clash = true
		keeper := -1
		if !slices.Contains(who, -1) {
			keeper = soleMP4(sources, level, who)
		}
		for _, i := range who {
			if i >= 0 && i != keeper {
				next[i] = level[i] + 1
			}
		}
	}
	copy(level, next)
	return clash
}

// soleMP4 is the one clip among who whose own name is the one wanted, -1 if there is none or more than one.
func soleMP4(sources []Source, level, who []int) int {
	keeper := -1
	for _, i := range who {
		if level[i] == 0 && sources[i].Label == sources[i].candidate(0) {
			if keeper >= 0 {
				return -1
			}
			keeper = i
		}
	}
	return keeper
}

// SharedLabels are the labels that more than one source has.
func SharedLabels(sources []Source) map[string]bool {
	count := map[string]int{}
	for _, s := range sources {
		count[s.Label]++
	}
	shared := map[string]bool{}
	for label, n := range count {
		shared[label] = n > 1
	}
	return shared
}
