# Two commands do everything on a fresh machine:
#   make demo   set-up, then train, calibrate, evaluate and infer on phantom heads (about 4 minutes)
#   make test   set-up, then all fast tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BUNDLE ?= denoising_autoencoder
DEMO := demo
DEPLOY := .venv-deploy
DEPLOY_TESTS := tests/integration/deploy
LABEL := .venv-label
LABEL_TESTS := tests/integration/label
# what is imported is compiled then: for all modules that takes longer than all else
PIP := -m pip install --quiet --no-compile

.PHONY: setup demo test test-slow test-gpu test-integration test-deploy test-label orthanc bundles lint format clean

setup: $(STAMP)

$(STAMP): requirements.txt setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) "$$(grep '^torch==' requirements.txt)"
	$(BIN)/python $(PIP) --requirement requirements.txt "setuptools>=77"
	$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: setup
	$(BIN)/python -m medad.demo --bundle bundles/$(BUNDLE) --out $(DEMO)

test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" --numprocesses 2 --dist loadfile
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --doctest-modules common/medad

test-slow: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow and not gpu" --numprocesses 2 --dist worksteal

test-gpu: setup
	$(BIN)/python -m pytest -m gpu

# one network of each kind through MONAI Deploy and MONAI Label, in minutes
test-integration:
	$(MAKE) --jobs 2 --output-sync=target test-deploy test-label CHOICE='--networks each_kind -m "not slow"'

# MONAI Deploy on a CPU, in an environment of its own
test-deploy: $(DEPLOY)/.installed
	OMP_NUM_THREADS=1 PYTHONPATH=common:$(DEPLOY_TESTS) $(DEPLOY)/bin/python -m pytest $(DEPLOY_TESTS) $(CHOICE)

$(DEPLOY)/.installed: $(DEPLOY_TESTS)/requirements.txt $(DEPLOY_TESTS)/sdk.txt
	test -x $(DEPLOY)/bin/python || $(PYTHON) -m venv $(DEPLOY)
	$(DEPLOY)/bin/python $(PIP) "$$(grep '^torch==' $(DEPLOY_TESTS)/requirements.txt)"
	$(DEPLOY)/bin/python $(PIP) --requirement $(DEPLOY_TESTS)/requirements.txt
	$(DEPLOY)/bin/python $(PIP) --no-deps --requirement $(DEPLOY_TESTS)/sdk.txt
	touch $@

# A server of MONAI Label, in an environment of its own, and the DICOM server Orthanc
test-label: orthanc setup $(LABEL)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(LABEL_TESTS) $(CHOICE)

# installed with pip's isolation, SAM 2 would be built with the newest torch, several gigabytes of CUDA
$(LABEL)/.installed: $(LABEL_TESTS)/requirements.txt $(LABEL_TESTS)/prepare_torchvision.py
	test -x $(LABEL)/bin/python || $(PYTHON) -m venv $(LABEL)
	$(LABEL)/bin/python $(PIP) $$(grep -E '^(torch|numpy|setuptools|wheel)==' $(LABEL_TESTS)/requirements.txt)
	SAM2_BUILD_CUDA=0 $(LABEL)/bin/python $(PIP) --no-build-isolation --requirement $(LABEL_TESTS)/requirements.txt
	$(LABEL)/bin/python $(LABEL_TESTS)/prepare_torchvision.py
	touch $@

orthanc:
	@command -v Orthanc > /dev/null && test -f /usr/share/orthanc/plugins/libOrthancDicomWeb.so || \
	    { echo "make test-label needs a DICOM server. On Debian or Ubuntu: apt-get install orthanc orthanc-dicomweb"; exit 1; }

# what is tracked or could be: not the runs, weights and results that users leave in the bundles
SPELLED := README.md docs common bundles tests ':!*.csv' ':!*.png'

# the configs of all bundles, from their method.json and the skeletons
bundles: setup
	$(BIN)/python -m medad.new_bundle.write bundles/*

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy common/medad
	git ls-files -z --cached --others --exclude-standard -- $(SPELLED) | xargs -0 $(BIN)/codespell --ignore-words-list fpr,buda

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(DEMO) dist build .mypy_cache .pytest_cache .ruff_cache
