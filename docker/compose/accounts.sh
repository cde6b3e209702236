#!/bin/bash
# accounts.sh URL makes the store's accounts of worker and submitter, or gives them the passwords that are theirs now.
set -euo pipefail
ADMIN_ACCESS_KEY=$(cat /keys/store/s3.key)
ADMIN_SECRET_KEY=$(cat /keys/store/s3.secret)
export ADMIN_ACCESS_KEY ADMIN_SECRET_KEY ADMIN_ENDPOINT_URL=$1 SSL_CERT_FILE=/keys/store/ca.pem

have=$(versitygw admin list-users)
for account in worker submitter; do
	key=$(cat "/keys/$account/s3.key") secret=$(cat "/keys/$account/s3.secret")
	if grep -qw -- "$key" <<<"$have"; then
		versitygw admin update-user --access "$key" --secret "$secret"
	else
		versitygw admin create-user --access "$key" --secret "$secret" --role user
	fi
done
