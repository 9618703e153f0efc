# Two commands do everything on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.PHONY: install
install: $(READY) ## Make the environment .venv with oidcwatch and its development tools

.PHONY: browser
browser:
	@deploy/install.sh browser

.PHONY: parts
parts: $(READY) ## Install the real parts that the tests run against (apt, npm, Go, Maven); repeating it changes nothing
	@deploy/install.sh all
	$(BIN)/python -m sandbox.peers install
	$(BIN)/python -m drills.canaries

.PHONY: canaries
canaries: $(READY) ## Build the verifiers of other languages that drills measure (npm, Go, Maven); half a minute
	$(BIN)/python -m drills.canaries

.PHONY: demo
demo: $(READY) browser ## Run every kind of probe against the embedded provider, from three regions
	$(BIN)/oidcwatch demo $(DEMO_ARGS)

.PHONY: stack
stack: $(READY) browser ## Run agents of three regions with Prometheus and Alertmanager
	@deploy/install.sh stack
	$(BIN)/oidcwatch stack $(STACK_ARGS)

.PHONY: test
test: $(READY) parts lint ## Install what is missing, then run every test
ifdef TEST_ARGS
	$(BIN)/pytest -q $(TEST_ARGS)
else
	@# Tests of drills mostly wait for verifiers: beside the others they cost little time.
	@# The causes want the machine for themselves: their agents, Prometheus and runbooks are to keep up with each other.
	@said=$$(mktemp); drills=0; others=0; causes=0; \
	$(BIN)/pytest -q tests/drills >$$said 2>&1 & beside=$$!; \
	trap 'kill $$beside 2>/dev/null || true; rm -f $$said' EXIT; \
	$(BIN)/pytest -q --ignore=tests/drills --ignore=tests/causes || others=$$?; \
	wait $$beside || drills=$$?; \
	cat $$said; \
	$(BIN)/pytest -q tests/causes || causes=$$?; \
	exit $$((drills || others || causes))
endif

.PHONY: check
check: $(READY) lint ## Format, lint, types, unit tests: the usual loop, under two minutes
	$(BIN)/pytest -q -m 'not process and not real'

.PHONY: lint
lint: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

.PHONY: format
format: $(READY) ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: generate
generate: $(READY) ## Write everything that is generated and committed anew: examples, reference, golden files
	@$(BIN)/oidcwatch generate all -c examples/oidcwatch.yaml -o examples/generated/oidcwatch | tail -1
	@for name in keycloak node-oidc-provider; do for kind in rules alertmanager; do \
	  $(BIN)/oidcwatch generate $$kind -c examples/$$name.yaml -o examples/generated/$$name | tail -1; \
	done; done
	$(BIN)/oidcwatch docs --write
	OIDCWATCH_WRITE_GOLDEN=1 $(BIN)/pytest -q -k golden tests/alerts tests/dashboards tests/drills/report tests/runbooks

.PHONY: real
real: $(READY) parts ## Start Keycloak and node-oidc-provider and run their examples against them
	$(BIN)/python -m sandbox.peers.probe_all $(REAL_ARGS)

.PHONY: bench
bench: $(READY) parts ## Measure against the peers; writes benchmarks/latest.json
	$(BIN)/python -m benchmarks

.PHONY: clean
clean: ## Remove what was built here
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
