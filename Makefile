# Every command of this project. Set-up happens by itself and takes a moment only when something changed.
# Paths are relative throughout, so that the checkout may lie in a folder with spaces in its name.

PYTHON ?= python3
RUN := .venv/bin/python -m

SCHEDULES ?= 1000
SEED ?= 0
MINUTES ?= 30
PYTEST_OPTIONS ?=
MODULES ?=
LOCK_OPTIONS ?=
BENCH_OPTIONS ?=

# What `make run` is asked for: make run PORT=7071 KEY=my-key KEEP=1 VERBOSE=1
PORT ?=
KEY ?=
KEEP ?=
VERBOSE ?=
quoted = '$(subst ','\'',$(1))'
RUN_OPTIONS = $(if $(PORT),--port $(call quoted,$(PORT))) $(if $(KEY),--key $(call quoted,$(KEY))) \
	$(if $(filter-out 0,$(KEEP)),--keep) $(if $(filter-out 0,$(VERBOSE)),--verbose)

# For every platform and Python from 3.11; nothing of this machine goes into what it writes.
LOCK := $(RUN) uv pip compile --quiet --no-config --no-cache --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(LOCK_OPTIONS)

# Seconds. Whoever waits for a process that never answers fails by then, by name, and holds up nothing.
TEST_TIMEOUT := 300

# The tests start hundreds of processes; without kept bytecode each of them compiles the whole app again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help set-up demo run test test-long check format lock openapi words components models bench fuzz chaos simulate mutants mutation clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

set-up: ## Install all that is needed into this folder (every other command installs what it needs by itself)
	@$(PYTHON) simulator/setup.py

demo: ## Start everything, change things on both sides, show that they arrive, stop everything
	@$(PYTHON) simulator/setup.py demo
	@$(RUN) simulator.demo

run: ## Start everything and keep it running, with pages to play on (PORT=7071 KEY=my-key KEEP=1 VERBOSE=1)
	@$(PYTHON) simulator/setup.py demo
	@$(RUN) simulator.run $(RUN_OPTIONS)

test: ## Run every test, on a real Azurite (PYTEST_OPTIONS="-k echo")
	@$(PYTHON) simulator/setup.py test
	@$(RUN) pytest -q -n 3 --dist loadfile --no-loadscope-reorder --timeout $(TEST_TIMEOUT) -m "not long" $(PYTEST_OPTIONS)

test-long: ## Run the tests that wait for a minute, or are many that take seconds
	@$(PYTHON) simulator/setup.py test
	@$(RUN) pytest -q --timeout $(TEST_TIMEOUT) -m long $(PYTEST_OPTIONS)

check: ## Check format, lint and types (the page's too), the direction of imports, and what deploys the app
	@$(PYTHON) simulator/setup.py check
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@.venv/bin/lint-imports
	@$(RUN) tests.infra
	@node_modules/.bin/tsc
	@node_modules/.bin/biome ci --error-on-warnings

format: ## Format the code and fix what the linters can fix
	@$(PYTHON) simulator/setup.py check
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .
	@node_modules/.bin/biome check --write

lock: ## Pin what requirements*.in ask for and all that it brings (LOCK_OPTIONS=--upgrade)
	@$(PYTHON) simulator/setup.py tools
	@$(LOCK) requirements.in --output-file requirements.txt
	@$(LOCK) requirements-demo.in --output-file requirements-demo.txt
	@$(LOCK) requirements-operate.in --constraint requirements.txt --output-file requirements-operate.txt
	@$(LOCK) requirements-dev.in --output-file requirements-dev.txt
	@$(LOCK) requirements-models.in --output-file requirements-models.txt

openapi: ## Describe the HTTP API as it is now, in functions/openapi.json
	@$(PYTHON) simulator/setup.py check
	@$(RUN) tests.surface

words: ## Write down the sentences that operators read, in tests/unit/domain/words, for a reviewer to see what changed
	@$(PYTHON) simulator/setup.py check
	@$(RUN) tests.unit.domain.words

components: ## List the components of the deployed app, as CycloneDX, in .local/components.cdx.json
	@$(PYTHON) simulator/setup.py check
	@mkdir -p .local
	@.venv/bin/cyclonedx-py requirements requirements.txt --output-reproducible --validate --output-file .local/components.cdx.json
	@echo ".local/components.cdx.json"

models: ## Read what Azure's libraries say of the resources in infra, after a change of their types or versions
	@$(PYTHON) -m venv .venv-models
	@.venv-models/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-models.txt
	@.venv-models/bin/python -m tests.infra.snapshot

bench: set-up ## Measure calls, latency and growth against their targets (BENCH_OPTIONS=--quick)
	@$(RUN) bench $(BENCH_OPTIONS)

chaos: set-up ## Kill, cut off and overload the running app, and check that both sides agree afterwards
	@$(RUN) tests.chaos

simulate: ## Run random schedules of edits, lost hooks and crashes (SCHEDULES=1000 SEED=0, or SEED=clock)
	@$(PYTHON) simulator/setup.py tools
	@$(RUN) tests.simulation --schedules $(SCHEDULES) --seed $(SEED)

fuzz: set-up ## Send damaged and hostile input to every parser and route (SEED=0 MINUTES=30)
	@$(RUN) tests.fuzz --seed $(SEED) --minutes $(MINUTES)

mutants: set-up ## Break the code on purpose and check that a test notices
	@$(RUN) tests.simulation.mutants

mutation: set-up ## Change each expression of the core in turn, for an hour (MODULES="shared.domain.failures")
	@$(RUN) tests.mutation $(MODULES)

clean: ## Remove everything that was installed or generated
	rm -rf .venv .venv-3.13 .venv-models node_modules build *.egg-info .local .set-up-lock .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
