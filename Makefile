# Every target sets up .venv by itself when it is missing or older than the pinned files.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
# Another Python than the machine's own has an environment of its own: `make test PYTHON=python3.13`.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-of-$(notdir $(PYTHON)))
# Of each minor version the one on the PATH, if it starts, or else pyenv's.
PYTHONS ?= $(foreach minor,11 12 13 14,$(shell python3.$(minor) -c 'import sys; print(sys.executable)' 2>/dev/null \
	|| echo $(lastword $(wildcard $(HOME)/.pyenv/versions/3.$(minor).*/bin/python3.$(minor)))))
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := $(VENV)/.bench
DEPLOY := .venv-deploy/bin
CHECKOV := .venv-checkov/bin
# The tests of what hunts and measures; all others are of the product.
TOOLS := tests/mutants/test_hunts.py tests/benchmarks
# Exactly what a file names: resolved again, an extra such as coverage[toml] would mean its newest
# release, which has no hash there. The files are whole; `pip check` says so of each environment.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup demo test test-tools soak fuzz check lint types format lock prove mutants recipes bench stages api-check audit examples clean
.PHONY: check-pythons template template-check deploy-check setup-check release

help: ## what there is to run
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## .venv and nothing more, for what you type yourself: .venv/bin/tally
	@echo '$(VENV) is ready: type $(BIN)/tally, or what docs/tutorial.md says'

demo: $(READY) ## the main job on this machine: 100,000 increments, faults, exact counts
	$(BIN)/tally demo

# In an order drawn anew; its seed is printed, and `--randomly-seed=N` repeats it. A file stays on one
# core, so that what its tests share is started once.
test: $(READY) ## the tests in any order, on all cores, with branch coverage
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report= \
		$(TOOLS:%=--ignore=%)
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 \
		--include='tally/*,consumer/*,producer/*' --omit='tally/local/*,tally/cli/*'

test-tools: $(READY) ## the tests of what hunts and measures: mutants and benchmarks
	$(BIN)/python -m pytest -n auto --dist loadfile $(TOOLS)

check-pythons: ## the tests on each Python that is found, 3.11 to 3.14: make check-pythons PYTHONS="python3.12 …"
	@for python in $(PYTHONS); do \
		printf '%s\n' "Python: $$python" && $(MAKE) --no-print-directory test PYTHON="$$python" || exit 1; \
	done

soak: $(READY) ## real processes in one storm of faults after another: make soak MINUTES=10
	TALLY_SOAK_MINUTES=$(or $(MINUTES),10) $(BIN)/python -m pytest -v tests/integration

fuzz: $(READY) ## bad input, other examples each time: make fuzz EXAMPLES=10000
	TALLY_FUZZ_EXAMPLES=$(or $(EXAMPLES),10000) $(BIN)/python -m pytest -v tests/fuzz --hypothesis-profile=fuzz

lint: $(READY) ## style: ruff's rules and its formatter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

prove: $(READY) ## try to break exactly-once in simulations, and a publisher in storms: EVENTS=10000000 of each, MINUTES=10
	@for profile in $(or $(PROFILES),cache valkey durable publisher); do \
		printf '\n%s\n' "$$profile" && \
		$(BIN)/python -m tests.simulation --profile $$profile --events $(or $(EVENTS),10000000) || exit 1; \
	done
	$(BIN)/python -W ignore::DeprecationWarning -m tests.publishing.storm --minutes $(or $(MINUTES),10) --processes 2

mutants: $(READY) ## bugs planted one by one, which the simulation or the tests must find: make mutants SEEDS=300
	$(BIN)/python -m tests.mutants $(if $(SEEDS),--seeds $(SEEDS))

bench: $(BENCH) ## ours and what people would use instead, side by side: docs/benchmarks.md
	$(BIN)/python -m benchmarks.speed --write docs

stages: $(READY) ## where the CPU of a batch goes: docs/performance.md
	$(BIN)/python -m benchmarks.stages

api-check: $(READY) ## the HTTP API against its own description: make api-check EXAMPLES=300
	$(BIN)/python -m tests.api --examples $(or $(EXAMPLES),100)

