# The image of queue and store for docker/compose.yaml: nats-server and versitygw, each one file built from its module.
#
# Go is loaded as in docker/Dockerfile; versions are those that veil is tested with. The modules' digests come from Go's checksum
# database.

FROM debian:bookworm-20261005-slim@sha256:7c7b2c966bc9ee8cedfeef67e0e279108992c77681fa595db4a9d65c06ccc587 AS base

FROM base AS go
ARG GO_VERSION=1.26.8
ARG GO_SUM=h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=
ARG GOPROXY
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ca-certificates golang-go \
 && go mod download -json "golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-amd64" >/tmp/go.json \
 && { grep -qF "\"Sum\": \"$GO_SUM\"" /tmp/go.json || { echo "Go $GO_VERSION has another digest than GO_SUM" >&2; exit 1; }; } \
 && cp -r --no-preserve=mode "/root/go/pkg/mod/golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-amd64" /usr/local/go \
 && find /usr/local/go -name _go.mod -execdir mv {} go.mod ';' \
 && chmod -R a+rX,u+x /usr/local/go/bin /usr/local/go/pkg/tool

FROM base AS build
ARG GOPROXY
ARG NATS_VERSION=v2.15.2
ARG VERSITYGW_VERSION=v1.8.0
ENV GOTOOLCHAIN=local GOBIN=/out CGO_ENABLED=0 PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ca-certificates
COPY --from=go /usr/local/go /usr/local/go
RUN go install -trimpath -ldflags="-s -w" "github.com/nats-io/nats-server/v2@$NATS_VERSION" \
 && go install -trimpath -ldflags="-s -w" "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION"

FROM base
COPY --from=build /out/nats-server /out/versitygw /usr/bin/
USER 10001:10001
RUN ["/usr/bin/nats-server", "--version"]
STOPSIGNAL SIGTERM
CMD ["/usr/bin/nats-server", "--version"]
