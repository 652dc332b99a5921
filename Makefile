# Wavekeeper. Every target says in its comment what it does; `make` lists them.
SHELL := /bin/sh
GO ?= go
export GOTOOLCHAIN ?= local
# of the sample of torture in `make test`; 0 = a random one, which is printed
SEED ?= 1
# The collector runs a quarter as often: tests have the memory, not the time.
TEST = GOGC=400 $(GO) test -vet=off

.DEFAULT_GOAL := help
.PHONY: help run test torture lint generate assets bench vuln fresh need-run need-test build

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

run: need-run assets build ## the whole product: private database, simulated fleet, console with sample accounts; FLEET=cluster, mixed or 12 for another fleet
	@exec bin/wavekeeper demo $(if $(FLEET),--fleet deploy/demo/fleet-$(FLEET).csv)

# A test mostly waits for simulated hosts: more of them run at once than there are
# processors. A runbook starts no goroutine, so that its long walks go without -race
# here; `make torture` has them with it.
test: need-test assets ## everything that must hold: freshness, vet, gofumpt, all tests
	@echo "== generated code is fresh" && tools/fresh.sh
	@echo "== go vet" && $(GO) vet ./...
	@echo "== gofumpt" && bad=$$($(GO) tool -modfile=tools/lint/go.mod gofumpt -l server agentless web migrations) && \
		{ [ -z "$$bad" ] || { echo "not formatted: $$bad"; exit 1; }; }
	@echo "== go test -race (all but runbooks, browser and kill tests)" && \
		$(TEST) -race -parallel 4 -timeout 15m $$($(GO) list ./... | grep -v '/agentless/runbook$$')
	@tools/beside.sh \
		'echo "== browser and kill tests (they mostly wait: beside the others)" && $(TEST) -count=1 -timeout 10m -run "^Test(Browser|Kill)" ./server/cli' \
		'echo "== runbooks, with a sample of blows by seed" && $(TEST) -count=1 -parallel 8 -timeout 12m ./agentless/runbook -blows.seed=$(SEED) && \
		echo "== torture, a sample by seed" && cd server/torture && $(TEST) -count=1 -parallel 4 -timeout 14m -torture.seed=$(SEED)'

torture: need-test ## everything that tries to break a rollout; TORTURE="-torture.seed=1 -torture.rounds=2" repeats and prolongs
	$(GO) test -count=1 -race -parallel 8 -timeout 1h ./agentless/runbook
	$(GO) test -count=1 -timeout 4h -v ./server/torture -torture.full $(TORTURE)
	$(GO) test -count=1 -timeout 8h -v -run '^TestBlows' ./agentless/runbook -blows.full

lint: ## golangci-lint over everything
	$(GO) tool -modfile=tools/lint/go.mod golangci-lint run ./...

generate: ## regenerate templ pages, SQL code and the README's state diagrams, settings and constants
	$(GO) tool templ generate
	GO=$(GO) tools/sqlc.sh
	$(TEST) -count=1 -run '^TestReadmeDiagrams$$' ./server/rollout -update
	$(TEST) -count=1 -run '^TestReadmeSettings$$' ./server/cli -update
	$(TEST) -count=1 -run '^Test(ReadmeConstants|FactsPage)$$' ./agentless/windows -update
	$(TEST) -count=1 -run '^Test(RulesPage|ReadmeFounding)$$' ./server/preflight -update
	$(TEST) -count=1 -run '^TestRunbooksPage$$' ./agentless/runbook -update
	$(TEST) -count=1 -run '^TestTraitsPage$$' ./agentless/twin -update

assets: web/static/vendor/.done ## fetch the console's third-party assets through npm into an ignored folder

web/static/vendor/.done: web/package.json web/package-lock.json web/assets.sh
	@web/assets.sh
	@touch $@

bench: ## every figure, measured side by side in one run
	$(GO) test -run '^$$' -bench . -benchmem ./...

vuln: ## known vulnerabilities (needs the Go vulnerability database)
	$(GO) tool -modfile=tools/lint/go.mod govulncheck ./...

build:
	$(GO) build -o bin/wavekeeper ./server

fresh:
	@tools/fresh.sh

need-run:
	@tools/need.sh run

need-test:
	@tools/need.sh test
