package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"veil/pipeline"
	"veil/worker/child"
	"veil/worker/failure"
	"veil/worker/text"
)

// app is what every command is handed: settings, streams, and the pipeline.
type app struct {
	*settings
	streams
	engine  engine
	sandbox *child.Flags
}

// engine is what the commands need of the pipeline; tests put their own in its place.
type engine struct {
	redact func(context.Context, pipeline.Stages, pipeline.Request, func(pipeline.Event)) (pipeline.Outcome, error)
	stages func(crashLog string) pipeline.Stages // as the parent calls them
	inner  pipeline.Stages                       // as a child runs them
	// people draws those whom a plan follows, for people.
	people func(context.Context, pipeline.Config, pipeline.SheetRequest) error
	// sheet draws frames of a derivative.
	sheet  func(context.Context, pipeline.Config, pipeline.SheetRequest) error
	frames func(context.Context, framesRequest) error // nil: cannot decode
	// confine says how the children of this engine are confined; run sets it from the settings.
	confine *child.Confinement
}

// realEngine is the pipeline, each stage in a process of its own.
func realEngine() engine {
	confine := &child.Confinement{Mode: child.Preferred}
	child := func(crashLog string) isolated {
		return isolated{child.Runner{Log: crashLog, Confine: confine, Force: &child.InForce{}}}
	}
	return engine{
		redact:  pipeline.Redact,
		stages:  func(crashLog string) pipeline.Stages { return child(crashLog) },
		inner:   pipeline.Direct{},
		people:  child("").people,
		sheet:   child("").sheet,
		frames:  child("").frames,
		confine: confine,
	}
}

// status is an exit code whose reason was already printed.
type status int

// Error says the code; nobody prints it.
func (s status) Error() string { return fmt.Sprintf("exit %d", int(s)) }

// ended ends a command whose answer was printed: with an exit code, or well.
func ended(exit int) error {
	if exit == pipeline.ExitReleased {
		return nil
	}
	return status(exit)
}

// printJSON writes one answer, indented.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	return nil
}

// printf writes a line of an answer for people; arguments that come from outside go through printable first.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintf(a.out, format, args...)
}

// liner writes lines of a name and a text.
func (a *app) liner() func(name, format string, args ...any) {
	return func(name, format string, args ...any) {
		a.printf("%-12s %s\n", name, text.Printable(fmt.Sprintf(format, args...)))
	}
}

// fail prints err as one line, or as JSON, and gives its exit code.
func (a *app) fail(clip string, err error) int {
	var named *failure.ClipError
	if errors.As(err, &named) {
		clip, err = named.Clip, named.Err
	}
	f := failure.As(err)
	if a.JSON {
		if err := a.printJSON(map[string]any{"failure": failure.Named{Clip: clip, Failure: f}}); err != nil {
			return pipeline.ExitFailed
		}
		return f.Exit
	}
	fmt.Fprintln(a.err, failure.Line(clip, f))
	return f.Exit
}
