package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/worker/archive"
	"veil/worker/disk"
	"veil/worker/jobs"
	"veil/worker/proof"
	"veil/worker/room"
	"veil/worker/store"
)

// task is one attempt on its way to a result. Everything of it on this machine lies in one scratch folder.
type task struct {
	*worker
	attempt *jobs.Attempt
	job     jobs.Job
	state   jobs.State // as claimed
	prefix  string
	policy  decide.Policy
	begun   time.Time

	scratch *disk.Scratch
	share   *room.Share // of the scratch space
	source  store.Object
	request pipeline.Request
	outcome pipeline.Outcome
	record  string // digest of the job as this attempt runs it
	events  *proof.Recorder
}

// begin takes a scratch folder and records the job under the attempt's prefix, which also shows a rebuild the epoch.
func (w *worker) begin(ctx context.Context, a *jobs.Attempt) (*task, error) {
	s := a.State()
	t := &task{worker: w, attempt: a, job: a.Job(), state: s, begun: time.Now().UTC(),
		prefix: store.AttemptPrefix(s.ID, s.Generation, s.Epoch)}
	t.events = proof.Begin(time.Now, map[string]string{"build": build().Revision, "generation": strconv.Itoa(s.Generation), "epoch": strconv.Itoa(s.Epoch),
		"attempt": strconv.Itoa(s.Attempts)})
	var err error
	if t.policy, err = w.policies.Of(t.job); err != nil {
		return nil, err
	}
	if err := archive.KeepJob(ctx, w.service, s); err != nil {
		return nil, err
	}
	b, err := t.job.Encode()
	if err != nil {
		return nil, err
	}
	if t.record, err = archive.PutBytes(ctx, w.service.Store, t.prefix+store.JobName, b); err != nil {
		return nil, err
	}
	t.scratch, err = disk.OpenScratch(w.config.Scratch)
	if err != nil {
		return nil, noRoom(err)
	}
	return t, nil
}

// close removes the scratch folder; err comes first.
func (t *task) close(err error) error {
	t.share.End()
	return errors.Join(err, t.scratch.Close())
}

// stage runs one step of our own with its log line and its progress.
func (t *task) stage(name string, work func() error) error {
	start := time.Now()
	t.attempt.Progress(name, 0)
	err := work()
	if err == nil {
		t.stageDone(name, time.Since(start))
	}
	return err
}

// stageDone logs and counts a finished stage.
func (t *task) stageDone(name string, took time.Duration) {
	t.attempt.Progress(name, 100)
	t.meters.Stage(name, took)
	t.log.Info("stage", "job_id", t.job.ID, "attempt", t.state.Attempts, "stage", name, "duration", took.Round(time.Millisecond).String())
}

// fetch brings the clip into scratch, if there is room for it and for what will be made of it.
func (t *task) fetch(ctx context.Context) error {
	return t.stage("fetch", func() (err error) {
		s := t.job.Source
		if t.source, err = t.service.Source.Stat(ctx, s.Bucket, s.Key, s.Version); err != nil {
			return &sourceError{err}
		}
		if t.share, err = t.room.Take(t.scratch.Dir, t.source.Size); err != nil {
			return err
		}
		f, err := os.OpenFile(t.scratch.Path("clip"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("make copy of clip: %w", noRoom(disk.Plain(err)))
		}
		w := &toScratch{to: f, total: t.source.Size, told: func(percent int) { t.attempt.Progress("fetch", percent) }}
		found := t.source
		t.source, err = t.service.Source.Fetch(ctx, s.Bucket, s.Key, s.Version, w)
		err = errors.Join(err, noRoom(disk.Plain(f.Close())))
		if w.err != nil {
			return fmt.Errorf("copy clip: %w", noRoom(disk.Plain(w.err)))
		}
		if err != nil {
			return &sourceError{err}
		}
		if t.source.Size == 0 {
			t.source.Size = w.done
		}
		if w.done != found.Size || found.ETag != t.source.ETag {
			return &sourceError{store.ErrChanged}
		}
		return nil
	})
}

// toScratch writes a clip down, tells how far it is, and remembers that it was the disk that failed.
type toScratch struct {
	to    *os.File
	done  int64
	total int64
	told  func(int)
	err   error
}

func (w *toScratch) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.done += int64(n)
	w.err = err
	if w.total > 0 {
		w.told(int(100 * w.done / w.total))
	}
	return n, err
}