recipes: $(READY) ## the same events and faults through the usual recipes: docs/recipes.md
	$(BIN)/python -m benchmarks.recipes --write docs/recipes.md

template: $(DEPLOY)/.ready ## what SAM makes of template.yaml, for the tests of its rules
	$(DEPLOY)/python -m infrastructure.transform

# No account is asked for anything; SAM wants a region all the same, and puts it nowhere.
template-check: export AWS_DEFAULT_REGION := eu-central-1
template-check: export SAM_CLI_TELEMETRY := 0
template-check: $(READY) $(DEPLOY)/.ready $(CHECKOV)/.ready ## the template and both packages, without an account
	$(DEPLOY)/python -m infrastructure.transform --check
	$(DEPLOY)/sam validate --lint
	$(DEPLOY)/cfn-lint --config-file infrastructure/cfn-lint.yaml
	$(CHECKOV)/python -m checkov.main --config-file infrastructure/checkov.yaml -f tests/infrastructure/transformed.json
	$(BIN)/python -m pytest -q tests/infrastructure
	PATH="$(CURDIR)/$(DEPLOY):$$PATH" $(DEPLOY)/sam build

deploy-check: template-check .venv-ministack/bin/.ready ## that it deploys and runs: both packages, both queues, a table
	$(BIN)/python -m infrastructure.check

release: $(READY) ## both packages as zips, and a template that finds them: build/release
	$(BIN)/python -m infrastructure.release

audit: $(READY) ## known vulnerabilities in what the Lambdas run with, where an advisory source answers
	@if $(BIN)/python -m infrastructure.audit; then $(MAKE) --no-print-directory $(DEPLOY)/.ready \
		&& $(DEPLOY)/pip-audit --strict --disable-pip --require-hashes -r requirements/lambda.txt -r requirements/api.txt; fi

examples: $(READY) .venv-terraform/bin/.ready ## the programs of examples/, also in Node.js, by Terraform and by CDK
	npm ci --prefix examples/node --no-audit --no-fund
	npm ci --prefix examples/cdk --no-audit --no-fund
	$(BIN)/python -m pytest -v tests/examples

setup-check: $(READY) ## that a fresh clone of HEAD installs what is locked, whatever is released tomorrow
	$(BIN)/python -m infrastructure.tomorrow $(if $(COMMIT),--commit $(COMMIT))

check: lint types audit setup-check test test-tools ## what CI runs

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY) ## resolve the pinned files anew (needs a package index)
	$(BIN)/python requirements/lock.py

clean: ## remove .venv and what tools left behind
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.* .hypothesis .aws-sam

# The programs of an environment name the folder that it was made in, so each stamp holds that: in a
# moved checkout they are not found, and in a copied one they would run the first one's code. Asked
# before any environment is used. pwd -P: a link that leads to the checkout is no move.
.PHONY: same-place
same-place:
	@for stamp in $(READY) .venv-*/bin/.ready; do \
		if test -s "$$stamp" && test "$$(cat "$$stamp")" != "$$(pwd -P)"; then \
			printf '%s\n' "This checkout was moved or copied: its $${stamp%%/*} was made in $$(cat "$$stamp")." \
				'Run `make clean`, and then make what you wanted.' >&2; \
			exit 1; \
		fi; \
	done

# The stamp is written last, so an interrupted set-up is begun again.
$(READY): requirements/dev.txt pyproject.toml | same-place
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Tally needs Python 3.11 or newer: make PYTHON=/path/to/python3'; exit 1; }
	@echo 'Setting up $(VENV): about a minute, this once'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python $(INSTALL) requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@pwd -P > $(READY)

# Tools that pin their dependencies, and ours, to other versions: an environment for each.
.venv-%/bin/.ready: requirements/%.txt | same-place
	$(PYTHON) -m venv --clear .venv-$*
	$(@D)/python $(INSTALL) $<
	$(@D)/python -m pip check --quiet --disable-pip-version-check
	@pwd -P > $@

$(BENCH): requirements/bench.txt $(READY)
	$(BIN)/python $(INSTALL) requirements/bench.txt
	$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $(BENCH)
