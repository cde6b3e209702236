// Package jobs takes redaction jobs through NATS JetStream so that each accepted job is answered exactly once, whatever dies
// on the way.
//
// It owns the job's format, the record of each job's state, the queue of wake-ups, the events and the dead letters. The record
// is the truth and changes by compare-and-set only; a message in the queue merely says that there is something to do, so a
// message that is lost is published again and one too many does no harm. Each claim raises the record's epoch: whoever finds
// another epoch there than its own has lost the job, stops, and says nothing more to the server.
//
// It never touches a clip, knows no store, no keys and no policy, and puts nothing of a job's content (case, names, keys) into
// events, dead letters, subjects or logs: there stand only the id, the counters and a stable code.
//
// A Queue belongs to whoever opened it; Close waits for its goroutines. The connection stays the caller's.
package jobs
