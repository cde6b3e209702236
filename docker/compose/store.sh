#!/bin/bash
# store.sh HOST:PORT runs the object store. Its own password comes from a file and never stands in an argument.
set -euo pipefail
umask 077
mkdir -p /data/store/objects /data/store/versions /data/store/iam
ROOT_ACCESS_KEY=$(cat /keys/store/s3.key)
ROOT_SECRET_KEY=$(cat /keys/store/s3.secret)
export ROOT_ACCESS_KEY ROOT_SECRET_KEY
exec versitygw --port "$1" --cert /keys/store/store.pem --key /keys/store/store.key --iam-dir /data/store/iam --quiet \
	posix --versioning-dir /data/store/versions /data/store/objects
