# Needs Python 3.11 or newer with pip, and make; everything else is installed into $(VENV).
#
#   make run     start the app
#   make test    run the whole test suite
#   make lint    check formatting, style and types
#   make clean   remove .venv and all caches (never the data home, never an environment named by VENV)
#
# Another Python: make run PYTHON=python3.12. Another environment: make test VENV=/path/to/venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each is touched once its list is installed, so a changed list is installed again and an unchanged one is not.
INSTALLED := $(VENV)/requirements.installed
INSTALLED_DEV := $(VENV)/requirements-dev.installed

.PHONY: run test lint clean

run: $(INSTALLED)
	$(BIN)/python -P -m streamlit run app.py

test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

lint: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p medpriv_core
	$(BIN)/mypy app.py pages

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment without pip is what an interrupted or failed attempt leaves; venv completes it.
$(INSTALLED): requirements.txt
	@test -x $(BIN)/pip || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "medpriv needs Python 3.11 or newer, which $(PYTHON) is not. Name another: make run PYTHON=python3.12"; \
	    exit 1; }; \
	  echo "Making the environment $(VENV)"; \
	  $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --requirement requirements.txt
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt $(INSTALLED)
	$(BIN)/python -m pip install --requirement requirements-dev.txt
	@touch $@
