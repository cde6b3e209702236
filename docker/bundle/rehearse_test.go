//go:build bundle

package bundle_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is a clip of a person talking that `make demo` installs.
const sample = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"

// built is an archive and what it installs.
type built struct{ path, version, revision string }

func (b built) folder() string { return strings.TrimSuffix(filepath.Base(b.path), ".bundle.tar") }

// archives builds one archive of the commit before the last and one of this checkout, with one key, or takes those that
// REHEARSE_OLD and REHEARSE_NEW name.
func archives(t *testing.T) (older, newer built, key string) {
	t.Helper()
	dir := t.TempDir()
	make := func(given, commit string) built {
		into := filepath.Join(dir, commit)
		if given == "" {
			cmd := exec.Command("./make.sh")
			cmd.Env = append(os.Environ(), "BUNDLE_OUT="+into, "BUNDLE_KEY="+filepath.Join(dir, "key"), "BUNDLE_COMMIT="+commit)
			start := time.Now()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("make.sh: %v\n%s", err, out)
			}
			t.Logf("%s in %.0f s", strings.TrimSpace(string(out)), time.Since(start).Seconds())
			found, err := filepath.Glob(filepath.Join(into, "*.bundle.tar"))
			if err != nil || len(found) != 1 {
				t.Fatalf("make.sh made %v: %v", found, err)
			}
			given = found[0]
		}
		facts := mustRun(t, ".", "tar", "-xOf", given, strings.TrimSuffix(filepath.Base(given), ".bundle.tar")+"/BUNDLE")
		b := built{path: given}
		for line := range strings.Lines(facts) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch name {
			case "version":
				b.version = value
			case "revision":
				b.revision = value
			}
		}
		return b
	}
	older, newer = make(os.Getenv("REHEARSE_OLD"), "HEAD~1"), make(os.Getenv("REHEARSE_NEW"), "HEAD")
	if older.version == newer.version {
		t.Fatal("both archives hold the same version")
	}
	return older, newer, filepath.Join(filepath.Dir(newer.path), "veil-bundle.gpg")
}

// clips cuts n clips of the sample, each of its own content.
func clips(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clips")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		mustRun(t, dir, "ffmpeg", "-v", "error", "-nostdin", "-ss", fmt.Sprintf("%.2f", float64(i)*0.3), "-t", "0.8", "-i", sample,
			"-vf", "scale=640:-2", "-c:v", "libx264", "-preset", "veryfast", "-an", fmt.Sprintf("clip-%02d.mp4", i))
	}
	return dir
}

// TestRehearsal installs, upgrades and rolls back on a bare Debian without network while its queue is at work.
func TestRehearsal(t *testing.T) {
	isRoot(t)
	older, newer, key := archives(t)
	m := boot(t, bareRoot(t, "systemd", "systemd", "systemd-sysv"))
	m.noNetwork()
	m.bring(older.path, older.path+".sig", newer.path, newer.path+".sig", key, clips(t, jobCount+2))
	for _, b := range []built{older, newer} {
		name := filepath.Base(b.path)
		m.run("gpgv --keyring ./veil-bundle.gpg " + name + ".sig " + name + " && tar -xf " + name)
	}

	m.firstInstall(older)
	m.sandboxHolds()
	m.watchedFolder()
	before := m.untouched()

	m.say("submit %d clips", jobCount)
	for i := range jobCount {
		m.run(fmt.Sprintf("veil-here submit clips/clip-%02d.mp4 --id job-%02d --case rehearsal --purpose rehearsal", i, i))
	}
	m.midQueue("upgrade", "./"+newer.folder()+"/install.sh install --yes", newer)
	m.midQueue("rollback", "./"+newer.folder()+"/install.sh rollback --yes", older)
	m.waitFor("all jobs", func(done, _ int) bool { return done >= jobCount })
	if after := m.untouched(); after != before {
		t.Errorf("settings or keys changed:\n%s\n%s", before, after)
	}
	m.settledOnce(older, newer)
	m.evidence()
	m.failed(older, newer)
	m.interrupted(newer)
	m.removed(newer)
	if after := m.untouched(); after != before {
		t.Errorf("settings or keys changed:\n%s\n%s", before, after)
	}
	m.purged(newer)
}

// jobCount is how many clips go through the queue. Upgrade and way back each happen after some are done and before all are.
const jobCount = 14

