package jobs

import (
	"errors"
	"strings"
)

// Names on the server. An account is veil's alone or leaves these names to it.
const (
	StreamJobs   = "JOBS"
	StreamEvents = "EVENTS"
	StreamDead   = "DEAD"
	BucketState  = "STATE"
	streamState  = "KV_" + BucketState

	// wakeSubject carries empty messages that tell an idle worker to look at once; it is stored nowhere.
	wakeSubject = "veil.wake"
	// wakeGroup shares the wake-ups among the idle workers: each wakes one of them.
	wakeGroup = "idle"
	// keeperSubject carries the words by which workers agree on who keeps the queue; it is stored nowhere.
	keeperSubject = "veil.keeper"
	// submitterAPI is where an account that may only submit finds what it may ask of JetStream: $JS.API is each account's own.
	submitterAPI = "veil.api"
	// unreadableToken stands for an id that is none; no valid id holds a tilde.
	unreadableToken = "~"
)

var errNoState = errors.New("no state record")

func jobSubject(p Priority, id string) string { return "job." + string(p) + "." + id }

func eventSubject(id string) string { return "event." + id }

func stateSubject(id string) string { return "$KV." + BucketState + "." + id }

func deadSubject(id string) string { return "dead." + id }

// splitSubject gives the priority and id of a wake-up's subject; ok is false where the id is none.
func splitSubject(subject string) (p Priority, id string, ok bool) {
	parts := strings.Split(subject, ".")
	if len(parts) != 3 {
		return "", "", false
	}
	return Priority(parts[1]), parts[2], ValidID(parts[2])
}
