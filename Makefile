# make demo: the whole system on music that it makes itself. make test: the tests that a developer needs, a few minutes.
# make test-all: all tests. make soak: the tests of reliability, for an hour. make test-tfio: a part of them on the oldest TensorFlow, with tensorflow-io. make test-cluster:
# those of a Ray cluster. make bench: speed beside other libraries, see benchmarks/README.md. All set up their environments
# first.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN = .venv/bin
PARALLEL = --numprocesses=auto --maxprocesses=4 --dist=loadfile
export TF_CPP_MIN_LOG_LEVEL ?= 3
# As in programs: see mcc_zoo/tensorflow_start.py.
export TF_ENABLE_ONEDNN_OPTS ?= 1

# Each file of benchmarks/requirements has an environment. PYTHON_name is its Python; FIRST_name is installed first,
# without its dependencies.
BENCH_REQUIREMENTS = $(wildcard benchmarks/requirements/*.txt)
BENCH_ENVIRONMENTS = $(BENCH_REQUIREMENTS:benchmarks/requirements/%.txt=.venv-bench/%/installed)
PYTHON_musicnn ?= python3.11
FIRST_musicnn = musicnn==0.1.0

# tensorflow-io runs on the oldest TensorFlow alone, whose wheels end with Python 3.12.
PYTHON_tfio ?= $(shell for p in python3.11 python3.12; do $$p -c '' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test test-all soak test-cluster test-tfio check docs bench clean

demo: .venv/installed
	$(BIN)/python -m experiments.demo --data_dir=demo/corpus --results_dir=demo/results \
		--export=mcclstm --export_dir=demo/exported_models --licence="none: synthesised"
	@echo "The export tags a folder. These tracks are among those that it was trained on: the table above is the score."
	$(BIN)/mcc-zoo tag demo/exported_models/mcclstm_demo demo/corpus/audio/Waltz
	@echo "Now open" demo/results/demo/*/report.html "or tag music of yours: $(BIN)/mcc-zoo tag mcclstm_pretrained FILES"

# Everything that a developer needs, in a few minutes.
test: .venv/installed-test
	$(BIN)/pytest -q -m "not slow" $(PARALLEL)

# And what takes long: every system through every converter, deliberate kills, browsers, a wheel in an empty environment.
test-all: .venv/installed-test
	$(BIN)/pytest -q $(PARALLEL) --cov --cov-report=term:skip-covered --cov-fail-under=90

# Long forms: thousands of random inputs and damaged files, hundreds of kills. What came out is written into
# docs/reliability.md; if anything was lost or wrong, a test fails.
soak: .venv/installed-test
	MCC_ZOO_SOAK=1 $(BIN)/pytest -q -m soak $(PARALLEL) --dist=worksteal --tally=docs/reliability.md

test-tfio: .venv-tfio/installed
	MCC_ZOO_REQUIRE_TFIO=1 .venv-tfio/bin/pytest -q tests/audio/test_reading.py tests/audio/test_decoders.py -k tfio
	.venv-tfio/bin/pytest -q tests/audio/test_subprocess_decoder.py tests/features/test_log_mel.py tests/inference tests/training/test_fit.py \
		tests/models \
		-k "subprocess_decoder or log_mel or tagger or trained_models or from_the_cache or (architectures and mcclstm)"

# Ray and its dependencies have an environment of their own, so that the other tests show that nothing needs them.
test-cluster: .venv-cluster/installed
	MCC_ZOO_REQUIRE_CLUSTER=1 .venv-cluster/bin/pytest -q tests/catalogue/test_ray_data.py tests/catalogue/test_addresses.py

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: docs  # a folder has this name too
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Now open site/index.html"

bench: .venv/installed-test $(BENCH_ENVIRONMENTS)
	$(BIN)/python -m benchmarks $(BENCHMARKS)

.venv-bench/%/installed: benchmarks/requirements/%.txt
	$(or $(PYTHON_$*),$(PYTHON)) -m venv $(@D)
	$(if $(FIRST_$*),$(@D)/bin/python -m pip install --quiet --no-deps $(FIRST_$*))
	$(@D)/bin/python -m pip install --quiet --requirement $<
	@touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: install one, or give PYTHON=PATH"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python setup.cfg setup.py pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .[train]
	@touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable .[test]
	@touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable .[docs]
	@touch $@

.venv-tfio/installed: setup.cfg setup.py pyproject.toml
	@test -n "$(PYTHON_tfio)" || { echo "Python 3.11 or 3.12 is needed: install one, or give PYTHON_tfio=PATH"; exit 1; }
	$(PYTHON_tfio) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	$(@D)/bin/python -m pip install --quiet --editable .[tfio,test_base]
	@touch $@

.venv-cluster/installed: setup.cfg setup.py pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: install one, or give PYTHON=PATH"; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	$(@D)/bin/python -m pip install --quiet --editable .[cluster,test_base]
	@touch $@

clean:
	rm -rf .venv .venv-bench .venv-cluster .venv-tfio demo build site *.egg-info
