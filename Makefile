# Paddock. `make` builds the console and the server into bin/paddock; `make help` says what else.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X paddock/internal/app.Version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS := linux/amd64 linux/arm64 linux/arm darwin/amd64 darwin/arm64

# Every file the console is made of: web/dist is rebuilt when one of them is newer.
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f ! -name '*.go' -print 2>/dev/null)

.PHONY: build
build: bin/paddock ## build everything: the console, then the server with the console inside

# Go knows better than make what is out of date, so its build always runs.
.PHONY: bin/paddock
bin/paddock: web/dist/index.html
	@[ -e bin/paddock ] || echo "building the server; the first time takes a minute or two"
	@$(GOBUILD) -o bin/paddock ./cmd/paddock

.PHONY: run
run: bin/paddock ## build quietly and serve on 127.0.0.1:8080 with data in ./paddock-data (more flags in ARGS)
	@exec bin/paddock serve $(ARGS)

.PHONY: web
web: web/dist/index.html ## build the console into web/dist

web/dist/index.html: $(WEB_SOURCES)
	@echo "building the console"
	@scripts/web.sh build

.PHONY: api
api: ## write api/openapi.json and the README's table of calls from the routes
	@go test ./internal/app -run 'TestOpenAPI|TestReadmeTable' -count=1 -update >/dev/null

.PHONY: test
test: ## every test: Go on SQLite and PostgreSQL with -race, fuzz, command line, load, client, browser
	@scripts/test.sh $(STAGES)

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, the API document, the console's types
	@scripts/test.sh lint

.PHONY: bench
bench: bin/paddock ## measure, compare with the targets and write docs/benchmarks.md (needs wrk)
	@scripts/bench.sh $(filter isolation,$(MAKECMDGOALS)) $(ARGS)

# `make bench isolation` is one command: the word tells bench what to measure.
.PHONY: isolation
isolation: bench ## with bench: a quiet profile beside floods of another; rewrites that section of docs/benchmarks.md
	@:

.PHONY: soak
soak: ## random histories with kills for hours (HOURS, default 1; ENGINE=sqlite or postgres, default both at once; see CONTRIBUTING)
	@HOURS=$(or $(HOURS),1) ENGINE=$(ENGINE) scripts/soak.sh

.PHONY: soak-load
soak-load: bin/paddock ## kill -9 under load, over and over (ROUNDS, default 100, on each engine)
	@KILL_ROUNDS=$(or $(ROUNDS),100) scripts/test.sh load

.PHONY: fmt
fmt: ## format the Go code
	@gofmt -w cmd internal e2e scripts bench $(wildcard web/*.go)

.PHONY: dist
dist: web/dist/index.html ## cross-compile static binaries with the console inside into dist/
	@rm -rf dist && mkdir dist
	@set -e; for p in $(PLATFORMS); do \
	  os=$${p%/*}; arch=$${p#*/}; name=paddock-$$os-$$arch; \
	  [ $$arch = arm ] && { name=$${name}v7; export GOARM=7; } || unset GOARM; \
	  GOOS=$$os GOARCH=$$arch $(GOBUILD) -o dist/$$name ./cmd/paddock; \
	  ls -l dist/$$name | awk '{printf "%-28s %5.1f MB\n", $$NF, $$5 / 1e6}'; \
	done
	@cd dist && sha256sum paddock-* > SHA256SUMS

.PHONY: console-speed
console-speed: bin/paddock ## how soon pages of the console can be used, with 40 and 1,000 profiles (needs Chromium)
	@cd e2e/browser && { [ -d node_modules ] || PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error; } && node speed.mjs

.PHONY: pictures
pictures: bin/paddock ## take the README's pictures anew from the demo (needs Chromium)
	@cd e2e/browser && { [ -d node_modules ] || PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error; } && node pictures.mjs

.PHONY: clean
clean: ## remove what was built (never data)
	@rm -rf bin dist web/dist/assets web/dist/index.html

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

# ---- parts of `make lint` ----

.PHONY: staticcheck
staticcheck:
	@go run $(STATICCHECK) ./...

.PHONY: api-check
api-check:
	@go run ./cmd/paddock openapi | diff -u api/openapi.json -

.PHONY: web-check
web-check:
	@scripts/web.sh check
