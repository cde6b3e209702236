package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// ground is what a hardened container gives a process, seen from within: no root, no capability, no network, nothing to write but
// the volume, and a process 1 that reaps.
const ground = `
fail() { echo "$*" >&2; exit 1; }
[ "$(id -u)" != 0 ] && [ "$(id -G)" = "$(id -g)" ] || fail "user: $(id)"
for f in / /tmp /var/tmp /etc /usr /home /run; do
	if touch "$f/x" 2>/dev/null; then fail "$f can be written"; fi
done
touch x && rm x || fail "the volume cannot be written"
[ "$(ls /sys/class/net)" = lo ] || fail "network: $(ls /sys/class/net)"
grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status || fail "capabilities: $(grep Cap /proc/self/status)"
grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status || fail "new privileges are possible"
[ "$(cat /proc/1/comm)" = tini ] || fail "process 1 is $(cat /proc/1/comm)"
( sleep 0.2 & )
sleep 1
if grep -l '^State:.*zombie' /proc/[0-9]*/status 2>/dev/null; then fail "ended processes are not reaped"; fi
`

// proof runs an image as a hardened container would.
type proof struct {
	root    string
	config  v1.Config
	uid     uint32
	gid     uint32
	scratch string // the image's volume, on this machine
	volume  string // where the image has it
}

// prove shows that the image in root works as docs/image.md says, and gives what was seen, a line each.
func (b *builder) prove(ctx context.Context, root string, config v1.Config, clip string) error {
	p := &proof{root: root, config: config, scratch: filepath.Join(b.work, "volume")}
	var err error
	if p.uid, p.gid, err = numeric(config.User); err != nil {
		return err
	}
	if len(config.Volumes) != 1 {
		return fmt.Errorf("the image has %d volumes, not one", len(config.Volumes))
	}
	for v := range config.Volumes {
		p.volume = v
	}
	if err := errors.Join(os.Mkdir(p.scratch, 0o700), os.Chown(p.scratch, int(p.uid), int(p.gid))); err != nil {
		return err
	}
	for _, f := range []func(context.Context, *builder, string) error{p.ground, p.doctor, p.redact, p.worker} {
		if err := f(ctx, b, clip); err != nil {
			return fmt.Errorf("the image does not work as it should: %w", err)
		}
	}
	return nil
}

// container is the image with other arguments, as hardened as it can be.
func (p *proof) container(out io.Writer, args []string, env ...string) *container {
	i := &image{config: p.config}
	return &container{
		root: p.root, args: args, env: i.environ(env), cwd: p.config.WorkingDir, uid: p.uid, gid: p.gid,
		sealed: true, out: out, mounts: []specs.Mount{bind(p.scratch, p.volume, true)},
	}
}

// veil runs the image's program through its entry point.
func (p *proof) veil(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := p.container(&out, slices.Concat(p.config.Entrypoint, args)).run(ctx)
	return out.Bytes(), err
}

func (p *proof) ground(ctx context.Context, b *builder, _ string) error {
	// The entry point's last word is the program; before it stands process 1.
	first := p.config.Entrypoint[:len(p.config.Entrypoint)-1]
	if err := p.container(nil, slices.Concat(first, []string{"/bin/sh", "-c", ground})).run(ctx); err != nil {
		return err
	}
	b.say("runs as %s: read-only root, no network, no capability, an engine's default filter; ended processes are reaped", p.config.User)
	return nil
}

func (p *proof) doctor(ctx context.Context, b *builder, _ string) error {
	out, err := p.veil(ctx, "doctor", "--sandbox", "required", "--json")
	if err != nil {
		return err
	}
	var found struct {
		Sandbox struct {
			InForce []string `json:"in_force"`
		} `json:"sandbox"`
		Problems []any `json:"problems"`
		Advice   []struct {
			What string `json:"what"`
		} `json:"advice"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	if len(found.Problems) > 0 || len(found.Sandbox.InForce) == 0 {
		return fmt.Errorf("doctor: %s", out)
	}
	b.say("doctor finds nothing missing; sandbox: %s", strings.Join(found.Sandbox.InForce, ", "))
	for _, a := range found.Advice {
		b.say("doctor advises: %s", a.What)
	}
	return nil
}

func (p *proof) redact(ctx context.Context, b *builder, clip string) error {
	in, err := os.ReadFile(clip)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.scratch, "clip.mp4"), in, 0o644); err != nil {
		return err
	}
	if _, err := p.veil(ctx, "redact", "clip.mp4", "-o", "redacted.mp4", "--report", "report.json", "--sandbox", "required"); err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	out, err := os.Stat(filepath.Join(p.scratch, "redacted.mp4"))
	if err != nil {
		return err
	}
	// 7: nothing is wrong, and not everything could be checked, since nothing is signed.
	var exit *exec.ExitError
	if said, err := p.veil(ctx, "verify", "redacted.mp4", "--original", "clip.mp4"); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 7) {
		return fmt.Errorf("verify: %w\n%s", err, said)
	}
	b.say("redacted %s (%d bytes) to %d bytes, and verified it", filepath.Base(clip), len(in), out.Size())
	return nil
}

// worker starts what the image starts by default, without a queue or a store that answers, asks its health as an engine would, and
// stops it.
func (p *proof) worker(ctx context.Context, b *builder, _ string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	c := p.container(nil, slices.Concat(p.config.Entrypoint, p.config.Cmd), "VEIL_NATS=nats://127.0.0.1:4222", "VEIL_STORE=s3://veil",
		"VEIL_S3_ENDPOINT=http://127.0.0.1:7070", "VEIL_S3_KEY=none", "VEIL_S3_SECRET=none-at-all", "VEIL_ENCRYPTION=declared")
	r, err := c.start(ctx)
	if err != nil {
		return err
	}
	h := p.config.Healthcheck
	if h == nil || len(h.Test) < 2 || h.Test[0] != "CMD" {
		cancel()
		return errors.Join(errors.New("the image has no health check"), r.wait())
	}
	var said []byte
	for err = errors.New("not asked"); err != nil && ctx.Err() == nil; {
		time.Sleep(200 * time.Millisecond)
		said, err = r.exec(ctx, h.Test[1:]...)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("worker: its health check never passed: %w: %s", err, said), r.wait())
	}
	if err := r.signal(ctx, p.config.StopSignal); err != nil {
		return errors.Join(err, r.wait())
	}
	// A worker that still waits for its queue has nothing to finish: it says that it was interrupted, and ends with 1.
	if err := r.wait(); err != nil && !strings.Contains(err.Error(), "veil: interrupted") {
		return fmt.Errorf("worker: after %s: %w", p.config.StopSignal, err)
	}
	b.say("worker starts, its health check passes, and it ends at %s", p.config.StopSignal)
	return nil
}
