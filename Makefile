# Everything a contributor types. Needs Python 3.11-3.14, a C++ compiler and make; sets up the rest.
# `make help` lists the commands.

SHELL   := /bin/bash
VENV    ?= .venv
BIN     := $(VENV)/bin
SOURCE  ?= sample
JOBS    ?= 2
# A copy of the real portal's tree, where there is one.
MIRROR  ?= $(or $(NMC_MIRROR),../shared/nmc-mirror)
UV      ?= uv
# Optional extras of the package that the lock does not pin: make book EXTRAS=extracts SOURCE=...
EXTRAS  ?=
PYTHON  ?= $(shell for v in 3.12 3.11 3.13 3.14; do \
	python$$v -c 'import venv, ensurepip' >/dev/null 2>&1 && { command -v python$$v; exit; }; done; \
	python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	>/dev/null 2>&1 && command -v python3)

export NMC_SOURCE := $(SOURCE)
export JOBS

.PHONY: help book chapter sample test test-full test-neuron8 scoreboard stamps site-test layout pdf links lock clean check style

help:  ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

book: $(VENV)/.installed  ## build the book: make book [SOURCE=sample|portal,extracts|FOLDER|URL]
	$(BIN)/python -m tools.bookbuild book --source '$(SOURCE)' --jobs $(JOBS)

chapter: $(VENV)/.installed  ## run and render one: make chapter C=book/cells/see-the-morphology
	$(BIN)/python -m tools.bookbuild chapter '$(C)' --source '$(SOURCE)'

check: style  ## style, layers, types and the chapters' form, without running anything
	$(BIN)/python -m pytest -q tests/test_book.py tests/test_size.py

style: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

test: style  ## style, unit tests, every chapter under nbmake, the book with warnings as errors
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=15
	$(BIN)/python -m tools.bookbuild book --source '$(SOURCE)' --jobs $(JOBS)

# The long way round: both sources, two clean builds that must agree, 2 GB of memory, a browser.
test-full: $(VENV)/.installed  ## make test, and everything that takes longer
	$(MAKE) test
	$(BIN)/python -m pytest -q --full -m slow
	$(BIN)/python -m tools.bookbuild reads
	test -z '$(filter extracts,$(EXTRAS))' || NMC_ACCEPT_TERMS=1 $(BIN)/python -m tools.bookbuild --build _build/extracts book --source extracts,sample --jobs $(JOBS)
	test ! -d '$(MIRROR)' || $(BIN)/python -m tools.bookbuild --build _build/mirror book --source '$(MIRROR)' --jobs $(JOBS)
	test ! -d '$(MIRROR)' || $(BIN)/python -m tools.bookbuild reads --source '$(MIRROR)'
	$(MAKE) site-test

site-test: $(VENV)/.installed  ## walk the built site in a headless browser
	$(BIN)/python -m pytest -q tests/site --site _build/html

test-neuron8:  ## the mechanism and cell tests under NEURON 8
	$(MAKE) $(VENV)-neuron8/.installed VENV=$(VENV)-neuron8
	$(VENV)-neuron8/bin/python -m pip install --quiet --no-deps 'neuron<9'
	$(VENV)-neuron8/bin/python -m pytest -q tests/cells -m neuron

scoreboard: $(VENV)/.installed  ## the long comparisons with the published numbers (resumable)
	$(BIN)/nmc scoreboard --keep --source '$(SOURCE)'
	$(BIN)/nmc checks --keep --source '$(SOURCE)'

# Where extracts are installed, SOURCE=FOLDER,extracts checks the null models as well.
stamps: $(VENV)/.installed  ## run a sample of the recorded rows again; if all are the same, stamp them; record verdicts
	$(BIN)/nmc scoreboard --verify 2 --source '$(SOURCE)'
	$(BIN)/nmc scoreboard-pathways --verify 1 --source '$(SOURCE)'
	$(BIN)/python benchmarks/cells.py --verify 1
	$(BIN)/nmc checks --keep --source '$(SOURCE)'

layout: $(VENV)/.installed  ## write the chapters as JupyterLab saves them
	$(BIN)/jupytext --quiet --to md:myst --update-metadata '{"kernelspec": {"display_name": "Python 3 (ipykernel)"}}' \
	  $$(grep -rl --include='*.md' 'format_name: myst' book)

pdf: book  ## the whole book as one PDF, printed by a headless Chromium
	$(BIN)/python -m tools.bookbuild pdf

links: book  ## ask every address the book links to whether it still answers
	$(BIN)/python -m tools.bookbuild links

lock:  ## pin every dependency with its hashes again
	$(UV) pip compile $(UPGRADE) --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra book --extra test --extra sweep --extra neuroml \
	  --extra export --extra analysis pyproject.toml -o requirements.lock

sample: $(VENV)/.installed  ## make the synthetic sample that the package ships again (maintainers)
	$(BIN)/python -m tools.sample

clean:  ## remove what is generated (not the environment, not downloaded data)
	rm -rf _build .cache .pytest_cache .ruff_cache

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n '$(PYTHON)' || { echo 'No Python 3.11 to 3.14 with venv was found: install one, or give PYTHON=/path/to/python.'; exit 1; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || { echo 'No C++ compiler was found: install g++ (Debian, Ubuntu), gcc-c++ (Fedora) or the Xcode command line tools (macOS).'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . || \
	  $(BIN)/python -m pip install --quiet --no-deps -e .
	$(if $(EXTRAS),$(BIN)/python -m pip install --quiet -e '.[$(EXTRAS)]')
	@touch $@
