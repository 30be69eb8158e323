# Needs Python 3.11 or newer with pip, and make; everything else is installed into $(VENV).
#
#   make run     start the app
#   make test    run the whole test suite
#   make lint    check formatting, style and types
#   make lock    write requirements.lock and requirements-dev.lock anew, with the newest versions that fit together
#   make clean   remove the environments made here and all caches (never the data home, never one named by VENV)
#
# Another Python: make run PYTHON=python3.12. Another environment: make test VENV=/path/to/venv.
# LOCKED=1 installs exactly what the lock files name, each file compared with its SHA-256, into an environment of its
# own: make run LOCKED=1, make test LOCKED=1.

PYTHON ?= python3
LOCKED ?=
ifeq ($(LOCKED),1)
VENV ?= .venv-locked
LIST := requirements.lock
LIST_DEV := requirements-dev.lock
HASHES := --require-hashes
else
VENV ?= .venv
LIST := requirements.txt
LIST_DEV := requirements-dev.txt
HASHES :=
endif
BIN := $(VENV)/bin
# Each is touched once its list is installed, so a changed list is installed again and an unchanged one is not.
INSTALLED := $(VENV)/requirements$(if $(HASHES),-locked).installed
INSTALLED_DEV := $(VENV)/requirements-dev$(if $(HASHES),-locked).installed

.PHONY: run test lint lock clean

run: $(INSTALLED)
	$(BIN)/python -P -m streamlit run app.py

# Each of the several hundred processes that the tests start would compile all modules anew if nothing compiled were kept.
test: $(INSTALLED_DEV)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses logical --maxprocesses 5 --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p medpriv_core
	$(BIN)/mypy app.py pages
	$(BIN)/mypy tests benchmarks

# For every platform and every Python from 3.11 on; of each version the hashes of all its files, as the index has them.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --prerelease disallow --upgrade --quiet --no-header
lock: $(INSTALLED_DEV)
	$(BIN)/python -m pip install --quiet --upgrade uv
	$(BIN)/$(COMPILE) requirements.txt --output-file requirements.lock
	$(BIN)/$(COMPILE) requirements-dev.txt --constraints requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv .venv-locked .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment without pip is what an interrupted or failed attempt leaves; venv completes it.
$(INSTALLED): $(LIST)
	@test -x $(BIN)/pip || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "medpriv needs Python 3.11 or newer, which $(PYTHON) is not. Name another: make run PYTHON=python3.12"; \
	    exit 1; }; \
	  echo "Making the environment $(VENV)"; \
	  $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install $(HASHES) --requirement $(LIST)
	@touch $@

$(INSTALLED_DEV): $(LIST_DEV) $(INSTALLED)
	$(BIN)/python -m pip install $(HASHES) --requirement $(LIST_DEV)
	@touch $@
