package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"veil/worker/access"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/screen"
	"veil/worker/text"
)

// jobCmd is `veil job`.
type jobCmd struct {
	ID string `arg:"" help:"The job."`
	connect.Flags
}

// jobInfo is everything about one job. It holds what the submitter said: restricted.
type jobInfo struct {
	State  jobs.State        `json:"state"`
	Cause  string            `json:"cause,omitempty"`
	Remedy string            `json:"remedy,omitempty"`
	Where  map[string]string `json:"where,omitempty"` // prefixes in the store
	Events []jobs.Event      `json:"events"`
	Letter *jobs.DeadLetter  `json:"dead_letter,omitempty"`
	job    jobs.Job
}

// Run shows one job.
func (c *jobCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	info, err := jobInfoOf(ctx, s, c.ID)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	if err := s.Note(ctx, access.Entry{Action: access.Query, Job: c.ID, What: "job shown"}); err != nil {
		return err
	}
	if a.JSON {
		return a.printJSON(info)
	}
	a.printJob(info)
	return nil
}

// jobInfoOf gathers what is known of a job.
func jobInfoOf(ctx context.Context, s *connect.Service, id string) (jobInfo, error) {
	state, err := s.Queue.State(ctx, id)
	if err != nil {
		return jobInfo{}, err
	}
	i := jobInfo{State: state, Where: archive.Where(state)}
	if i.job, err = state.Decoded(); err != nil {
		return i, err
	}
	o := failure.OutcomeOf(state)
	if state.Phase.Final() || state.Code != "" {
		i.Cause, i.Remedy = o.Cause, o.Remedy
		if !state.Phase.Final() {
			i.Cause, i.Remedy = failure.TextOf(state.Code).EN.Cause, "none: it is tried again"
		}
	}
	if i.Events, err = s.Queue.History(ctx, id); err != nil {
		return i, err
	}
	letter, err := s.Queue.DeadLetter(ctx, id)
	if err == nil {
		i.Letter = &letter
	} else if !errors.Is(err, jobs.ErrNotFound) {
		return i, err
	}
	return i, nil
}

// stamp writes a time for people and programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// printJob is the account for people.
func (a *app) printJob(i jobInfo) {
	line := a.liner()
	some := func(name, text string) {
		if text != "" {
			line(name, "%s", text)
		}
	}
	s, j := i.State, i.job
	line("job", "%s", s.ID)
	line("state", "%s since %s", s.Phase, stamp(s.Updated))
	some("cause", i.Cause)
	some("what to do", i.Remedy)
	some("code", s.Code)
	some("detail", s.Detail)
	some("faults", strings.Join(s.Faults, "; "))
	line("clip", "s3://%s/%s", j.Source.Bucket, j.Source.Key)
	some("sha256", j.Source.SHA256)
	some("policy", j.Policy)
	if len(j.PolicyInline) > 0 {
		line("policy", "in full, with the job")
	}
	some("case", j.Case)
	some("requester", j.Requester)
	some("purpose", j.Purpose)
	line("priority", "%s", s.Priority)
	line("submitted", "%s", stamp(s.Submitted))
	if j.Deadline != nil {
		line("deadline", "%s (%s)", stamp(*j.Deadline), screen.ViewOf(s).Due())
	}
	if j.DestroyAfter != nil {
		line("destroy", "after %s", stamp(*j.DestroyAfter))
	}
	line("generation", "%d: %d attempts, %d failures, %d workers died", s.Generation, s.Attempts, s.Failures, s.Deaths)
	some("worker", s.Worker)
	some("released", i.Where["release"])
	some("restricted", i.Where["restricted"])
	if r := s.Result; r != nil {
		some("findings", strings.Join(r.Findings, ", "))
		some("manifest", r.Envelope)
		line("signed", "%s", orWord(r.Key, "no: nobody vouches for it"))
	}
	a.printf("\n")
	for _, e := range lastStages(i.Events) {
		a.printf("%s  %d.%d  %s\n", stamp(e.Time), e.Generation, e.Attempt, text.Printable(eventText(e)))
	}
}

// lastStages leaves of the percentages of a stage only the last.
func lastStages(all []jobs.Event) (list []jobs.Event) {
	for _, e := range all {
		if n := len(list); n > 0 && e.Event == jobs.EventStage && list[n-1].Event == jobs.EventStage && list[n-1].Stage == e.Stage &&
			list[n-1].Generation == e.Generation && list[n-1].Attempt == e.Attempt {
			list = list[:n-1]
		}
		list = append(list, e)
	}
	return list
}

// eventText is an event in one line.
func eventText(e jobs.Event) string {
	switch {
	case e.Event == jobs.EventStage && e.Percent != nil:
		return e.Stage + " " + screen.PercentText(*e.Percent)
	case len(e.Faults) > 0:
		return string(e.Event) + " (" + strings.Join(e.Faults, "; ") + ")"
	case e.Code != "":
		return string(e.Event) + " (" + e.Code + ")"
	case len(e.Findings) > 0:
		return string(e.Event) + " (" + strings.Join(e.Findings, ", ") + ")"
	}
	return string(e.Event)
}
