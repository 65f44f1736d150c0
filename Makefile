# Every command of the project. Settings such as PORT come from the environment.
PYTHON ?= python3
export PYTHON

BIN := .venv/bin
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --strip-extras --allow-unsafe
TRANSLATIONS := payments/translations

.DEFAULT_GOAL := help
.PHONY: help install run test long faults check format bench pictures messages lock dev
.NOTPARALLEL:

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: install ## Serve a demo shop on http://127.0.0.1:5000 (PORT changes it)
	@$(BIN)/flask --app app demo --upgrade
	@exec $(BIN)/python wsgi.py

test: ## Install what the tests need, then check and test everything
	@.ci/install-tools & tools=$$!; \
	$(MAKE) --no-print-directory check; checked=$$?; wait $$tools && exit $$checked
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

long: dev ## The other tests that take minutes: two instances, sizing, the benchmark
	@.ci/install-tools
	@HYPOTHESIS_PROFILE=chance $(BIN)/python -m pytest -m long --ignore=tests/faults

faults: dev ## Break what can break, and write what then happened into docs/faults.md
	@.ci/install-tools
	@FAULTS_TABLE=docs/faults.md $(BIN)/python -m pytest tests/faults -m "long or not long"

check: dev ## Formatting, lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: dev ## Format the code and mend what lint can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: dev ## Run the benchmark
	@$(BIN)/python -m benchmarks

pictures: dev ## Take docs/pictures/ again: every page and state, light, dark, small and printed
	@.ci/install-tools
	@$(BIN)/python -m tests.e2e.pictures

# `Good` and `Operation` name what home.html and api_docs.html show of them by `_()`.
messages: dev ## Extract and compile the words of the pages
	@$(BIN)/pybabel --quiet extract --mapping=pyproject.toml -k _l -k Good:1 -k Operation:3 \
		--add-location=file --sort-by-file --output-file=$(TRANSLATIONS)/messages.pot .
	@$(BIN)/pybabel --quiet update --input-file=$(TRANSLATIONS)/messages.pot --output-dir=$(TRANSLATIONS) \
		--width=100 --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@rm $(TRANSLATIONS)/messages.pot
	@$(BIN)/pybabel --quiet compile --directory=$(TRANSLATIONS)

install: ## Make .venv with the pinned requirements; safe to repeat
	@.ci/install-venv requirements.txt

lock: dev ## Compile requirements*.in into pinned, hashed requirements*.txt
	@$(COMPILE) --output-file=requirements.txt requirements.in
	@$(COMPILE) --output-file=requirements-dev.txt requirements-dev.in

dev:
	@.ci/install-venv requirements.txt requirements-dev.txt
