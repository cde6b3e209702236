//go:build bundle

package bundle_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// byHand starts what a unit starts as its user, with its settings, without any right to more; systemd's other restrictions are
// not there. It is what somebody does who has no systemd and reads what install.sh prints.
const byHand = `
begin() { # UNIT INSTANCE
	local unit=/usr/lib/systemd/system/$1 user
	user=$(sed -n 's/^User=//p' "$unit")
	(
		set -a
		eval "$(sed -n 's/^Environment=//p' "$unit" | sed "s/%i/$2/g" | tr ' ' '\n')"
		for file in $(sed -n 's/^EnvironmentFile=-\{0,1\}//p' "$unit" | sed "s/%i/$2/g"); do [ ! -e "$file" ] || . "$file"; done
		set +a
		[ -z "${VEIL_SCRATCH:-}" ] || install -d -m 0700 -o "$user" -g "$user" "$VEIL_SCRATCH"
		cd "$(sed -n 's/^WorkingDirectory=//p' "$unit" | grep . || echo /)"
		exec setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
			$(sed -n 's/^ExecStart=//p' "$unit") >"/root/$1.log" 2>&1
	) &
}
answers() { for i in $(seq 120); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.25; done; cat /root/*.log; return 1; }
`

// TestWithoutSystemd installs and upgrades in a bare Debian that has no systemd, with the programs started by hand.
func TestWithoutSystemd(t *testing.T) {
	isRoot(t)
	older, newer, key := archives(t)
	root := bareRoot(t, "plain")
	into := filepath.Join(root, "root")
	mustRun(t, ".", "cp", "-r", "-t", into, older.path, older.path+".sig", newer.path, newer.path+".sig", key, clips(t, 3))
	script := "set -euo pipefail\ncd /root\n" + byHand + `
for archive in *.bundle.tar; do gpgv --quiet --keyring ./veil-bundle.gpg $archive.sig $archive; tar -xf $archive; done
./` + older.folder() + `/install.sh install --yes --encryption declared
begin veil-nats.service ''
begin veil-store.service ''
answers 4222 && answers 7070
veil-here setup
begin veil-worker@.service 1
for n in 0 1 2; do veil-here submit clips/clip-0$n.mp4 --id job-$n --case plain; done
for i in $(seq 300); do veil-here jobs --json | grep -q '"released"' && break; sleep 0.2; done
veil-here jobs
./` + newer.folder() + `/install.sh install --yes
/usr/bin/veil version
begin veil-worker@.service 1
for i in $(seq 900); do [ "$(veil-here jobs --case plain --json | grep -o '"phase": *"released"' | wc -l)" = 3 ] && break; sleep 0.2; done
veil-here jobs
veil-here get --case plain -o answers
for f in answers/*.mp4; do veil-here verify $f --trust /etc/veil/keys/veil.pub || [ $? = 7 ]; done
kill $(jobs -p)
wait
`
	// The loopback device comes up from outside: a bare Debian has no program for it.
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "bash", "-c",
		`set -e; ip link set lo up; mount -t proc proc "$1/proc"; exec chroot "$1" env -i HOME=/root LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -c "$2"`,
		"-", root, script)
	out, err := cmd.CombinedOutput()
	text := string(out)
	t.Log(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"start these in your own way", "waiting for", "veil " + newer.revision + " "} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing said %q", want)
		}
	}
}
