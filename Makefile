.PHONY: help install run demo lab bench test test-extras test-chaos check timed unit browser stories pages lock clean
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
SLIPCOVER := $(BIN)/python -m slipcover
# where there is room in memory, files of tests lie there: none waits for a disk
MEMORY := $(shell awk '$$2 == "/dev/shm" && $$4 !~ /noexec/ {print $$2; exit}' /proc/mounts 2>/dev/null)
ROOM := $(if $(MEMORY),$(shell df -Pm $(MEMORY) | awk 'NR == 2 && $$4 >= 4096 {print "yes"}'))
# each of the hundred processes that start would otherwise compile its libraries anew
unexport PYTHONDONTWRITEBYTECODE
EXTRAS := $(filter-out requirements-dev.txt requirements-lab.txt,$(wildcard requirements-*.txt))

help: ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/.ready ## prepare .venv with what the product needs

.venv/.ready: requirements.txt pyproject.toml ops/install.sh
	@sh ops/install.sh requirements.txt
	@touch $@

.venv/.ready-dev: requirements.txt requirements-dev.txt pyproject.toml ops/install.sh
	@sh ops/install.sh requirements.txt requirements-dev.txt
	@touch $@ .venv/.ready

run: install ## start everything and stay in the foreground (Ctrl-C ends it)
	@exec $(BIN)/pilothouse up --with-parent

demo: install ## the product with simulated clients and an incident, five minutes
	@exec $(BIN)/pilothouse demo

test: .venv/.ready-dev ## everything: lint, types, contracts, unit, API, page and browser tests
	@sh ops/browser.sh
	@$(MAKE) --no-print-directory timed
	@$(MAKE) --no-print-directory -j2 --output-sync=target check unit
	@$(MAKE) --no-print-directory browser

check: .venv/.ready-dev ## lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/.ready-dev ## all tests without a browser, with coverage
	$(if $(ROOM),TMPDIR=$(MEMORY) )$(SLIPCOVER) --source core,api --omit 'core/migrations/*' --json --out .coverage.json -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 3 -m "not browser and not extras and not chaos"
	@$(SLIPCOVER) --merge .coverage.json --out /dev/null --skip-covered --fail-under 85

browser: .venv/.ready-dev ## the whole loop in a real browser; screenshots in artifacts/
	@$(MAKE) --no-print-directory -j2 --output-sync=target stories pages

stories: .venv/.ready-dev
	$(PYTEST) -q -n 0 -s -m "browser and processes" tests/e2e

pages: .venv/.ready-dev
	$(PYTEST) -q -n 0 -m "browser and not processes and not timed" tests/e2e

timed: .venv/.ready-dev ## the seconds that a person waits for each page; alone on the machine
	$(PYTEST) -q -n 0 -s -m timed

.venv/.ready-extras: $(EXTRAS) .venv/.ready-dev
	@sh ops/install.sh requirements.txt requirements-dev.txt $(filter-out requirements-gpu.txt,$(EXTRAS))
	@$(if $(filter requirements-gpu.txt,$(EXTRAS)),$(BIN)/pip install -q --disable-pip-version-check -r requirements-gpu.txt)
	@touch $@

test-extras: .venv/.ready-extras ## what needs the optional packages, or minutes: Ray, DVC, torch, real servers
	$(PYTEST) -q -n 0 -m "extras and not browser and not chaos"

test-chaos: .venv/.ready-dev ## kills, stops and loads for three quarters of an hour, each with its figure, on both databases
	$(PYTEST) -q -n 0 -s -m chaos tests/chaos

NAME ?= serving
bench: .venv/.ready-dev ## measure: NAME=serving (writes docs/serving-results.md), monitoring, gate, replay, tabular or training; ARGS=--quick
	$(BIN)/python -m benchmarks.$(NAME) $(ARGS)

.venv-lab/.ready: requirements-lab.txt .venv/.ready
	@.venv/bin/python -m venv .venv-lab
	@$(BIN)/uv pip install -q --python .venv-lab/bin/python -r requirements-lab.txt || .venv-lab/bin/pip install -q --disable-pip-version-check -r requirements-lab.txt
	@$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib')); print('$(CURDIR)')" > $$(echo .venv-lab/lib/python3*/site-packages)/pilothouse.pth
	@touch $@

lab: .venv-lab/.ready ## JupyterLab with core in it, on 127.0.0.1 and behind a token
	@cd docs/notebooks && exec $(CURDIR)/.venv-lab/bin/jupyter lab --ip 127.0.0.1 --no-browser tour.ipynb

lock: .venv/.ready-dev ## resolve requirements.in and requirements-dev.in anew
	$(BIN)/uv pip compile -q requirements.in -o requirements.txt --no-annotate --no-header
	$(BIN)/uv pip compile -q requirements-dev.in -o requirements-dev.txt --no-annotate --no-header

clean: ## remove caches and the environment; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* artifacts
