// Package faults kills what can be killed while real workers redact real clips, and then counts: every job has one answer,
// every answer is whole, and nothing is left lying about. It is run by `make faults`, on its own, because it takes a quarter
// of an hour; it owns every process that it starts.
//
// Workers are real processes, the queue is a NATS server in a process of its own, the store is versitygw. A worker is stopped
// (SIGSTOP) when the event of a stage arrives, looked at while it can not move, and killed (SIGKILL) only if it is where the
// test wants it, so that the count of each stage in the summary is of kills that were seen to hit it.
package faults
