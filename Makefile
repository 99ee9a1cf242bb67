# Everything that people and CI do with this repository. `make` alone lists it.

# INFRA: where `make up` gets redis and postgres from: auto, docker, native or none.
# ROUNDS: how often `make soak` repeats what `make test` does a few times.
# TARGETS: what `make rehearse` rehearses.
INFRA  ?= auto
ROUNDS ?= 50
TARGETS ?= compose ecs kubernetes

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X devstack/daemon/api.linked=$(VERSION)
GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
GO_TEST  := go test -count=1 -timeout 20m
LINT     := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

# Tests live beside the code. These need an engine; everything else is UNIT.
DOCKER := ./infra/docker/... ./profiles/prod/image/... ./profiles/prod/rehearse/...
SCRIPT := ./cmd/...
UNIT    = $(shell go list ./... | grep -vE '^devstack/((infra/docker|profiles/prod/image|profiles/prod/rehearse|cmd)(/|$$)|bench$$)')

export INFRA

.DEFAULT_GOAL := help
.PHONY: help
help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
	@printf '\nThe product has %s lines of Go; make lines says where.\n' "$$($(MAKE) -s lines | sed -n 's/ *product$$//p' | tr -d ' ')"

# Counted are the files of the tree, tests apart. bench and conformance look at the product and are no part of it.
.PHONY: lines
lines: ## Count the lines of Go in every room, tests apart
	@git ls-files -co --exclude-standard '*.go' ':!*_test.go' | xargs awk 2>/dev/null ' \
		{ lines[FILENAME]++ } \
		END { for (file in lines) { room = file; if (!sub("/.*", "", room)) room = "(root)"; rooms[room] += lines[file] } \
			for (room in rooms) { printf "%7d  %s\n", rooms[room], room; if (room !~ /^(bench|conformance)$$/) product += rooms[room] } \
			printf "%7d  product\n", product }' | sort -n

.PHONY: setup
setup: ## Make a fresh clone ready: Node, the sample, .env, and an engine or redis and postgres
	@scripts/setup

.PHONY: build
build: ## Build bin/devstack and bin/devstackd
	@$(GO_BUILD) -o bin/ ./cmd/devstack ./cmd/devstackd

.PHONY: up
up: setup build ## Start the sample stack (INFRA=auto|docker|native|none)
	@bin/devstack up $(if $(filter none,$(INFRA)),--no-infra,--infra $(INFRA))

.PHONY: down
down: build ## Stop the sample stack; its volumes stay
	@bin/devstack down

.PHONY: test
test: ## Run all tests, the parts below one after the other
	@INFRA=docker scripts/setup && scripts/native
	@$(MAKE) --no-print-directory -k test-unit test-docker test-script test-sample \
		&& echo "PASS: all tests" || { echo "FAIL: some tests, see above" >&2; exit 1; }

.PHONY: test-unit
test-unit: ## Test what needs no engine: pure decisions, virtual time, real processes
	$(GO_TEST) $(UNIT)

.PHONY: test-docker
test-docker: ## Test against the real Docker Engine
	$(GO_TEST) $(DOCKER)

.PHONY: test-script
test-script: ## Test the commands as a person types them
	$(GO_TEST) $(SCRIPT)

.PHONY: test-sample
test-sample: ## Test the sample's own code
	@npm test --prefix examples/agentic-sdlc --silent

.PHONY: conformance
conformance: ## Judge the exports by the code of AWS' SDK and of Kubernetes (minutes the first time)
	cd conformance && go vet ./... && go test -count=1 -p 1 $$(go list ./... | grep -v /pilot)

.PHONY: pilot
pilot: ## Prove the pilot profile on machines that boot: systemd in containers on the Docker Engine
	cd conformance && go vet ./pilot/... && go test -count=1 -timeout 20m -parallel 5 -v ./pilot

.PHONY: race
race: ## Test for data races
	@scripts/compiler && scripts/native
	$(GO_TEST) -race $(UNIT) ./infra/docker/...

.PHONY: fault
fault: ## Kill, hang and remove things under a running stack (the tests called TestFault...)
	@INFRA=docker scripts/setup && scripts/native
	$(GO_TEST) -v -run Fault ./...

.PHONY: soak
soak: ## Repeat the tests called TestSoak... ROUNDS times (50)
	@INFRA=docker scripts/setup && scripts/native
	DEVSTACK_ROUNDS=$(ROUNDS) go test -count=1 -timeout 3h -v -run Soak ./...

.PHONY: rehearse
rehearse: build ## Prove the sample's production definitions on real engines (TARGETS); writes docs/rehearsal.md
	@INFRA=docker scripts/setup
	@base=$$(scripts/node-base) && compose=$$(scripts/compose) && export PATH="$$(dirname "$$compose"):$(CURDIR)/.cache/kubernetes/bin:$$PATH" && \
		case " $(TARGETS) " in *" kubernetes "*) KUBECONFIG=$$(conformance/node/cluster up) && export KUBECONFIG ;; esac && \
		bin/devstack rehearse $(TARGETS) --base "$$base" --trial examples/agentic-sdlc/trial.mjs \
			--context devstack-rehearsal --registry 127.0.0.1:12500 --markdown docs/rehearsal.md

.PHONY: bench
bench: build ## Measure devstack beside PM2, docker compose and the floor; writes docs/performance.md
	@INFRA=docker scripts/setup && scripts/native
	@scripts/compose >/dev/null
	@scripts/pm2 >/dev/null
	@scripts/express >/dev/null
	go run ./bench -rounds 5 -out docs/performance.md

.PHONY: recovery
recovery: build ## Measure how long the sample takes to get over harm, in dev and on a pilot; writes into docs/pilot.md
	@INFRA=docker scripts/setup && scripts/native
	@scripts/recovery

.PHONY: mutants
mutants: ## Break the code on purpose (MUTANTS=pattern for some) and look whether a test notices
	@scripts/mutants "$(MUTANTS)"

.PHONY: lint
lint: ## Look for mistakes and style: go vet and a pinned golangci-lint
	go vet ./...
	$(LINT) run

.PHONY: format
format: ## Format the Go code as lint wants it
	$(LINT) fmt

.PHONY: cross
cross: ## Build and vet for the other platforms
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go build ./...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet ./...
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build ./...
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go vet ./...

.PHONY: dist
dist: $(addprefix dist-,$(subst /,-,$(PLATFORMS))) ## Pack both executables for each platform into dist/

dist-%: os = $(word 1,$(subst -, ,$*))
dist-%: arch = $(word 2,$(subst -, ,$*))
dist-%: name = devstack-$(VERSION)-$(os)-$(arch)
dist-%:
	@mkdir -p dist/$(name)
	GOOS=$(os) GOARCH=$(arch) $(GO_BUILD) -o dist/$(name)/ ./cmd/devstack ./cmd/devstackd
	@cp LICENSE README.md dist/$(name)/
	@tar -C dist -czf dist/$(name).tar.gz $(name) && rm -r dist/$(name)

.PHONY: clean
clean: ## Remove what was built: bin/, dist/ and .cache/
	rm -rf bin dist .cache
