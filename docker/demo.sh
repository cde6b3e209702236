#!/bin/bash
# demo.sh redacts the sample clip of the Debian package forensics-samples-files into demo-out/ and says where to look.
# It does nothing while program, weights and clip are those of the last run.
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
	END
}

if [ -e $out/movie-hello.redacted.mp4 ] && [ "$(cat $out/.state 2>/dev/null)" = "$state" ]; then
	echo "demo: up to date"
	look
	exit 0
fi

mkdir -p $out
rm -f $out/.state $out/movie-hello.* $out/*.json $out/*.png
echo "demo: redacting $clip"
./veil redact "$clip" -o $out/movie-hello.redacted.mp4 \
	--plan-out $out/plan.json --report $out/report.json --contact-sheet $out/contact-sheet.png
echo "$state" >$out/.state
echo "demo: done"
look
