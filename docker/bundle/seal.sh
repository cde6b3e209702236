#!/bin/bash
# seal.sh KEY TREE ARCHIVE signs the folder TREE with the OpenPGP secret key in the file KEY: the index of TREE/packages and the
# list of digests. It puts the public key beside them, packs the folder into ARCHIVE, and signs that as ARCHIVE.sig.
# A KEY that is not there is made. Times come from SOURCE_DATE_EPOCH.
set -euo pipefail
key=$1 tree=$(realpath "$2") archive=$3
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all 2>/dev/null || true; rm -rf "$GNUPGHOME"' EXIT
quiet=(--batch --quiet --yes --digest-algo SHA512)

if [ -e "$key" ]; then
	gpg "${quiet[@]}" --import "$key" 2>/dev/null || true
	gpg --batch --list-secret-keys 2>/dev/null | grep -q . || { echo "bundle: $key holds no OpenPGP secret key" >&2; exit 1; }
else
	gpg "${quiet[@]}" --passphrase '' --quick-generate-key "veil bundle" ed25519 sign never 2>/dev/null
	(umask 077 && mkdir -p "$(dirname "$key")" && gpg "${quiet[@]}" --armor --export-secret-keys >"$key")
	echo "bundle: made a key to sign with: $key. Keep it: machines that took an archive of this key take no other"
fi
gpg "${quiet[@]}" --export >"$tree/veil-bundle.gpg"
fingerprint=$(gpg --batch --with-colons --list-keys 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }')

(cd "$tree/packages" && apt-ftparchive --no-md5 --no-sha1 --no-sha512 packages . >Packages && apt-ftparchive --no-md5 --no-sha1 -o APT::FTPArchive::Release::Suite=veil release . >"$GNUPGHOME/Release")
gpg "${quiet[@]}" --clearsign --output "$tree/packages/InRelease" "$GNUPGHOME/Release"

if [ -d "$tree/image" ]; then
	(cd "$tree/image" && find . -type f -printf '%P\0' | sort -z | xargs -0 sha256sum >../image.SHA256SUMS)
fi
(cd "$tree" && find . -type f -not -path './SHA256SUMS*' -not -path './image/*' -printf '%P\0' | sort -z | xargs -0 sha256sum >SHA256SUMS)
gpg "${quiet[@]}" --detach-sign --output "$tree/SHA256SUMS.sig" "$tree/SHA256SUMS"

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" -C "$(dirname "$tree")" -cf "$archive" "$(basename "$tree")"
gpg "${quiet[@]}" --detach-sign --output "$archive.sig" "$archive"
echo "bundle: signed by $fingerprint"
