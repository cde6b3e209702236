#!/bin/bash
# closure.sh CACHE MIRROR SECURITY CODENAME FOLDER brings every Debian package that the .debs in FOLDER need, down to the C
# library, into FOLDER. Lists are checked with Debian's own keys, packages with the lists.
set -euo pipefail
cache=$1 mirror=$2 security=$3 codename=$4 folder=$(realpath "$5")
mkdir -p "$cache"/{lists,archives}/partial "$cache/etc/parts"
cat >"$cache/etc/sources.list" <<END
deb $mirror $codename main
deb $mirror $codename-updates main
deb $security $codename-security main
END
# An empty list of installed packages: whatever is on this machine counts for nothing.
: >"$cache/status"
options=(-qq -o "Dir::Etc::SourceList=$cache/etc/sources.list" -o "Dir::Etc::SourceParts=$cache/etc/parts" -o "Dir::State=$cache"
	-o "Dir::State::status=$cache/status" -o "Dir::Cache=$cache" -o Dir::Cache::archives=archives -o APT::Install-Recommends=false
	-o APT::Get::List-Cleanup=true -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o Debug::NoLocking=true
	-o APT::Sandbox::User= -o Acquire::Retries=3)
apt() { apt-get "${options[@]}" "$@"; }
if ! log=$(apt update 2>&1); then
	echo "bundle: apt-get update: $(grep -E '^(E|Err):' <<<"$log" | tail -1)" >&2
	exit 1
fi
# Which files, asked with an empty archive folder, because what was fetched before is not named again.
mkdir -p "$cache/none/partial"
apt --print-uris -o Dir::Cache::archives=none install "$folder"/*.deb | awk '$1 !~ /file:/ { print $2 }' >"$cache/wanted"
apt -y --download-only install "$folder"/*.deb >/dev/null
while read -r file; do cp "$cache/archives/$file" "$folder/"; done <"$cache/wanted"
