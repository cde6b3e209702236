package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// print writes the table for people: each figure beside what is asked of it.
func (r Results) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %d cores\n\n", r.Build, r.CPUs)
	fmt.Fprintln(t, "measured\tfigure\tasked\t")
	row := func(kept bool, what, figure, asked string) {
		if !kept {
			asked += " (missed)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", what, figure, asked)
	}
	plain := func(what, format string, v ...any) { row(true, what, fmt.Sprintf(format, v...), "") }
	if o := r.Overhead; o != nil {
		plain("veil redact, "+o.Clip, "%.2f s, %.2f s of processor", o.Redact.Seconds, o.Redact.CPU)
		plain("a job with the same clip", "%.2f s, %.2f s of processor", o.Job.Seconds, o.Job.CPU)
		row(o.Extra() <= o.Limit(), fmt.Sprintf("the daemon adds, medians of %d", o.Rounds), fmt.Sprintf("%.2f s", o.Extra()), fmt.Sprintf("at most %.2f s", o.Limit()))
		row(true, "the daemon adds, processor time", fmt.Sprintf("%.2f s", o.Job.CPU-o.Redact.CPU), "")
	}
	if p := r.Pairs; p != nil {
		plain(fmt.Sprintf("one worker with two slots, %d clips", p.Jobs), "%.1f clips/min", p.One)
		plain("two workers with a slot each", "%.1f clips/min", p.Two)
		row(p.Share() >= pairsShare, fmt.Sprintf("two by one, medians of %d", p.Rounds), fmt.Sprintf("%.2f", p.Share()), fmt.Sprintf("at least %.1f", pairsShare))
	}
	if h := r.Thousand; h != nil {
		row(h.Once == h.Jobs, fmt.Sprintf("%d clips of a second, %d slots: settled once", h.Jobs, h.Slots), fmt.Sprint(h.Once), fmt.Sprint(h.Jobs))
		row(h.Overtaken == 0, "starts before a higher priority", fmt.Sprint(h.Overtaken), "0")
		plain("throughput", "%.1f clips/min, %.2f s of processor a clip", float64(h.Jobs)/h.Seconds*60, h.CPU/float64(h.Jobs))
	}
	if b := r.Big; b != nil {
		plain(fmt.Sprintf("file of %.1f GB, from accepted to settled", float64(b.Bytes)/1e9), "%.0f s", b.Took)
		row(b.Worker.ResidentMB < bigLimit, "worker's own process, resident", fmt.Sprintf("%.0f MB", b.Worker.ResidentMB), fmt.Sprintf("under %d MB", bigLimit))
		plain("  of that by its share, and its own pages", "%.0f MB, %.0f MB", b.Worker.ShareMB, b.Worker.OwnMB)
		row(b.Submit.PeakMB < bigLimit, "veil submit, resident", fmt.Sprintf("%.0f MB", b.Submit.PeakMB), fmt.Sprintf("under %d MB", bigLimit))
	}
	if i := r.Idle; i != nil {
		row(i.Share < idleShare, fmt.Sprintf("idle worker, %.0f s", i.Seconds), fmt.Sprintf("%.2f %% of a core", 100*i.Share), fmt.Sprintf("under %.0f %%", 100*idleShare))
		row(i.Memory.ResidentMB < bigLimit, "idle worker, resident", fmt.Sprintf("%.0f MB", i.Memory.ResidentMB), fmt.Sprintf("under %d MB", bigLimit))
	}
	if f := r.Fleet; f != nil {
		row(f.Once == f.Jobs, fmt.Sprintf("%d workers, %d jobs that sleep %.0f s: settled once", f.Workers, f.Jobs, f.Sleep), fmt.Sprint(f.Once), fmt.Sprint(f.Jobs))
		row(f.Share >= fleetShare, fmt.Sprintf("throughput by what sleeping allows, over %.0f s", f.Seconds), fmt.Sprintf("%.3f", f.Share), fmt.Sprintf("at least %.1f", fleetShare))
		plain("from an answer to the next claim, 50th, 95th, 99th of 100", "%.0f ms", f.HandoverMS)
		plain("from submission to claim, where jobs come one by one", "%.0f ms", f.WaitMS)
		plain("processor a job: queue, store, workers", "%.1f ms, %.1f ms, %.1f ms", 1000*f.QueueCPU, 1000*f.StoreCPU, 1000*f.WorkerCPU)
		plain("processor a job that comes by itself: queue", "%.1f ms", 1000*f.CalmQueueCPU)
		plain("resident: queue, store, a worker", "%.0f MB, %.0f MB, %.0f MB", f.QueueMB, f.StoreMB, f.WorkerMB)
		plain("in the queue's files: a record, an event, events a job", "%.0f bytes, %.0f bytes, %.0f", f.StateBytes, f.EventBytes, f.Events)
		plain("objects in the store, and their bytes besides clips, plans and reports", "%.0f, %.0f bytes a job", f.Objects, f.ObjectBytes)
	}
	return t.Flush()
}
