package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// dev is a running `veil dev`.
type dev struct {
	cmd    *exec.Cmd
	dir    string
	listen string // of its health and metrics
	log    bytes.Buffer
}

// startDev starts `veil dev` in the place's folder and waits until it takes jobs.
func (p *place) startDev(t *testing.T) *dev {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dev{dir: p.path("data"), listen: l.Addr().String()}
	l.Close()
	d.cmd = p.command(context.WithoutCancel(t.Context()), program, "dev", "--dir", d.dir, "--listen", d.listen, "--reserve", "16", "--max-failures", "1")
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill(); _ = d.cmd.Wait() })
	p.extra = append(p.extra, "VEIL_DIR="+d.dir)
	for end := time.Now().Add(hang); ; time.Sleep(50 * time.Millisecond) {
		if r, err := http.Get("http://" + d.listen + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return d
			}
		}
		if time.Now().After(end) {
			t.Fatal("veil dev does not get ready")
		}
	}
}

// stop asks it to end.
func (d *dev) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("veil dev: %v\n%s", err, d.log.String())
	}
}

// TestQueueTellsNothing plants words in everything that a job brings along: the order, the names of the file and of the object,
// the tags of the clip. They may stand in the record of the job and under the restricted prefix, and nowhere else: no log, no
// metric, no event, no dead letter, no message, no name of an object, nothing that is released (A17, R23). That holds for clips
// that fail at each stage too.
func TestQueueTellsNothing(t *testing.T) {
	p := newPlace(t)
	folder := p.path(canary("folder"))
	bucket := filepath.Join(p.path("data"), "sources", "cam")
	for _, dir := range []string{folder, bucket} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	good := filepath.Join(folder, canary("name")+".mp4")
	plantMP4(t, p, good)
	whole := read(t, good)
	clips := map[string]string{"whole": good}
	for name, b := range map[string][]byte{
		"cut":      whole[:len(whole)*3/5],
		"flipped":  flip(whole),
		"nonsense": append([]byte(canary("content")), bytes.Repeat([]byte("no clip "), 4096)...),
	} {
		clips[name] = filepath.Join(folder, canary(name)+".mp4")
		write(t, clips[name], b)
	}
	write(t, filepath.Join(bucket, canary("key")+".mp4"), whole)
	write(t, filepath.Join(bucket, canary("lost")+".mp4"), append(whole, 0))
	for _, c := range plantedClips[1:] {
		path := filepath.Join(folder, canary("name")+c.ext)
		c.make(t, p, path)
		clips[c.ext[1:]] = path
	}
	d := p.startDev(t)
	order := []string{"--case", canary("case"), "--requester", canary("requester"), "--purpose", canary("purpose"), "--policy", "press"}
	submit := func(id, from string) { p.must(t, 0, with([]string{"submit", from, "--id", id}, order...)...) }
	for id, path := range clips {
		submit(id, path)
	}
	submit("object", "s3://cam/"+canary("key")+".mp4")
	submit("deleted", "s3://cam/"+canary("lost")+".mp4")
	if err := os.Remove(filepath.Join(bucket, canary("lost")+".mp4")); err != nil {
		t.Fatal(err)
	}
	ends := p.answers(t, len(clips)+2)
	for _, id := range []string{"whole", "object", "mov", "mkv", "ts", "avi"} {
		if ends[id] != "released" {
			t.Errorf("%s is %s", id, ends[id])
		}
	}
	for _, id := range []string{"cut", "nonsense", "deleted"} {
		if ends[id] != "failed" {
			t.Errorf("%s is %s: the test wants clips that fail", id, ends[id])
		}
	}
	said := d.everything(t)
	d.stop(t)
	said["log"] = d.log.Bytes()
	for name, b := range said {
		if i := bytes.Index(bytes.ToLower(b), []byte("qzxj")); i >= 0 {
			t.Errorf("%s tells %q", name, b[i:min(len(b), i+40)])
		}
		if bytes.Contains(b, []byte(gps)) || bytes.Contains(b, []byte(d.token(t))) {
			t.Errorf("%s tells a place or a secret", name)
		}
	}
	record := read(t, filepath.Join(d.dir, "store", "restricted", "whole", "job.json"))
	for _, word := range []string{"case", "requester", "purpose"} {
		if !bytes.Contains(record, []byte(canary(word))) {
			t.Errorf("the job's own record lacks the %s: the test planted nothing", word)
		}
	}
	p.noProcess(t)
}

