package main

import (
	"errors"
	"path/filepath"

	"veil/models"
	"veil/worker/failure"
	"veil/worker/text"
)

// modelsCmd is `veil models`.
type modelsCmd struct{}

// weight is one pinned file and how it was found.
type weight struct {
	models.File
	State string `json:"state"` // "present", "missing", "wrong" or "unreadable"
}

// States of a file of weights.
const (
	present    = "present"
	missingOne = "missing"
	wrong      = "wrong"
	unreadable = "unreadable"
)

// weights looks at every pinned file in the folder.
func weights(folder string) []weight {
	var found []weight
	for _, f := range models.Files() {
		w := weight{File: f, State: present}
		switch err := models.Check(folder, f.Name); {
		case err == nil:
		case errors.Is(err, models.ErrMissing):
			w.State = missingOne
		case errors.Is(err, models.ErrDigest):
			w.State = wrong
		default:
			w.State = unreadable
		}
		found = append(found, w)
	}
	return found
}

// lacking reports whether a file that is needed is not there as it should be; an optional one must not be wrong.
func (w weight) lacking() bool {
	if w.Optional {
		return w.State == wrong
	}
	return w.State != present
}

// checkModels refuses a folder that lacks what every run needs.
func checkModels(folder string) error {
	for _, w := range weights(folder) {
		if w.lacking() {
			return failure.Newf(failure.Models, "run `make models`", "%s in %s is %s", w.Name, folder, w.State)
		}
	}
	return nil
}

// Run lists the weights and ends with exit 1 where a needed one is missing or wrong.
func (modelsCmd) Run(a *app) error {
	folder, err := a.modelFolder()
	if err != nil {
		return err
	}
	list := weights(folder)
	if a.JSON {
		if err := a.printJSON(map[string]any{"folder": folder, "files": list}); err != nil {
			return err
		}
	} else {
		a.printf("%s\n", text.Printable(folder))
		for _, w := range list {
			a.printf("  %-10s %s: %s (%s %s, %s)\n             sha256 %s\n", w.State, text.Printable(filepath.Base(w.Name)), w.What, w.Package, w.Version, w.Licence, w.SHA256)
		}
	}
	for _, w := range list {
		if w.lacking() {
			return a.afterAnswer(failure.Newf(failure.Models, "run `make models`", "%s is %s", w.Name, w.State))
		}
	}
	return nil
}

// afterAnswer ends a command that has already answered: the JSON answer holds the failure, people get a line.
func (a *app) afterAnswer(err error) error {
	if a.JSON {
		return status(failure.As(err).Exit)
	}
	return err
}
