#!/bin/bash
# demo.sh redacts the sample clip of the Debian package forensics-samples-files into demo-out/ and says where to look: first
# with one command, then through a queue and a store of its own (veil dev). It does nothing while program, weights and clip are
# those of the last run.
set -euo pipefail
cd "$(dirname "$0")/.."
out=demo-out

clip=$(dpkg -L forensics-samples-files | grep '/movie-hello\.mp4$') || {
	echo "demo: the package forensics-samples-files has no movie-hello.mp4: run: apt-get install --reinstall forensics-samples-files" >&2
	exit 1
}
state=$(sha256sum veil models/SHA256SUMS "$clip")

look() {
	cat <<-END
		  $out/contact-sheet.png         frames before and after, side by side: look here first
		  $out/movie-hello.redacted.mp4  the derivative
		  $out/report.json               what was done, with what, and what was checked
		  $out/plan.json                 what is covered in each frame, and why
		  $out/from-the-queue/           the same clip as a job: derivative, manifest and report, fetched from the store
	END
}

# stop asks a process to end and waits for it; it may be gone already.
stop() {
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

if [ -e $out/movie-hello.redacted.mp4 ] && [ "$(cat $out/.state 2>/dev/null)" = "$state" ]; then
	echo "demo: up to date"
	look
	exit 0
fi

mkdir -p $out
rm -rf $out/.state $out/movie-hello.* $out/*.json $out/*.png $out/from-the-queue
echo "demo: redacting $clip"
./veil redact "$clip" -o $out/movie-hello.redacted.mp4 \
	--plan-out $out/plan.json --report $out/report.json --contact-sheet $out/contact-sheet.png

echo "demo: the same through a queue: veil dev, submit, get"
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
export VEIL_DIR=$data/veil-data
./veil dev >"$data/dev.log" 2>&1 &
dev=$!
trap 'stop $dev; rm -rf "$data"' EXIT
for _ in $(seq 300); do
	./veil jobs >/dev/null 2>&1 && break
	kill -0 $dev 2>/dev/null || { cat "$data/dev.log" >&2; exit 1; }
	sleep 0.1
done
./veil submit "$clip" --id demo --name movie-hello --case demo --purpose "to see how it works" --wait
./veil jobs
./veil get demo -o $out/from-the-queue
stop $dev

echo "$state" >$out/.state
echo "demo: done"
look
