//go:build runbooks

package runbooks_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBackupAndRestore sets the queue back to a backup that is older than the store, then loses the store, then the keys.
func TestBackupAndRestore(t *testing.T) {
	h := newHouse(t, false)
	h.command("systemctl", "start", "veil.target")
	h.submit("early", 1)
	h.released("early")
	h.command("systemctl", "stop", "veil-worker@1")
	h.submit("later", 2)
	p := h.open("backup.md")
	p.do("Back up")
	h.command("systemctl", "start", "veil.target")
	h.released("later")
	h.command("systemctl", "stop", "veil-worker@1") // its copy of the record is written
	before := h.results()

	if out := p.do("Restore the queue"); !strings.Contains(out, "later") {
		t.Errorf("%s", out)
	}
	if phases := h.phases(); phases["later"] != "released" || phases["early"] != "released" {
		t.Errorf("after the rebuild: %v", phases)
	}
	time.Sleep(5 * time.Second) // a worker would have begun
	h.unchanged(before, "early", "later")

	if err := os.RemoveAll(h.path("store/objects")); err != nil {
		t.Fatal(err)
	}
	p.do("Restore the store")
	out, err := h.try("veil-here", "setup", "--rebuild")
	if err == nil || !strings.Contains(out, "missing    later:") || strings.Contains(out, "early") {
		t.Errorf("%v\n%s", err, out)
	}
	for path, sum := range h.results() {
		if strings.Contains(path, "/early/") && before[path] != sum {
			t.Errorf("%s came back as something else", path)
		}
	}

	key := h.read(h.path("etc/keys/veil.key"))
	if err := os.Remove(h.path("etc/keys/veil.key")); err != nil {
		t.Fatal(err)
	}
	p.do("Restore the keys")
	if h.read(h.path("etc/keys/veil.key")) != key {
		t.Error("another key came back")
	}
}

// TestStoreLost loses the store's disk after a job was released that the replica does not have.
func TestStoreLost(t *testing.T) {
	h := newHouse(t, false)
	h.command("systemctl", "start", "veil.target")
	h.submit("early", 1)
	h.released("early")
	h.command("systemctl", "stop", "veil-worker@1")
	h.submit("late", 2)
	p := h.open("store.md")
	p.do("Before: keep a replica")
	h.command("systemctl", "start", "veil.target")
	h.released("late")
	before := h.results()
	// The disk is gone, and something has made the folders that are always there.
	if err := os.RemoveAll(h.path("store")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.path("store/objects/veil"), 0o700); err != nil {
		t.Fatal(err)
	}
	manifests := h.manifests("replica")
	if manifests == 0 {
		t.Fatal("the test tries nothing: the replica is empty")
	}
	for _, block := range p.sections["Before: keep a replica"] { // as the timer does it, which stops at no error
		cmd := exec.Command("bash", "-c", block)
		cmd.Dir, cmd.Env = h.dir, h.env
		if out, err := cmd.CombinedOutput(); err == nil || h.manifests("replica") != manifests {
			t.Fatalf("without its disk the store was copied, %d of %d manifests are left: %s", h.manifests("replica"), manifests, out)
		}
	}
	p.do("Check")
	if out := p.do("What to type"); !strings.Contains(out, "missing    late:") || strings.Contains(out, "missing    early:") {
		t.Errorf("%s", out)
	}
	p.do("What is missing")
	h.released("early", "late")
	p.do("How you know that it worked")
	for path := range h.results() {
		if strings.Contains(path, "/early/") && before[path] == "" {
			t.Errorf("%s came anew", path)
		}
	}
	if _, err := os.Stat(h.path("store/objects/veil/release/late/2/manifest.json")); err != nil {
		t.Error(err)
	}
}

