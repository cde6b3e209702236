#!/bin/bash
# make.sh writes dist/veil-VERSION-debianN-amd64.bundle.tar, its signature and the public key: everything that a bare Debian of
# this release needs to install veil without network. docs/install.md tells what is inside. No container engine, no root.
#
#   BUNDLE_KEY=FILE    OpenPGP secret key that signs (default: ~/.config/veil/bundle.key; made when it is not there)
#   BUNDLE_COMMIT=REV  build the program of another commit, packed as this checkout packs
#   BUNDLE_IMAGE=DIR   OCI image layout of the worker's image to take along
#   BUNDLE_OUT=DIR     where to write (default: dist)
#   BUNDLE_MIRROR=URL, BUNDLE_SECURITY=URL  where Debian's packages come from (default: where this machine's apt gets them)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/veil/bundle
key=${BUNDLE_KEY:-${XDG_CONFIG_HOME:-$HOME/.config}/veil/bundle.key}
out=${BUNDLE_OUT:-$top/dist}

say() { echo "bundle: $*"; }
fail() {
	echo "bundle: $*" >&2
	exit 1
}

# shellcheck source=/dev/null
. /etc/os-release
[ "${ID:-} $(dpkg --print-architecture)" = "debian amd64" ] ||
	fail "this machine is no Debian on amd64: build the archive on the release that it is for"
[ -z "${BUNDLE_IMAGE:-}" ] || [ -f "$BUNDLE_IMAGE/oci-layout" ] || fail "$BUNDLE_IMAGE is no OCI image layout"
# archive LABEL gives where apt gets Debian's archive of that label from.
# shellcheck disable=SC2016 # apt fills in the names
archive() { apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | awk -v label="$1" '$1 == label && !n++ { print $2 }'; }
mirror=${BUNDLE_MIRROR:-$(archive Debian)}
security=${BUNDLE_SECURITY:-$(archive Debian-Security)}
if [ -z "$mirror" ] || [ -z "$security" ]; then
	fail "apt knows no lists of Debian and of its security updates: run apt-get update, or set BUNDLE_MIRROR and BUNDLE_SECURITY"
fi
umask 022
mkdir -p "$cache" "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
exec 9>"$cache/lock"
flock 9

# What is built: this checkout, or another commit in a clone of its own.
source=$top
if [ -n "${BUNDLE_COMMIT:-}" ]; then
	source=$work/source
	git clone -q --shared --no-checkout "$top" "$source"
	git -C "$source" checkout -q --detach "$(git -C "$top" rev-parse --verify "$BUNDLE_COMMIT^{commit}")"
fi
revision=$(git -C "$source" describe --always --dirty --abbrev=12)
SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
version=0.$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S)+g${revision/-/.}
name=veil-$version-debian$VERSION_ID-amd64
say "$name"

say "building veil, nats-server and versitygw"
bin=$work/bin
mkdir "$bin"
(cd "$source" && go build -trimpath -buildvcs=false -ldflags "-s -w -X main.revision=$revision" -o "$bin/veil" ./worker)
(cd "$source" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$bin/nats-server" github.com/nats-io/nats-server/v2)
install -m 0755 "$(cd "$top" && go run ./worker/store/servers/build versitygw)" "$bin/versitygw"

tree=$work/$name
mkdir -p "$tree/packages" "$tree/licences"
"$here/debs.sh" "$version" "$bin" "$top/models/weights" "$tree/packages"

say "fetching what they need of Debian $VERSION_ID ($VERSION_CODENAME)"
"$here/closure.sh" "$cache" "$mirror" "$security" "$VERSION_CODENAME" "$tree/packages"

say "listing contents and licences"
"$here/licences.sh" "$top" "$cache" "$tree"
(cd "$tree/packages" && apt-ftparchive --no-md5 --no-sha1 --no-sha512 packages .) >"$work/index"
(cd "$here/sbom" && go run . -version "$version" -distribution "debian-$VERSION_ID" -licences "$tree/licences/go" \
	-packages "$work/index" -weights "$top/models/SHA256SUMS" "$bin"/*) >"$tree/sbom.cdx.json"

cp "$here/install.sh" "$tree"
cp -r "$top/docs" "$tree/docs"
find "$tree/docs" -name '*.go' -delete
# Where the pages look for it: alarms and dashboard, and what runs the image where there is one.
mkdir "$tree/docker"
cp -r "$top/docker/watch" "$tree/docker/watch"
sed -i 's|^\( *- targets: \)\[.*|\1['"$(seq -s ', ' -f '127.0.0.1:946%g' 1 9)"']|' "$tree/docker/watch/prometheus.yml"
[ -z "${BUNDLE_IMAGE:-}" ] || cp -r "$top"/docker/{compose.yaml,compose,kubernetes,nats.conf} "$tree/docker/"
[ -z "${BUNDLE_IMAGE:-}" ] || cp -r "$BUNDLE_IMAGE" "$tree/image"
cat >"$tree/BUNDLE" <<END
version=$version
revision=$revision
debian=$VERSION_ID
architecture=amd64
END

say "signing and packing"
"$here/seal.sh" "$key" "$tree" "$work/archive"
mv "$work/archive" "$out/$name.bundle.tar"
mv "$work/archive.sig" "$out/$name.bundle.tar.sig"
cp "$tree/veil-bundle.gpg" "$out/veil-bundle.gpg"
say "$out/$name.bundle.tar ($(du -m "$out/$name.bundle.tar" | cut -f1) MiB, $(find "$tree/packages" -name '*.deb' | wc -l) packages)"
say "check it with $out/veil-bundle.gpg. Give its fingerprint and the archive to the operator by two different ways"
