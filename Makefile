# Everything a developer or the CI machine runs. `make` alone lists the targets.
#
# Tool versions are pinned here and run through `go run module@version`; they
# are not part of go.mod. What tests need from outside Go (Java, Maven, Kazoo)
# is installed by `make deps` and used by the suites under compat/ only.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build check vet lint deps unit compat race fuzz sim bench microbench compare test soak tools clean

# The binary that ships is static; race tests switch cgo on for themselves.
export CGO_ENABLED ?= 0
export PATH := $(CURDIR)/.cache/go/bin:$(PATH):/usr/local/go/bin

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

CONFIG ?=
# Seconds that all fuzz targets share in `make fuzz`.
FUZZ_SECONDS ?= 60
BENCH ?= .
# `make sim`: one SEED told in full, so many SEEDS, or else new ones for SIM_MINUTES.
SEED ?=
SEEDS ?=
SIM_MINUTES ?= 10
# Which parts of `make soak`; empty means all.
SOAK ?=
COMPARE ?=
# The server that the compat suites run against: ours, or java for Apache ZooKeeper.
ZK_COMPAT_SERVER ?= ours
export ZK_COMPAT_SERVER

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build and serve in the foreground; CONFIG=zoo.cfg, else defaults on port 2181
	bin/zk server $(CONFIG)

build: ## the static binary bin/zk
	CGO_ENABLED=0 go build -trimpath -buildvcs=auto -o bin/zk ./cmd/zk

check: ## up to three minutes: format, vet, tests without outside programs
	@.ci/format
	go vet ./...
	go test -short -timeout 5m ./...

vet: ## format and go vet
	@.ci/format
	go vet ./...

lint: ## staticcheck, pinned
	go run $(STATICCHECK) ./...

deps: ## install what the tests need and this machine lacks
	@.ci/deps

unit: ## all Go tests that need nothing but Go
	go test -count=1 -timeout 10m ./...

compat: deps build ## the suites with real clients; ZK_COMPAT_SERVER=java runs them against Apache ZooKeeper
	ZK_COMPAT=1 ZK_COMPAT_BINARY=$(CURDIR)/bin/zk go test -count=1 -p 1 -timeout 15m ./compat/...

race: ## all Go tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -short -count=1 -timeout 15m ./...

fuzz: ## every fuzz target for a few seconds; FUZZ_SECONDS=60 is shared by all
	@.ci/fuzz $(FUZZ_SECONDS)

sim: ## simulated ensembles: SIM_MINUTES=10 of new seeds, or SEEDS=2000 of them; SEED=n tells one in full
	SIM_SEED=$(SEED) SIM_SEEDS=$(SEEDS) SOAK_MINUTES=$(SIM_MINUTES) \
		go test -count=1 -v -timeout $$(($(SIM_MINUTES) + 10))m -run '^TestSim$$' ./quorum/sim

bench: microbench compare ## both of the next two

microbench: ## Go benchmarks of codec, prep, tree, log, watches, pipeline, SNAP; BENCH=regexp
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

compare: deps build ## this server beside Apache ZooKeeper under the same loads; COMPARE="-nodes 3 -rows create", -help
	ZK_COMPAT_BINARY=$(CURDIR)/bin/zk go run ./compat/bench $(COMPARE)

test: ## everything that CI runs, with the seconds of each part
	@.ci/parts

soak: ## the long forms of the tests; SOAK_MINUTES=10 each, SOAK='names' for some of them
	@.ci/soak $(SOAK)

tools: ## fetch and show the pinned tools
	go run $(STATICCHECK) -version
	go run $(GOVULNCHECK) -version

clean: ## remove what was built
	rm -rf bin .cache compat/javatests/target
