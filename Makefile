# make demo   a campaign from start to finish: profile, daemon, copper with EMT, report.html
# make test   the whole test suite
# make lint   ruff, mypy
# make test-services        PostgreSQL, RabbitMQ, Slurm and sshd started here, 200 jobs and some faults; as root, with apt
# make test-services-full   all of it, which takes hours; the log and the figures stay in .test-services
# Everything lies below this folder: .venv, and an AIIDA_PATH of its own for each target.

PYTHON ?= python3
# of pytest, such as a folder or -k; three processes on two cores, for some tests wait for daemons
PYTEST_ARGS ?=
VENV   := $(CURDIR)/.venv
BIN    := $(VENV)/bin
DEMO   := $(CURDIR)/.demo
TEST   := $(CURDIR)/.test
SERVICES := $(CURDIR)/.test-services
RECIPE ?= workflows/01_copper_emt
FUZZ_SECONDS ?= 600

.PHONY: demo test test-services test-services-full lint fuzz gpaw-recipe docs system clean
.DEFAULT_GOAL := demo

# Names what the system lacks and how to get it, before anything else is done.
system:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python is missing. Install it: sudo apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python >= 3.10 is needed, $(PYTHON) is older. Install a newer one and call: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "The venv module is missing. Install it: sudo apt install python3-venv"; exit 1; }

$(VENV)/installed: pyproject.toml | system
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-tests: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[tests]'
	@touch $@

demo: $(VENV)/installed
	@$(CURDIR)/.ci/with-profile $(DEMO) $(BIN) sh -c '\
	  alpot run $(RECIPE)/campaign.yaml && alpot report --output report.html'
	@echo "The report stands in report.html"

test: $(VENV)/installed-tests
	@mkdir -p $(TEST)
	AIIDA_PATH=$(TEST) ALPOT_CACHE_DIR=$(TEST)/cache OMP_NUM_THREADS=1 PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# one process: the services, the daemon and the scheduler share the cores with the tests
RUN_SERVICES = AIIDA_PATH=$(SERVICES) ALPOT_CACHE_DIR=$(SERVICES)/cache OMP_NUM_THREADS=1 PATH="$(BIN):$$PATH" \
  ALPOT_FIGURES=$(SERVICES)/figures.json $(BIN)/python -m pytest --durations=20 $(PYTEST_ARGS) tests/services

test-services: $(VENV)/installed-tests
	@mkdir -p $(SERVICES)
	ALPOT_TEST_SERVICES=yes $(RUN_SERVICES)

test-services-full: $(VENV)/installed-tests
	@mkdir -p $(SERVICES)
	@ALPOT_TEST_SERVICES=all $(RUN_SERVICES) > $(SERVICES)/log.txt 2>&1; status=$$?; \
	  tail -n 40 $(SERVICES)/log.txt; echo "The whole log stands in $(SERVICES)/log.txt"; exit $$status

# FUZZ_SECONDS of processor time; prints how many inputs each reader was given
fuzz: $(VENV)/installed-tests
	cd benchmarks && OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS)

gpaw-recipe: $(VENV)/installed
	@$(CURDIR)/.ci/with-profile $(CURDIR)/.demo-gpaw $(BIN) sh -c '\
	  alpot run workflows/02_aluminium_gpaw/campaign.yaml && alpot report --output report-gpaw.html'

lint: $(VENV)/installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	$(BIN)/python -m sphinx -W -b html docs docs/_build

clean:
	rm -rf $(VENV) $(DEMO) $(CURDIR)/.demo-gpaw $(TEST) $(SERVICES) report.html report-gpaw.html
