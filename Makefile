# Everything a developer types. The tools come from requirements.lock, uv from the package index through pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
INSTALLED := $(VENV)/.installed

.PHONY: install eval serve test check format lock clean

install: $(INSTALLED)

# uv lives in an environment of its own inside .venv, so that syncing the lock file does not remove it. Bytecode is
# compiled on install: starting Ray and MLflow from source alone takes several times as long.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	  f"krins needs Python 3.11, 3.12 or 3.13, this is {sys.version.split()[0]}: make PYTHON=python3.11 install")'
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/python -m pip install --quiet uv; }
	$(UV) pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)

eval: install
	$(BIN)/krins-eval run evals/quickstart.yaml

# The quickstart's champion in front of a fake provider, at http://127.0.0.1:8000, until Ctrl-C.
serve: install
	$(BIN)/python -m serve

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Hashes and versions only: the file names no index, so that any mirror serves it.
lock: install
	$(UV) pip compile pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 --upgrade --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
