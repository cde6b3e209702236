#!/bin/bash
# keys.sh makes what veil's services know each other by, keeps what is there, and renews certificates that are due.
# NAMES_NATS and NAMES_STORE are further names under which clients on other machines reach the two servers; KEYS is the folder.
set -euo pipefail
umask 077
cd "${KEYS:-/keys}"

veil certs -o . \
	--server "nats=nats,localhost,127.0.0.1${NAMES_NATS:+,$NAMES_NATS}" \
	--server "store=store,localhost,127.0.0.1${NAMES_STORE:+,$NAMES_STORE}" \
	--client worker,operator,submitter "$@"

# Each account of the store has a name and a password; the one in the server's own folder may do everything.
for account in store worker submitter; do
	[ -s "$account/s3.secret" ] && continue
	printf 'veil-%s\n' "$account" >"$account/s3.key"
	head -c 30 /dev/urandom | base64 >"$account/s3.secret.new"
	mv "$account/s3.secret.new" "$account/s3.secret"
	echo "made     password of veil-$account"
done

[ -e signing/veil.key ] || veil keygen -o signing

# In containers: the services run as this account, and the volumes are theirs. The authority's key stays root's.
if [ -z "${KEYS:-}" ] && [ "$(id -u)" = 0 ]; then
	chown -R 10001:10001 nats store worker operator submitter signing
	chown 10001:10001 /data/*
	chmod 0700 /data/*
fi