func (m *machine) say(format string, args ...any) {
	m.t.Logf("%s %s", time.Now().UTC().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// noNetwork shows that nothing is reached from inside.
func (m *machine) noNetwork() {
	m.t.Helper()
	for line := range strings.Lines(m.run("cat /proc/net/dev | tail -n +3")) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), ":"); name != "lo" {
			m.t.Fatalf("the machine has the network device %s", name)
		}
	}
	if out, code := m.try("getent hosts example.org"); code == 0 {
		m.t.Fatalf("the machine finds others: %s", out)
	}
}

// firstInstall looks at the plan first, then has it done.
func (m *machine) firstInstall(b built) {
	m.t.Helper()
	state := "dpkg-query -W | sha256sum; ls -d /etc/veil /var/lib/veil* 2>&1 || true"
	had := m.run(state)
	m.say("plan\n%s", m.run("./"+b.folder()+"/install.sh install --dry-run --encryption declared --workers 2"))
	if has := m.run(state); has != had {
		m.t.Errorf("a dry run changed the machine:\n%s\n%s", had, has)
	}
	if out, code := m.try("./" + b.folder() + "/install.sh install </dev/null"); code != 2 || !strings.Contains(out, "--yes") {
		m.t.Errorf("without a terminal and --yes: exit %d\n%s", code, out)
	}
	start := time.Now()
	out := m.run("./" + b.folder() + "/install.sh install --yes --encryption declared --workers 2")
	m.say("installed in %.0f s\n%s", time.Since(start).Seconds(), out)
	m.runs(b)
}

// runs holds what is installed and what is at work against what should be.
func (m *machine) runs(b built) {
	m.t.Helper()
	if out := m.run("/usr/bin/veil version"); !strings.HasPrefix(out, "veil "+b.revision+" ") {
		m.t.Errorf("installed is %s, wanted %s", out, b.revision)
	}
	m.run("systemctl is-active veil-nats veil-store veil-worker@1 veil-worker@2")
	for _, worker := range []string{"1", "2"} {
		out := m.run("pid=$(systemctl show -P MainPID veil-worker@" + worker + "); readlink /proc/$pid/exe; id -nu $(awk '/^Uid:/ { print $2 }' /proc/$pid/status)")
		if out != "/usr/bin/veil\nveil\n" {
			m.t.Errorf("worker %s runs %q", worker, out)
		}
	}
}

// sandboxHolds asks the worker, under its unit's restrictions, what its children are denied.
func (m *machine) sandboxHolds() {
	m.t.Helper()
	log := m.run("journalctl -q --no-pager -o cat -u veil-worker@1 | grep '\"serving\"' | tail -n 1")
	m.say("worker: %s", strings.TrimSpace(log))
	for _, part := range []string{"required: ", "Landlock", "system call filter", "network namespace", "user namespace"} {
		if !strings.Contains(log, part) {
			m.t.Errorf("the worker's children lack %s: %s", part, log)
		}
	}
	for _, unit := range []string{"veil-worker@1", "veil-nats", "veil-store"} {
		out, _ := m.try("systemd-analyze security --no-pager " + unit + ".service | tail -n 1")
		m.say("%s", strings.TrimSpace(out))
	}
}

// watchedFolder puts a clip into a watched folder and waits for its derivative.
func (m *machine) watchedFolder() {
	m.t.Helper()
	m.run("install -d -o veil -g veil /srv/veil/inbox && sed 's/^#VEIL_EVERY=.*/VEIL_EVERY=1s/' /usr/share/doc/veil/watch.env >/etc/veil/watch/inbox.env && " +
		"systemctl enable -q --now veil-watch@inbox && install -o veil -g veil -m 0640 clips/clip-09.mp4 /srv/veil/inbox/")
	m.run("for i in $(seq 1200); do [ -e /srv/veil/inbox/done/clip-09.mp4.redacted.mp4 ] && exit; sleep 0.5; done; find /srv/veil; exit 1")
	m.say("watched folder: %s", strings.ReplaceAll(strings.TrimSpace(m.run("cd /srv/veil/inbox && find done -type f | sort")), "\n", " "))
	m.run("cd /srv/veil/inbox/done && veil-here verify clip-09.mp4.redacted.mp4 --trust /etc/veil/keys/veil.pub || [ $? = 7 ]")
}

