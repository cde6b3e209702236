package main

import (
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// defaultPath is the PATH of an image that sets none.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

var defaultShell = []string{"/bin/sh", "-c"}

// image is a stage: a root file system, and what a container from it starts with.
type image struct {
	root   string
	config v1.Config
	shell  []string
	// args are the stage's build arguments; they are no part of the image.
	args map[string]string
}

// next gives an image to go on from: with the config, without the arguments.
func (i *image) next(root string) *image {
	return &image{root: root, config: *i.config.DeepCopy(), shell: i.shell, args: map[string]string{}}
}

// Get finds a variable that an instruction names; build arguments do not hide those of the image.
func (i *image) Get(name string) (string, bool) {
	for _, v := range i.config.Env {
		if n, value, _ := strings.Cut(v, "="); n == name {
			return value, true
		}
	}
	v, ok := i.args[name]
	return v, ok
}

// Keys lists the variables that an instruction can name.
func (i *image) Keys() []string {
	keys := slices.Collect(maps.Keys(i.args))
	for _, v := range i.config.Env {
		n, _, _ := strings.Cut(v, "=")
		keys = append(keys, n)
	}
	return keys
}

// setenv sets a variable of the image.
func (i *image) setenv(name, value string) {
	i.config.Env = slices.DeleteFunc(i.config.Env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	i.config.Env = append(i.config.Env, name+"="+value)
}

// environ is the environment of a process: a PATH, the arguments, the variables of the image, and more; the last one of a name counts.
func (i *image) environ(more []string) []string {
	env := map[string]string{}
	put := func(v string) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	put(defaultPath)
	maps.Copy(env, i.args)
	for _, v := range slices.Concat(i.config.Env, more) {
		put(v)
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// set puts a key into a set of an image's config.
func set(m map[string]struct{}, key string) map[string]struct{} {
	if m == nil {
		m = map[string]struct{}{}
	}
	m[key] = struct{}{}
	return m
}