// manifests counts those below a folder.
func (h *house) manifests(dir string) (n int) {
	h.t.Helper()
	err := filepath.WalkDir(h.path(dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "manifest.json" {
			n++
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// verify checks a fetched derivative against the trust file.
func (h *house) verify(id string) (string, error) {
	h.t.Helper()
	dir := h.path("fetched-" + id)
	if _, err := os.Stat(dir); err != nil {
		h.command("veil-here", "get", id, "-o", dir)
	}
	clips, err := filepath.Glob(filepath.Join(dir, "*.mp4"))
	if err != nil || len(clips) != 1 {
		h.t.Fatalf("%v: %v", clips, err)
	}
	out, _ := h.try("veil-here", "verify", clips[0], "--trust", h.path("etc/trust.json"), "--json")
	var answer struct {
		Checks []struct{ Check, Name, Code, Result string }
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range answer.Checks {
		if c.Name == "signature" || c.Check == "signature" {
			return c.Code, nil
		}
	}
	return out, fmt.Errorf("no word about the signature")
}

// TestKeyIsChanged: evidence of the old key stays valid until that is called compromised, and that of the new one is valid.
func TestKeyIsChanged(t *testing.T) {
	h := newHouse(t, false)
	h.command("systemctl", "start", "veil.target")
	h.submit("before", 1)
	h.released("before")
	p := h.open("keys.md")
	p.do("A new key")
	h.submit("after", 2)
	h.released("after")
	for _, id := range []string{"before", "after"} {
		if code, err := h.verify(id); err != nil || !strings.HasPrefix(code, "valid") {
			t.Errorf("%s: %s, %v", id, code, err)
		}
	}
	h.write("etc/worker.env", h.read(h.path("etc/worker.env"))+"VEIL_TRUST=$etc/trust.json\n")
	h.command("systemctl", "restart", "veil-worker@1")
	h.submit("trusted", 3)
	h.released("trusted")
	p.do("A key that others may have")
	if code, err := h.verify("before"); err != nil || code != "key_compromised" {
		t.Errorf("before: %s, %v", code, err)
	}
	if code, err := h.verify("after"); err != nil || !strings.HasPrefix(code, "valid") {
		t.Errorf("after: %s, %v", code, err)
	}
	// A worker with the old key refuses to start.
	old, err := filepath.Glob(h.path("etc/keys/old/*/veil.key"))
	if err != nil || len(old) != 1 {
		t.Fatal(old, err)
	}
	if out, err := h.try("veil-here", "worker", "--key", old[0]); err == nil || !strings.Contains(out, "compromised") {
		t.Errorf("a compromised key signs: %s", out)
	}
	// A second change leaves what the first one said, and both old keys.
	p.do("A new key")
	h.submit("third", 4)
	h.released("third")
	for id, want := range map[string]string{"before": "key_compromised", "after": "valid", "third": "valid"} {
		if code, err := h.verify(id); err != nil || !strings.HasPrefix(code, want) {
			t.Errorf("after the second change: %s: %s, %v", id, code, err)
		}
	}
	if old, err := filepath.Glob(h.path("etc/keys/old/*/veil.*")); err != nil || len(old) != 4 {
		t.Errorf("kept are %v, %v", old, err)
	}
}

// TestCertificatesAreRenewed: all certificates and their authority are replaced while a worker runs, and the worker takes them up.
func TestCertificatesAreRenewed(t *testing.T) {
	h := newHouse(t, true)
	h.command("systemctl", "start", "veil.target")
	h.submit("before", 1)
	h.released("before")
	pid := h.read(h.path("units/veil-worker@1.pid"))
	newAuthority(t).issue(h.path("new"))
	p := h.open("certificates.md")
	p.do("How you notice")
	p.do("Check")
	h.submit("during", 2)
	p.do("What to type")
	h.released("during")
	h.submit("after", 3)
	h.released("after")
	if out := p.do("How you know that it worked"); !strings.Contains(out, "after") {
		t.Errorf("%s", out)
	}
	if now := h.read(h.path("units/veil-worker@1.pid")); now != pid {
		t.Error("the worker was started anew")
	}
	if log := h.read(h.path("units/veil-worker@1.log")); !strings.Contains(log, "queue is back") {
		t.Error("the worker never connected anew: the test tries nothing")
	}
	for _, id := range []string{"before", "during", "after"} {
		h.once(id)
	}
}

// once fails the test unless a job has one attempt with a manifest, and one release.
func (h *house) once(id string) {
	h.t.Helper()
	manifests := 0
	for path := range h.results() {
		if strings.HasPrefix(path, "restricted/"+id+"/") && strings.HasSuffix(path, "/manifest.json") {
			manifests++
		}
	}
	if releases, err := filepath.Glob(h.path("store/objects/veil/release/" + id + "/*/manifest.json")); err != nil || manifests != 1 || len(releases) != 1 {
		h.t.Errorf("%s has %d results and %d releases", id, manifests, len(releases))
	}
}

// TestUpgradeUnderLoad restarts two workers one after the other with a second build while jobs are worked on.
func TestUpgradeUnderLoad(t *testing.T) {
	h := newHouse(t, false)
	h.write("units/enabled", "veil-nats veil-store veil-worker@1 veil-worker@2\n")
	if err := goBuild("veil-two", "veil/worker", "two"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(programs, "veil-two"), h.path("new/veil")); err != nil {
		t.Fatal(err)
	}
	h.command("systemctl", "start", "veil-worker@1", "veil-worker@2")
	h.command("systemctl", "stop", "veil-worker@*")
	p := h.open("workers.md")
	ids := []string{}
	for i := range 8 {
		id := fmt.Sprintf("job-%d", i)
		h.submit(id, 0.5+0.7*float64(i))
		ids = append(ids, id)
	}
	p.do("Check") // and start them
	h.released(ids[0])
	p.do("A new build, under load")
	h.released(ids...)
	if out := p.do("Empty a worker"); !strings.Contains(out, `"stopped"`) {
		t.Errorf("%s", out)
	}
	for _, id := range ids {
		h.once(id)
		if _, err := os.Stat(h.path("store/objects/veil/restricted/" + id + "/1/2")); err == nil {
			t.Errorf("%s was begun twice", id)
		}
	}
	if log := h.read(h.path("units/veil-worker@2.log")); !strings.Contains(log, `"build":"one"`) || !strings.Contains(log, `"build":"two"`) {
		t.Error("no worker changed its build: the test tries nothing")
	}
}

// TestScratchFull: what a killed worker left fills the disk; the jobs of another wait, and go on after the page was typed.
func TestScratchFull(t *testing.T) {
	h := newHouse(t, false)
	h.write("units/enabled", "veil-nats veil-store veil-worker@1 veil-worker@2\n")
	const ballast = 8 << 30 // bytes; other programs may use the disk meanwhile
	left := h.path("cache/worker-2/run-1")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(left) })
	h.write("cache/worker-2/run-1/lock", "")
	f, err := os.Create(filepath.Join(left, "clip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, ballast); err != nil {
		t.Fatalf("this test wants %d GiB of free disk: %v", ballast>>30, err)
	}
	f.Close()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(left, &disk); err != nil {
		t.Fatal(err)
	}
	reserve := (int64(disk.Bavail)*disk.Bsize + ballast/2) >> 20
	h.write("etc/worker.env", h.read(h.path("etc/worker.env"))+fmt.Sprintf("VEIL_RESERVE=%d\n", reserve))
	h.command("systemctl", "start", "veil-worker@1")
	h.submit("waiting", 1)
	for end := time.Now().Add(patience); !strings.Contains(h.read(h.path("units/veil-worker@1.log")), "waiting for scratch space"); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the worker does not wait for scratch space")
		}
	}
	time.Sleep(3 * time.Second)
	if phase := h.phases()["waiting"]; phase != "queued" {
		t.Fatalf("the job is %s", phase)
	}
	p := h.open("scratch.md")
	if out := p.do("Check"); !strings.Contains(out, "worker-2") {
		t.Errorf("%s", out)
	}
	p.do("What to type")
	h.released("waiting")
	p.do("How you know that it worked")
}

// TestCaseComesBack: a case that is gone from queue and store is looked at beside them, and brought back.
func TestCaseComesBack(t *testing.T) {
	h := newHouse(t, false)
	h.command("systemctl", "start", "veil.target")
	h.submit("one", 1)
	h.submit("two", 2)
	h.clip(h.path("other.mp4"), 3)
	h.command("veil-here", "submit", h.path("other.mp4"), "--id", "other", "--case", "ST-1")
	h.released("one", "two", "other")
	h.command("systemctl", "stop", "veil-worker@1")
	before := h.results()
	backup := h.open("backup.md")
	backup.do("Back up")
	for heading := range backup.sections {
		backup.typed[heading] = true // the rest is another test's
	}
	// The case is lost in store and queue: the queue comes back without it.
	h.command("systemctl", "stop", "veil-nats")
	for _, part := range []string{"release", "restricted", "incoming"} {
		for _, id := range []string{"one", "two"} {
			if err := os.RemoveAll(h.path("store/objects/veil/" + part + "/" + id)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.RemoveAll(h.path("nats/jetstream")); err != nil {
		t.Fatal(err)
	}
	h.command("systemctl", "start", "veil-nats")
	h.command("veil-here", "setup", "--rebuild", "--wait", "1m")
	if phases := h.phases(); len(phases) != 1 || phases["other"] != "released" {
		t.Fatalf("%v", phases)
	}
	p := h.open("case.md")
	p.do("Look at it, beside the live system")
	if phases := h.phases(); len(phases) != 1 {
		t.Errorf("the live system was touched: %v", phases)
	}
	h.command("systemctl", "start", "veil.target")
	if out := p.do("Bring it back into the live system"); !strings.Contains(out, "one") || !strings.Contains(out, "two") || strings.Contains(out, "other") {
		t.Errorf("%s", out)
	}
	h.unchanged(before, "one", "two", "other")
	if phases := h.phases(); phases["one"] != "released" || phases["two"] != "released" {
		t.Errorf("%v", phases)
	}
}