// flip damages a clip in its middle.
func flip(whole []byte) []byte {
	b := bytes.Clone(whole)
	for i := len(b) / 2; i < len(b)/2+4096 && i < len(b); i++ {
		b[i] ^= 0x5a
	}
	return b
}

// answers waits until so many jobs have their answers.
func (p *place) answers(t *testing.T, n int) map[string]string {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		r := p.must(t, 0, "jobs", "--json")
		var list struct {
			Jobs []struct {
				ID    string `json:"id"`
				Phase string `json:"phase"`
			} `json:"jobs"`
		}
		if err := json.Unmarshal([]byte(r.out), &list); err != nil {
			t.Fatalf("%v\n%s", err, r.out)
		}
		ends := map[string]string{}
		for _, j := range list.Jobs {
			switch j.Phase {
			case "queued", "running", "committing":
			default:
				ends[j.ID] = j.Phase
			}
		}
		if len(ends) == n {
			return ends
		}
		if time.Now().After(end) {
			t.Fatalf("%d jobs of %d have an answer: %v", len(ends), n, ends)
		}
	}
}

func (d *dev) token(t *testing.T) string {
	t.Helper()
	var address struct {
		Nats  string `json:"nats"`
		Token string `json:"token"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(d.dir, "dev.json")), &address); err != nil || address.Token == "" {
		t.Fatalf("no address of veil dev: %v", err)
	}
	return address.Token
}

// everything gives all that a job leaves outside of its record and the restricted prefix: by name of where it was found.
func (d *dev) everything(t *testing.T) map[string][]byte {
	t.Helper()
	said := map[string][]byte{}
	r, err := http.Get("http://" + d.listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if said["metrics"], err = io.ReadAll(r.Body); err != nil || len(said["metrics"]) == 0 {
		t.Fatalf("no metrics: %v", err)
	}
	d.streams(t, said)
	names := 0
	root := filepath.Join(d.dir, "store")
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		names++
		said[fmt.Sprintf("name %d", names)] = []byte(rel)
		if err == nil && !e.IsDir() && strings.HasPrefix(rel, "release/") {
			said[rel] = read(t, path)
		}
		return err
	})
	if err != nil || names < 10 {
		t.Fatalf("the store holds %d names: %v", names, err)
	}
	return said
}

// streams reads every message of every stream but that of the records.
func (d *dev) streams(t *testing.T, said map[string][]byte) {
	t.Helper()
	var address struct {
		Nats string `json:"nats"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(d.dir, "dev.json")), &address); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(address.Nats, nats.Token(d.token(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	events, letters := 0, 0
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		if info.Config.Name == "KV_STATE" {
			continue
		}
		s, err := js.Stream(t.Context(), info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		for seq := info.State.FirstSeq; seq > 0 && seq <= info.State.LastSeq; seq++ {
			m, err := s.GetMsg(t.Context(), seq)
			if err != nil {
				continue // gone meanwhile
			}
			switch info.Config.Name {
			case "EVENTS":
				events++
			case "DEAD":
				letters++
			}
			said[fmt.Sprintf("%s %d", info.Config.Name, seq)] = append([]byte(m.Subject+fmt.Sprint(m.Header)), m.Data...)
		}
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
	if events < 10 || letters < 2 {
		t.Errorf("%d events and %d dead letters were read", events, letters)
	}
}
