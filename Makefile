# make book       set up an environment, execute the notebooks, build the book, print where to open it
# make book-sphinx the same book on plain Sphinx, without jupyter-book, in _build-sphinx: in a second environment
# make test       the same environment; style, types and the fast tests
# make test-slow  the tests that make test leaves out: simulations, notebooks, the built book in a browser
# make test-all   both
# make clean      remove the book that was built, and caches of the tests (the environment stays)

VENV ?= .venv
PYTHON ?= $(shell for name in python3 python3.12 python3.13 python3.11 python; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$name && break; done)
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# Plain Sphinx, which cannot be in one environment with jupyter-book
SPHINX_VENV ?= .venv-sphinx
SPHINX_READY := $(SPHINX_VENV)/.installed
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
SLOW := slow or browser or notebook
# what the names of executed notebooks end in: 16 hexadecimal digits
DIGITS := [0-9a-f][0-9a-f][0-9a-f][0-9a-f]
HASH := $(DIGITS)$(DIGITS)$(DIGITS)$(DIGITS)

.PHONY: book book-sphinx test test-slow test-all clean
.NOTPARALLEL:

book: $(READY)
	@$(BIN)/essparse book

book-sphinx: $(READY) $(SPHINX_READY)
	@$(BIN)/python -m essparse_lib.book _build-sphinx $(abspath $(SPHINX_VENV))/bin/python

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

# Of _build and _build-sphinx goes what the book's build made, if they bear the build's mark; anything else stays.
clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	@for folder in _build _build-sphinx; do \
		if [ -f $$folder/.essparse-book ] && [ ! -L $$folder ]; then \
			rm -rf $$folder/html $$folder/.locks $$folder/.essparse-book $$folder/.essparse-tmp-*; \
			rm -f $$folder/notebooks/*-$(HASH).ipynb; \
			rmdir $$folder/notebooks $$folder 2>/dev/null || true; \
		fi; \
		if [ -e $$folder ]; then echo "$$folder holds what this version of the book did not make: delete it by hand"; fi; \
	done

# The package itself goes in without its dependencies: requirements.txt has named them all, and torch stays as pinned.
$(READY): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV) with $(PYTHON): a few minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)

# Sphinx and its extensions; what they do not bring (the package, PyTorch) is read from the first environment.
$(SPHINX_READY): requirements-sphinx.txt $(READY)
	@echo "Installing plain Sphinx into $(SPHINX_VENV)"
	@$(BIN)/python -m venv $(SPHINX_VENV)
	@$(SPHINX_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-sphinx.txt
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(SPHINX_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz-first-environment.pth"
	@touch $(SPHINX_READY)
