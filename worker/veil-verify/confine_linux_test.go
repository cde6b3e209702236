package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/sandbox"
)

// TestPicturesAreDecodedConfined: ffmpeg reads the derivative and nothing beside it.
func TestPicturesAreDecodedConfined(t *testing.T) {
	k := evidencetest.New(t)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{k.Out, "--json"}, &out, &errs); code != exitPartial {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var r evidence.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Find("frames").Code != "frames_same" {
		t.Errorf("%v: %s", err, out.String())
	}
	start := confined("/bin/cat")
	if start == nil || sandbox.LandlockVersion() == 0 {
		return // nothing is denied here
	}
	read := func(file, allowed string) string {
		var b bytes.Buffer
		cmd, release, err := start(func() *exec.Cmd {
			cmd := exec.Command("/bin/cat", file)
			cmd.Stdout = &b
			return cmd
		}, allowed)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		_ = cmd.Wait()
		return b.String()
	}
	plan := k.Stem() + evidence.PlanEnding
	if read(plan, plan) == "" {
		t.Error("what may be read cannot be read")
	}
	if got := read(plan, k.Out); got != "" {
		t.Errorf("the plan was read: %s", got)
	}
}
