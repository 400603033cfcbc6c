# All that is done to flowcore by hand or by machine. On a fresh clone every target makes .venv first,
# and fills it with what it needs; the stamps in .venv make that happen once for each pyproject.toml.

PYTHON ?= python3
VENV := .venv
PYTHONS ?= python3.11 python3.12 python3.13
MINUTES ?= 10
BIN := $(VENV)/bin
LOWEST := .venv-lowest

.PHONY: help demo test browser slurm check format bench fuzz long reliability lowest soak release docs gallery clean
.DELETE_ON_ERROR:

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/installed-examples  ## run examples/landscape.py on two workers or more
	$(BIN)/python examples/landscape.py

test: $(VENV)/installed-test  ## all tests but the slow ones and the comparisons, shared by two processes
	$(BIN)/python -m pytest -n 2 --dist worksteal

browser:  ## see to a Chromium for the tests of pages: they are skipped, and say so, where there is none
	@for name in chromium chromium-browser google-chrome-stable google-chrome; do \
		if command -v $$name >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else false; fi || echo "No Chromium is here and none can be installed: tests of pages will be skipped."

slurm:  ## see to a Slurm for the tests of its plugin: they are skipped, and say so, where there is none
	@PATH="$$PATH:/usr/sbin"; if command -v slurmctld && command -v slurmd && command -v munged && command -v sbatch; \
	then exit 0; fi >/dev/null; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null; \
	else false; fi || echo "No Slurm is here and none can be installed: tests in a real one will be skipped."

check: $(VENV)/installed-dev  ## what needs no run: lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-bench  ## compare with peers; fails if a budget is missed; BENCH="--size short" is a quick look
	@$(BIN)/python -m tests.bench $(BENCH); met=$$?; $(BIN)/python -m pytest -m bench --timeout 900 && exit $$met

long: $(VENV)/installed-test  ## all tests, each in its long form: hours
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m "not bench" --timeout 3600

reliability: $(VENV)/installed-test  ## run what is marked with a fault or an intruder, and write the tables of docs/reliability.md
	$(BIN)/python -m tests.reliability --run

soak: $(VENV)/installed-test  ## MINUTES=10 of random runs, four at once, under kills, damage and edits, beside an oracle
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --write docs/soak.json
	$(BIN)/python -m tests.reliability

lowest: $(LOWEST)/installed  ## a telling part of the tests on the lowest versions of all dependencies; before each release
	$(LOWEST)/bin/python -m tests.lowest

fuzz: $(VENV)/installed-test  ## a million inputs a reader, two readers at a time; begun again, it goes on; INPUTS=20000 is a quick look
	$(BIN)/python -m tests.fuzz --inputs $(or $(INPUTS),1000000) --figures docs/fuzz.json
	$(BIN)/python -m tests.reliability

release: $(VENV)/installed-release  ## build all distributions, look at them, and test what was built on each of PYTHONS
	rm -rf dist build
	for project in . plugins/*/; do $(BIN)/python -m build --outdir dist $$project >/dev/null || exit 1; done
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/cffconvert --validate
	$(BIN)/repo-review .
	for python in $(PYTHONS); do for which in newest lowest; do \
		echo "$$python, $$which"; $$python tests/release.py dist $$python $$which || exit 1; done; done

docs: $(VENV)/installed-docs  ## docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

gallery: $(VENV)/installed-test $(VENV)/installed-gallery  ## run every script of docs/gallery, and check what it finds
	$(BIN)/python -m pytest -m "" tests/site/test_gallery.py

clean:  ## remove what make made
	rm -rf $(VENV) $(LOWEST) docs/_build build dist .coverage .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# With the tests come the plugins, and the engines that they need.
PLUGINS := $(wildcard plugins/*/pyproject.toml)
$(VENV)/installed-%: pyproject.toml $(PLUGINS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]" \
		$(if $(filter test dev bench,$*),$(patsubst %/pyproject.toml,--editable %,$(PLUGINS)))
	@touch $@

$(LOWEST)/installed: pyproject.toml tests/lowest.py
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check $$($(PYTHON) tests/lowest.py)
	@touch $@