// checkDigest holds what was fetched against what was ordered.
func (t *task) checkDigest() error {
	if want := t.job.Source.SHA256; want != "" && want != t.source.SHA256 {
		return &sourceError{store.ErrChanged}
	}
	return t.events.Add("fetched", map[string]string{"original": t.source.SHA256})
}

// earlierPlan fetches what an earlier attempt left: the plan that a person decided about, or the first pass.
func (t *task) earlierPlan(ctx context.Context) error {
	t.request = pipeline.Request{Config: t.config, In: t.scratch.Path("clip"), Out: t.scratch.Path("derivative.mp4"), Policy: t.policy,
		OnHold: "keep", PlanOut: t.scratch.Path("plan.json"), ReportOut: t.scratch.Path("report.json"), SheetOut: t.scratch.Path(store.SheetName), Planned: t.keepDraft}
	t.request.Config.Scratch = t.scratch.Path("stages") // its lock must not be the folder's own
	p := t.state.Plan
	if len(t.job.Decisions) > 0 {
		d, err := decide.ParseDecisions(t.job.Decisions)
		if err != nil {
			return fmt.Errorf("%w: %w", pipeline.ErrUsage, err)
		}
		t.request.Decisions, t.request.Plan = &d, t.scratch.Path("decided.json")
		if p == nil {
			return errNoPlan
		}
		return t.fetchPlan(ctx, store.PlanName, t.request.Plan)
	}
	if p == nil {
		return nil
	}
	draft := t.scratch.Path("draft")
	switch err := t.fetchPlan(ctx, archive.DraftName, draft); {
	case err == nil:
		t.request.Draft = draft
	case !errors.Is(err, errNoPlan):
		return err
	}
	return nil // what was kept is gone or is another plan: the clip is analyzed again
}

// fetchPlan fetches what the record names as plan; errNoPlan where it is not there or is something else.
func (t *task) fetchPlan(ctx context.Context, name, path string) error {
	p := t.state.Plan
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make copy of plan: %w", noRoom(disk.Plain(err)))
	}
	o, err := t.service.Store.Fetch(ctx, store.AttemptPrefix(t.job.ID, p.Generation, p.Epoch)+name, f)
	if err = errors.Join(err, noRoom(disk.Plain(f.Close()))); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("fetch plan: %w", err)
	}
	if err != nil || o.SHA256 != p.SHA256 {
		return errNoPlan
	}
	return nil
}

// keepDraft stores the first pass as soon as it ends, so that a later attempt starts after it.
func (t *task) keepDraft(ctx context.Context, path string) error {
	o, err := t.putFile(ctx, archive.DraftName, path, "application/json")
	if err != nil {
		return err
	}
	if err := t.attempt.SavePlan(ctx, o.SHA256); err != nil {
		return err
	}
	if err := archive.KeepState(ctx, t.service, t.job.ID); err != nil { // only a rebuild would miss it
		t.log.Warn("keep record", "job_id", t.job.ID, "code", causeFor(err).Code)
	}
	return nil
}

// redact runs the pipeline. A stage that makes no progress for long is ended.
func (t *task) redact(ctx context.Context) error {
	ctx, watch := watchStall(ctx, t.stall)
	defer watch.end()
	p := newStageTimer(t)
	var err error
	t.outcome, err = t.engine.redact(ctx, t.engine.stages(t.crashLog), t.request, func(e pipeline.Event) {
		watch.sign()
		p.event(e)
		t.events.Event(e)
	})
	if stalled := context.Cause(ctx); err != nil && errors.Is(stalled, errStalled) {
		return errStalled
	}
	if err != nil {
		return err
	}
	p.end()
	t.meters.Video(t.outcome.Seconds, time.Since(p.begun))
	return nil
}

// sameSource looks at the original again: it must still be what was fetched.
func (t *task) sameSource(ctx context.Context) error {
	s := t.job.Source
	now, err := t.service.Source.Stat(ctx, s.Bucket, s.Key, s.Version)
	if err == nil && (now.ETag != t.source.ETag || now.Size != t.source.Size) {
		err = store.ErrChanged
	}
	if err != nil {
		return &sourceError{err}
	}
	if got := t.outcome.Report.Source.SHA256; got != t.source.SHA256 {
		return fmt.Errorf("%w: the copy of the clip is not what was fetched", media.ErrChanged)
	}
	return nil
}
