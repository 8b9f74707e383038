# Two commands do everything on a fresh machine: `make demo` and `make test`. Go, make and npm are enough for both.
SHELL       := /bin/bash
.DEFAULT_GOAL := help
BUILD       := build
GOFLAGS_    := -mod=readonly
# Tests and the demo are compiled without the profile that cmd/seamline/default.pgo is for `go build`: with it, all modules are compiled anew.
TESTFLAGS   := $(GOFLAGS_) -pgo=off
TIMEOUT     := 15m
export CGO_ENABLED ?= 0
# Parts without outside processes; they also run under the race detector, which needs a C compiler.
PURE        := ./schemas/... ./consumers/... ./pipeline/... ./sinks/kafka/... ./sinks/memory/... ./deploy/shoppers/...
FUZZTIME    ?= 30s
DEMO        ?=
BENCH       ?= .

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

build: ## build the one binary, build/seamline
	@mkdir -p $(BUILD)
	@echo "building $(BUILD)/seamline"
	@go build $(GOFLAGS_) -trimpath -o $(BUILD)/seamline ./cmd/seamline

# Compiling is most of a first start, so the demo's binary is built without optimisation: a quarter less time until something moves.
demo: ## start everything embedded, with live traffic (DEMO="--for 30s" ends it by itself)
	@mkdir -p $(BUILD)
	@echo "building $(BUILD)/seamline-demo (the first time, Go downloads and compiles the modules: a minute and a half on two cores)"
	@go build $(TESTFLAGS) -trimpath -gcflags='all=-N -l' -o $(BUILD)/seamline-demo ./cmd/seamline
	@$(BUILD)/seamline-demo demo $(DEMO)

test: ## unit tests, tests on kfake and on the real ClickHouse engine, and the pure parts under the race detector
	@echo "unit and end-to-end tests (the first time, ClickHouse's library is downloaded with npm)"
	@go test $(TESTFLAGS) -timeout $(TIMEOUT) ./...
	@echo "crashes at every step, and what happens without each protection"
	@go test $(TESTFLAGS) -tags faults -timeout $(TIMEOUT) -run '^TestCrash' ./cmd/seamline
	@$(MAKE) --no-print-directory race

race: ## the pure parts under the race detector
	@if command -v $$(go env CC) >/dev/null 2>&1; then \
		echo "race detector"; CGO_ENABLED=1 go test $(TESTFLAGS) -race -short -timeout $(TIMEOUT) $(PURE); \
	else echo "race detector: skipped, it needs a C compiler and there is no $$(go env CC)"; fi

# CRASHES multiplies the numbers of make test: 20 is each step 20 times, 200 kills of the process and 100 of ClickHouse.
CRASHES     ?= 20
test-crash: ## the crash matrix, CRASHES=20 times what make test does, and twice on a real Apache Kafka (needs a JRE for that)
	@SEAMLINE_TEST_CRASHES=$(CRASHES) go test $(TESTFLAGS) -tags faults -timeout 75m -count=1 -v -run '^TestCrash|^TestTakeover' ./cmd/seamline
	@SEAMLINE_TEST_CRASHES=2 SEAMLINE_TEST_KAFKA=apache go test $(TESTFLAGS) -tags faults -timeout 30m -count=1 -v -run '^TestCrash(At|Of)|^TestTakeover' ./cmd/seamline

test-kafka: ## the end-to-end tests on a real Apache Kafka, fetched from Maven Central (needs a JRE)
	@SEAMLINE_TEST_KAFKA=apache go test $(TESTFLAGS) -timeout 30m -count=1 -p 1 -v -run '^TestEndToEnd' ./deploy/local/localtest ./cmd/seamline

test-containers: ## the end-to-end tests on containers of Kafka and ClickHouse (needs a Docker engine)
	@SEAMLINE_TEST_KAFKA=container SEAMLINE_TEST_CLICKHOUSE=container go test $(TESTFLAGS) -timeout 30m -count=1 -p 1 -v -run '^TestEndToEnd' ./deploy/local/localtest ./cmd/seamline

check: lint test fuzz-short ## everything that CI and a reviewer would run
	@echo "check: all passed"

lint: ## format, vet, staticcheck, vulnerabilities, deployment files
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not gofmt'ed:"; echo "$$files"; exit 1; fi
	@echo "go vet"; go vet $(GOFLAGS_) ./...
	@echo "staticcheck"; go tool staticcheck ./...
	@echo "govulncheck"; out=$$(go tool govulncheck ./... 2>&1); code=$$?; \
		if [ $$code -ne 0 ] && echo "$$out" | grep -qE 'vuln.go.dev|no such host|dial tcp|Forbidden|proxyconnect'; then \
			echo "  skipped: the Go vulnerability database cannot be reached from here"; \
		elif [ $$code -ne 0 ]; then echo "$$out"; exit $$code; fi

fuzz: ## fuzz every decoder for FUZZTIME each
	@grep -rEo '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sed -E 's#^(\./.*)/[^/]+:func (.*)#\1 \2#' | sort | while read -r package target; do \
		echo "fuzz $$package $$target for $(FUZZTIME)"; \
		out=$$(go test $(TESTFLAGS) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package 2>&1); code=$$?; echo "$$out" | tail -n 3; \
		if [ $$code -ne 0 ]; then \
			if echo "$$out" | grep -q 'context deadline exceeded' && ! echo "$$out" | grep -q 'Failing input'; then \
				echo "  the time was up while an input ran, which go test calls a failure; no input failed"; \
			else echo "$$out"; exit 1; fi; \
		fi; \
	done

fuzz-short:
	@$(MAKE) --no-print-directory fuzz FUZZTIME=5s

# SHORT=1 is bench-short. BENCH chooses Go benchmarks, ONLY parts of the rest, and BENCHFLAGS are any flags of `seamline bench`.
SHORT       ?=
ONLY        ?=
BENCHFLAGS  ?=
bench: build ## Go benchmarks per stage; then whole processes beside baselines, with targets, scaling laws and plots in build/bench (half an hour)
ifneq ($(SHORT),)
	@$(MAKE) --no-print-directory bench-short
else
	@go test $(TESTFLAGS) -run '^$$' -bench '$(BENCH)' -benchmem ./consumers/... ./pipeline/... ./sinks/... ./deploy/shoppers/...
	@$(BUILD)/seamline bench --out $(BUILD)/bench $(if $(ONLY),--only $(ONLY)) $(BENCHFLAGS)
endif

profile: build ## measure the line anew for the compiler: writes cmd/seamline/default.pgo, by which `make build` optimises
	@$(BUILD)/seamline bench --only mix --rounds 1 --out $(BUILD)/bench --cpuprofile $(BUILD)/default.pgo
	@mv $(BUILD)/default.pgo cmd/seamline/default.pgo

bench-short: build ## the comparisons that the targets are about, smaller, in less than five minutes
	@$(BUILD)/seamline bench --short --out $(BUILD)/bench $(if $(ONLY),--only $(ONLY)) $(BENCHFLAGS)

clean: ## remove what was built
	@rm -rf $(BUILD)

.PHONY: help build demo test race test-crash test-kafka test-containers check lint fuzz fuzz-short bench profile bench-short clean
