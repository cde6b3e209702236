package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// copy carries out a COPY, from the context or from another stage, whose root is from. Everything belongs to root and keeps its
// mode, unless the instruction says otherwise.
func (b *builder) copy(to, from *image, c *instructions.CopyCommand) error {
	job := &copying{ignored: func(string) (bool, error) { return false, nil }}
	src := b.context
	if from != nil {
		src = from.root
	} else {
		m, err := ignoring(b.file.ignore)
		if err != nil {
			return err
		}
		job.ignored = m.MatchesOrParentMatches
	}
	var err error
	if job.uid, job.gid, err = owner(c.Chown); err != nil {
		return err
	}
	if c.Chmod != "" {
		mode, err := strconv.ParseUint(c.Chmod, 8, 12)
		if err != nil {
			return fmt.Errorf("--chmod=%s: write it as an octal number", c.Chmod)
		}
		job.mode = new(fs.FileMode(mode))
	}
	if job.src, err = os.OpenRoot(src); err != nil {
		return err
	}
	defer func() { _ = job.src.Close() }()
	if job.dst, err = os.OpenRoot(to.root); err != nil {
		return err
	}
	defer func() { _ = job.dst.Close() }()

	dest := c.DestPath
	if !filepath.IsAbs(dest) {
		dest = filepath.Join("/", to.config.WorkingDir, dest)
	}
	into := strings.HasSuffix(c.DestPath, "/") || c.DestPath == "." || len(c.SourcePaths) > 1
	return job.all(c.SourcePaths, inside(dest), into)
}

// ignoring reads what of the context is not there; without a file, all of it is.
func ignoring(path string) (*patternmatcher.PatternMatcher, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return patternmatcher.New(nil)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return patternmatcher.New(patterns)
}

// owner reads --chown; root where there is none.
func owner(chown string) (uid, gid int, err error) {
	if chown == "" {
		return 0, 0, nil
	}
	u, g, err := numeric(chown)
	if err != nil {
		return 0, 0, fmt.Errorf("--chown=%s: write it as numbers, UID:GID", chown)
	}
	return int(u), int(g), nil
}

// copying copies between two roots. No path leaves its root, by whatever links.
type copying struct {
	src, dst *os.Root
	uid, gid int
	mode     *fs.FileMode // for files and folders, where set
	ignored  func(path string) (bool, error)
	copied   int
}

// all copies sources to one destination: into it where into is set or it is a folder.
func (c *copying) all(sources []string, dest string, into bool) error {
	if info, err := c.dst.Stat(dest); err == nil && info.IsDir() {
		into = true
	}
	for _, source := range sources {
		names, err := fs.Glob(c.src.FS(), inside(source))
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		before := c.copied
		for _, name := range names {
			info, err := c.src.Stat(name)
			if err != nil {
				return err
			}
			target := dest
			if into && !info.IsDir() {
				target = filepath.Join(dest, filepath.Base(name))
			}
			if err := c.tree(name, target); err != nil {
				return err
			}
		}
		if c.copied == before {
			return fmt.Errorf("%s: nothing there", source)
		}
	}
	return nil
}

// tree copies a file, or a folder's content.
func (c *copying) tree(name, target string) error {
	return fs.WalkDir(c.src.FS(), name, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != "." {
			out, err := c.ignored(path)
			if err != nil || out && !e.IsDir() {
				return err
			}
			if out {
				return nil // a folder that is left out may hold what is not
			}
		}
		rel, err := filepath.Rel(name, path)
		if err != nil {
			return err
		}
		return c.one(path, filepath.Join(target, rel))
	})
}

// one copies a file, a link, or a folder without its content.
func (c *copying) one(from, to string) error {
	info, err := c.src.Lstat(from)
	if err != nil {
		return err
	}
	if err := c.dst.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		err = c.dst.MkdirAll(to, 0o755)
	case fs.ModeSymlink:
		var link string
		if link, err = c.src.Readlink(from); err == nil {
			err = c.dst.Symlink(link, to)
		}
	case 0:
		err = c.content(from, to)
	default:
		err = fmt.Errorf("%s is no file, folder or link", from)
	}
	if err != nil {
		return err
	}
	c.copied++
	if err := c.dst.Lchown(to, c.uid, c.gid); err != nil || info.Mode().Type() == fs.ModeSymlink {
		return err
	}
	mode := info.Mode().Perm()
	if c.mode != nil {
		mode = *c.mode
	}
	if err := c.dst.Chmod(to, mode); err != nil {
		return err
	}
	return c.dst.Chtimes(to, info.ModTime(), info.ModTime())
}

// content copies a file's bytes over whatever had its name.
func (c *copying) content(from, to string) error {
	in, err := c.src.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if err := c.dst.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := c.dst.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// mkdir makes a folder of an image.
func mkdir(root, path string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return r.MkdirAll(inside(path), 0o755)
}