// untouched is a digest of each file of settings and keys, with owner and mode.
func (m *machine) untouched() string {
	m.t.Helper()
	return m.run("cd /etc/veil && find . -type f -not -name bundle.gpg | sort | xargs stat -c '%n %U:%G %a' && find . -type f -not -name bundle.gpg | sort | xargs sha256sum")
}

// view is a job as `veil jobs --json` shows it.
type view struct {
	ID    string `json:"id"`
	Phase string `json:"phase"`
}

// count tells how many of the rehearsal's jobs have their answer, and how many are at work.
func (m *machine) count() (done, at int) {
	m.t.Helper()
	var list struct{ Jobs []view }
	if err := json.Unmarshal([]byte(m.run("veil-here jobs --case rehearsal --limit 0 --json")), &list); err != nil {
		m.t.Fatal(err)
	}
	for _, v := range list.Jobs {
		switch v.Phase {
		case "released", "held":
			done++
		case "running", "committing":
			at++
		case "queued":
		default:
			m.t.Fatalf("job %s is %s: %s", v.ID, v.Phase, m.run("veil-here job "+v.ID))
		}
	}
	if len(list.Jobs) != jobCount {
		m.t.Fatalf("%d jobs are known, %d were handed in", len(list.Jobs), jobCount)
	}
	return done, at
}

func (m *machine) waitFor(what string, enough func(done, at int) bool) {
	m.t.Helper()
	for end := time.Now().Add(25 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if done, at := m.count(); enough(done, at) {
			m.say("%s: %d done, %d at work, %d wait", what, done, at, jobCount-done-at)
			return
		}
	}
	m.t.Fatalf("%s: not in time\n%s", what, m.run("veil-here jobs --case rehearsal"))
}

// midQueue does something to the machine when one more clip is done and another is being worked on; clips must be left then.
func (m *machine) midQueue(what, command string, then built) {
	m.t.Helper()
	first, _ := m.count()
	m.waitFor("before the "+what, func(done, at int) bool { return done > first && at > 0 })
	start := time.Now()
	out := m.run(command)
	done, at := m.count()
	m.say("%s in %.0f s: %d done, %d at work, %d wait\n%s", what, time.Since(start).Seconds(), done, at, jobCount-done-at, out)
	if done == jobCount {
		m.t.Fatalf("the %s came too late: every clip was done", what)
	}
	m.runs(then)
}

// settledOnce holds events, records and store against each other: every job answered once, none lost, none done twice.
func (m *machine) settledOnce(older, newer built) {
	m.t.Helper()
	by := map[string]int{}
	for i := range jobCount {
		id := fmt.Sprintf("job-%02d", i)
		var job struct {
			State struct {
				Phase                                  string
				Generation, Attempts, Failures, Deaths int
			}
			Events []struct{ Event string }
		}
		if err := json.Unmarshal([]byte(m.run("veil-here job "+id+" --json")), &job); err != nil {
			m.t.Fatal(err)
		}
		answers := 0
		for _, e := range job.Events {
			if slices.Contains([]string{"released", "held", "failed", "rejected", "cancelled", "withdrawn"}, e.Event) {
				answers++
			}
		}
		s := job.State
		if s.Phase != "released" || answers != 1 || s.Generation != 1 || s.Attempts != 1 || s.Failures+s.Deaths != 0 {
			m.t.Errorf("%s: %d answers, %+v", id, answers, s)
		}
		var manifests = strings.Fields(m.run("cd /var/lib/veil-store/objects/veil && ls -d restricted/" + id + "/*/*/manifest.json release/" + id + "/*/manifest.json"))
		if len(manifests) != 2 {
			m.t.Errorf("%s has the manifests %v, wanted one of the attempt and one of the release", id, manifests)
		}
		record := m.run("cat /var/lib/veil-store/objects/veil/restricted/" + id + "/1/*/report.json")
		switch {
		case strings.Contains(record, older.revision):
			by[older.revision]++
		case strings.Contains(record, newer.revision):
			by[newer.revision]++
		default:
			m.t.Errorf("%s: the report names neither build", id)
		}
	}
	m.say("every job was answered once; rendered by build: %v", by)
	if by[older.revision] == 0 || by[newer.revision] == 0 {
		m.t.Errorf("one of the builds did nothing: %v", by)
	}
}

