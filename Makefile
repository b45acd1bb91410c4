# make book       set up an environment, execute the notebooks, build the book, print where to open it
# make test       the same environment; style, types and the fast tests
# make test-slow  the tests that make test leaves out: simulations, notebooks, the built book in a browser
# make test-all   both
# make clean      remove the book that was built, and caches of the tests (the environment stays)

VENV ?= .venv
PYTHON ?= $(shell for name in python3 python3.12 python3.13 python3.11 python; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$name && break; done)
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
SLOW := slow or browser or notebook
# what the names of executed notebooks end in: 16 hexadecimal digits
DIGITS := [0-9a-f][0-9a-f][0-9a-f][0-9a-f]
HASH := $(DIGITS)$(DIGITS)$(DIGITS)$(DIGITS)

.PHONY: book test test-slow test-all clean
.NOTPARALLEL:

book: $(READY)
	@$(BIN)/essparse book

test: $(READY)
	@echo "Style, types and the fast tests (make test-all runs every test)"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check essparse_lib tests benchmarks
	$(BIN)/mypy
	$(PYTEST) -m "not ($(SLOW))"

test-slow: $(READY)
	@echo "The slow tests: simulations, notebooks, the built book in a browser"
	$(PYTEST) -m "$(SLOW)"

test-all: test test-slow

# Of _build goes what the book's build made, if it bears the build's mark; anything else in it stays.
clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	@if [ -f _build/.essparse-book ] && [ ! -L _build ]; then \
		rm -rf _build/html _build/.locks _build/.essparse-book _build/.essparse-tmp-*; \
		rm -f _build/notebooks/*-$(HASH).ipynb; \
		rmdir _build/notebooks _build 2>/dev/null || true; \
	fi
	@if [ -e _build ]; then echo "_build holds what this version of the book did not make: delete it by hand"; fi

# The package itself goes in without its dependencies: requirements.txt has named them all, and torch stays as pinned.
$(READY): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV) with $(PYTHON): a few minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)
