# make help lists the targets. Everything is installed into .venv and others of such names; nothing outside this folder is
# touched, but for Debian packages that the tests want, where make runs as root.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
COLLECTION := .ansible/collections/ansible_collections/ets6/network
READY := $(VENV)/ready
MITMPROXY := .venv-mitmproxy
INSPECJS := .venv-inspecjs
INSPECJS_PACKAGE := inspecjs@2.12.6
RUN := PATH="$(BIN):$$PATH"
ISSUE_FORMS = $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
DOCS := dist/docs

.DEFAULT_GOAL := help
.PHONY: help setup demo lint format docs unit sanity molecule package bench compat test system mitmproxy inspecjs fuzz clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY) ## make the virtual environment and link the collection into it

$(READY): requirements.txt requirements-dev.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; give one with PYTHON=python3.12, say." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is needed (Debian: apt install python3-venv)." >&2; exit 1; }
	@echo "Installing what requirements-dev.txt pins into $(VENV) (a minute the first time) …"
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off --requirement requirements-dev.txt | \
		sed -un 's/^Collecting \([^ ]*\).*/   \1/p; s/^Installing collected packages.*/   unpacking …/p'
	@mkdir -p $(dir $(COLLECTION)) && ln -sfn ../../../.. $(COLLECTION)
	@touch $@

demo: setup ## show the whole thing on simulated PCs: what is wrong, what is done, the reports
	@$(RUN) python -m tests.lab.demo

lint: setup ## ruff, mypy --strict, ansible-lint (production), yamllint, changelog, documentation, workflows, issue forms
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) python -m tests.words
	$(RUN) MYPYPATH=.ansible/collections mypy -p ansible_collections.ets6.network.plugins
	$(RUN) mypy tests/lab bench tests/compat.py
	$(RUN) ansible-lint
	$(RUN) yamllint --strict .
	$(RUN) antsibull-changelog lint
	$(RUN) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs dependent .
	$(RUN) check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(RUN) check-jsonschema --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	$(RUN) check-jsonschema --builtin-schema vendor.github-issue-forms $(ISSUE_FORMS)
	$(RUN) check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml

format: setup ## have ruff format everything
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

docs: setup ## the documentation of role and modules as web pages, in dist/docs
	rm -rf $(DOCS) && mkdir -p -m 700 $(DOCS)/rst
	$(RUN) antsibull-docs collection --use-current --fail-on-error --squash-hierarchy --dest-dir $(DOCS)/rst ets6.network
	$(RUN) sphinx-build --quiet --fail-on-warning --keep-going -c docs/docsite $(DOCS)/rst $(DOCS)/html
	@echo "The documentation begins at $(DOCS)/html/index.html."

system: # packages of Debian that tests want; without root those tests skip and say which package they lack
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		wanted=$$(sed 's/#.*//' requirements-debian.txt | xargs); \
		missing=$$(for one in $$wanted; do dpkg -s "$$one" >/dev/null 2>&1 || echo "$$one"; done | xargs); \
		if [ "$$missing" ]; then \
			apt-get update -qq; \
			there=$$(for one in $$missing; do if apt-cache show "$$one" >/dev/null 2>&1; then echo "$$one"; fi; done | xargs); \
			for one in $$missing; do [[ " $$there " == *" $$one "* ]] || echo "This Debian has no package $$one."; done; \
			echo "Installing from Debian: $$there"; \
			[ -z "$$there" ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$there >/dev/null; \
		fi; \
	fi

mitmproxy: # a program for tests, in an environment of its own; without it those tests skip
	@[ -e $(MITMPROXY)/ready -a ! requirements-mitmproxy.txt -nt $(MITMPROXY)/ready ] || { \
		echo "Installing mitmproxy into $(MITMPROXY) …"; \
		$(PYTHON) -m venv $(MITMPROXY) && \
		$(MITMPROXY)/bin/pip install --disable-pip-version-check -q -r requirements-mitmproxy.txt && touch $(MITMPROXY)/ready; \
	} || echo "mitmproxy could not be installed." >&2

inspecjs: # MITRE's reader of the Heimdall Data Format, for tests; without it those tests skip
	@[ -e $(INSPECJS)/ready -a ! requirements-inspecjs.txt -nt $(INSPECJS)/ready -a ! Makefile -nt $(INSPECJS)/ready ] || { \
		echo "Installing inspecjs into $(INSPECJS) …"; \
		$(PYTHON) -m venv $(INSPECJS) && \
		$(INSPECJS)/bin/pip install --disable-pip-version-check -q -r requirements-inspecjs.txt && \
		PATH="$(CURDIR)/$(INSPECJS)/bin:$$PATH" npm install --prefix $(INSPECJS) --ignore-scripts --no-save --no-audit --no-fund \
			--loglevel=error $(INSPECJS_PACKAGE) && touch $(INSPECJS)/ready; \
	} || echo "inspecjs could not be installed." >&2

unit: setup system mitmproxy inspecjs ## pytest: units, the lab, the PowerShell
	$(RUN) python -m pytest -q -n auto

sanity: setup ## ansible-test sanity and units
	$(RUN) tests/ansible-test.sh

molecule: setup system ## molecule's scenarios, on the lab
	$(RUN) MOLECULE_GLOB='molecule/*/molecule.yml' molecule test --all

package: setup ## build the collection, check it as Galaxy does, install it into an empty folder, run the demo from there
	$(RUN) tests/package.sh

fuzz: setup system ## damaged input for everything that parses, for FUZZ_MINUTES (5); findings are kept in tests/fuzz/seeds
	$(RUN) PYTHONPATH=.:.ansible/collections python -m tests.fuzz $(or $(FUZZ_MINUTES),5)

bench: setup system ## what a PC costs: executions, messages, bytes; how long the judgement takes, and an image
	$(RUN) PYTHONPATH=.:.ansible/collections python -m bench

compat: setup ## every promised release of ansible-core: the demo, the built collection, the actions' units
	@$(RUN) python -m tests.compat

test: lint docs unit sanity molecule package ## all of it
	@echo "All tests passed."

clean: ## remove what make made
	rm -rf $(VENV) $(MITMPROXY) $(INSPECJS) .venv-compat-* .ansible .lab dist .hypothesis .mypy_cache .ruff_cache ets6-report