// evidence fetches all results and checks each with the public key.
func (m *machine) evidence() {
	m.t.Helper()
	m.run("veil-here get --case rehearsal -o answers")
	out := m.run("cd answers && n=0; for f in *.mp4; do veil-here verify $f --trust /etc/veil/keys/veil.pub >$f.log; code=$?; " +
		"[ $code = 0 ] || [ $code = 7 ] || { cat $f.log; exit 1; }; n=$((n+1)); done; echo $n")
	if strings.TrimSpace(out) != fmt.Sprint(jobCount) {
		m.t.Errorf("%s results were checked, wanted %d", out, jobCount)
	}
	m.say("evidence: %s sets signed and whole", strings.TrimSpace(out))
}

// failed has an upgrade fail when its packages are there already, and goes back from it.
func (m *machine) failed(before, then built) {
	m.t.Helper()
	m.run("cp -a /etc/veil/worker.env . && sed -i 's|^VEIL_S3_ENDPOINT=.*|VEIL_S3_ENDPOINT=http://127.0.0.1:1|' /etc/veil/worker.env")
	out, code := m.try("./" + then.folder() + "/install.sh install --yes")
	m.run("cp -a worker.env /etc/veil/worker.env")
	if code != 1 || !strings.Contains(out, "veil setup") {
		m.t.Errorf("an upgrade without a store: exit %d\n%s", code, out)
	}
	if out := m.run("/usr/bin/veil version"); !strings.HasPrefix(out, "veil "+then.revision+" ") {
		m.t.Fatalf("the failed upgrade left %s", out)
	}
	m.say("back from an upgrade that failed:\n%s", m.run("./"+then.folder()+"/install.sh rollback --yes"))
	m.runs(before)
}

// kill starts install.sh and kills it, with everything that it started, while packages are being replaced.
func (m *machine) kill(b built, options string) {
	m.t.Helper()
	out := m.run("rm -f install.log; setsid ./" + b.folder() + "/install.sh install --yes " + options + " >install.log 2>&1 & pid=$!; " +
		"for i in $(seq 6000); do grep -q 'installing packages' install.log && break; sleep 0.05; done; sleep 1; " +
		"kill -0 -- -$pid || exit 1; kill -9 -- -$pid; sleep 1; cat install.log; dpkg -l veil veil-queue veil-store | tail -n 3")
	m.say("killed in the middle:\n%s", out)
}

// interrupted kills an upgrade while packages are being replaced, and runs it again.
func (m *machine) interrupted(b built) {
	m.t.Helper()
	m.kill(b, "")
	m.say("run again:\n%s", m.run("./"+b.folder()+"/install.sh install --yes"))
	m.runs(b)
	m.run("systemctl is-active veil-watch@inbox && veil-here submit clips/clip-08.mp4 --id last --wait")
}

// removed takes the packages away and brings them back, interrupted once: jobs, settings and keys are those of before.
func (m *machine) removed(b built) {
	m.t.Helper()
	jobs := m.run("veil-here jobs --json | sha256sum")
	if out, code := m.try("./" + b.folder() + "/install.sh purge --yes </dev/null"); code != 2 {
		m.t.Errorf("purge without anybody to ask: exit %d\n%s", code, out)
	}
	m.say("remove:\n%s", m.run("./"+b.folder()+"/install.sh remove --yes"))
	if out := m.run("dpkg-query -W -f '${Package} ${db:Status-Status}\n' 'veil*' | grep -c ' installed$' || true"); out != "0\n" {
		m.t.Errorf("%s packages are left", out)
	}
	m.kill(b, "--workers 2")
	m.run("./" + b.folder() + "/install.sh install --yes --workers 2")
	m.runs(b)
	if again := m.run("veil-here jobs --json | sha256sum"); again != jobs {
		m.t.Error("the jobs are not those of before")
	}
}

// purged types the machine's name as purge asks for it: everything of veil's goes.
func (m *machine) purged(b built) {
	m.t.Helper()
	m.run("hostname >/dev/null; script -qec './" + b.folder() + "/install.sh purge' /dev/null <<<bare >purge.log 2>&1 || { cat purge.log; exit 1; }")
	if out := m.run("ls -d /etc/veil /var/lib/veil* /var/cache/veil 2>/dev/null | wc -l"); strings.TrimSpace(out) != "0" {
		m.t.Errorf("purge left %s folders", out)
	}
}
