# Everything a developer needs. `make test` works on a Debian 12 or 13 machine with nothing but Python,
# apt and make; it needs root, as the tests boot real Debian hosts in containers.

VENV := .venv
PY := $(VENV)/bin/python
# Two workers for two cores; a file's tests share its hosts.
WORKERS ?= 2

.PHONY: test check lint types layers unit e2e bench clean

test: check
	$(PY) -m pytest -n $(WORKERS) --dist loadfile

check: lint types layers

lint: $(VENV)/ready
	$(VENV)/bin/ruff check . mailkeel
	$(VENV)/bin/ruff format --check . mailkeel

types: $(VENV)/ready
	$(VENV)/bin/mypy

layers: $(VENV)/ready
	PYTHONPATH=src $(VENV)/bin/lint-imports

# The tests that boot no host: seconds.
unit: $(VENV)/ready
	MAILKEEL_SKIP_HOSTS=1 $(PY) -m pytest -n $(WORKERS)

e2e: $(VENV)/ready
	$(PY) -m pytest -n $(WORKERS) --dist loadfile tests/e2e tests/lab

bench: $(VENV)/ready
	$(PY) bench/run.py

$(VENV)/ready: tools/develop requirements-dev.txt
	tools/develop $(VENV)
	touch $@

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
