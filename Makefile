# Every target makes the environment it needs; nothing has to be installed by hand but Python and make.
VENV ?= .venv
# How many parametrisations of each of coremltools' tests `make conformance` runs: of the operations, and of the
# PyTorch front end; a number, `all` or (front end) `none`. LEDGER keeps a run that RESUME=--resume continues.
# Each of the WORKERS collects all of them, which takes longer than a small sample.
SAMPLE ?= 12
TORCH_SAMPLE ?= 2
WORKERS ?= 2
LEDGER ?=
RESUME ?=
# The ends of the tested range (src/coreml_gate/tested_versions.py) that `make test-matrix` runs the tests with: a
# release of torch, and one of numpy.
MATRIX ?= 2.7.1-1.26.4 2.13.0-2.3.5
# What `.[test]` suffices for, in minutes: no runner and no browser.
FAST := not slow and not act and not browser
COVERAGE ?=
WHOLE ?=
# Where `make test-old-tools` fetches the sources from instead of GitHub: `--bash CLONE --make CLONE`.
OLD_TOOLS ?=
# The tests that ask for a Mac or for Core ML, as they run on one. A child of Core ML starts afresh there: how one
# hangs, aborts and answers is part of tests/mac.
OF_MACS := tests/mac tests/doctor tests/native_contract tests/stand_in \
	tests/worker/test_core_ml.py::test_nothing_that_core_ml_wrote_outlives_its_child \
	tests/gate/test_on_device.py tests/measurements/test_foreign_errors.py \
	$(addprefix tests/engines/test_,machine.py devicectl.py coremltools_calls.py compute_plan.py xcodebuild.py)
PY := $(VENV)/bin/python
OPEN := $(PY) -m
CONFORM := OMP_NUM_THREADS=1 $(PY) conformance/run.py --workers $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help demo demo-all test test-matrix test-wheel test-slow test-reports test-mac test-fake-mac test-old-tools test-action test-browser reliability lint format schema docs locks diagnose-demo hunt conformance native-contract bench clean

help:  ## list the targets
	@awk '/^[a-z-]+:.*##/ {printf "%-18s%s\n", substr($$0, 1, index($$0, ":") - 1), substr($$0, index($$0, "##") + 3)}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## play one pull request through the gate and print its comment
	$(PY) examples/demo.py

demo-all: $(VENV)/.installed  ## play every example change and compare with what the gate must say
	OMP_NUM_THREADS=1 $(PY) examples/demo.py --all

test: $(VENV)/.installed  ## the test suite, without the slow part; COVERAGE=1 says which lines it ran
	OMP_NUM_THREADS=1 $(OPEN) $(if $(COVERAGE),slipcover -m) pytest -n auto \
		$(if $(COVERAGE),-p slipcover) -m "$(FAST)"

test-matrix: $(MATRIX:%=build/torch-%/.installed)  ## the test suite at both ends of the tested versions
	for versions in $(MATRIX); do \
	  OMP_NUM_THREADS=1 "build/torch-$$versions/bin/python" -m pytest -n auto -m "$(FAST)" || exit 1; \
	done

test-wheel: build/wheel/.installed  ## every command of the built wheel, in an empty environment outside of the repository
	.ci/wheel.sh build/wheel/bin examples/phone-models

test-slow: $(VENV)/.installed  ## the slow part of the test suite
	OMP_NUM_THREADS=1 $(OPEN) pytest -n auto -m slow

test-reports: $(VENV)/.installed  ## every public report, rebuilt: is the gate right for the right reason
	OMP_NUM_THREADS=1 $(OPEN) pytest -n auto tests/reports

test-mac: $(VENV)/.installed  ## on a Mac: what only Core ML itself can verify
	OMP_NUM_THREADS=1 $(OPEN) pytest -m mac

test-fake-mac: $(VENV)/.installed  ## what concerns Macs, by processes that believe they run on one; WHOLE=1: the whole suite
	RUNNER_ENVIRONMENT=github-hosted $(OPEN) tests.fake_mac.environment $(PY) -m pytest -n auto \
		-m "mac or $(FAST)" $(if $(WHOLE),tests,$(OF_MACS))

test-old-tools: $(VENV)/.installed build/old-tools/.installed  ## the scripts by bash 3.2, the Makefile by GNU make 3.81: a Mac's
	OMP_NUM_THREADS=1 $(OPEN) pytest tests/fake_mac/test_bash_and_make.py

test-action: $(VENV)/.act  ## the action on a runner (act): a push, pull requests, a fork, Linux and Macs
	OMP_NUM_THREADS=1 $(OPEN) pytest -m act -s tests/action

test-browser: $(VENV)/.browser  ## the page in Chromium: sorting, filtering, copying, keyboard, dark, hostile names, axe
	OMP_NUM_THREADS=1 $(OPEN) pytest -m browser tests/browser

reliability: $(VENV)/.installed  ## attack the gate, and write the table of docs/reliability.md
	OMP_NUM_THREADS=1 $(OPEN) pytest -n auto -m attack --reliability docs/reliability.md tests

lint: $(VENV)/.installed  ## formatting, rules, types; workflows, scripts and the image
	$(OPEN) ruff format --check .
	$(OPEN) ruff check .
	$(OPEN) mypy
	PATH="$(abspath $(VENV))/bin:$$PATH" .ci/lint.sh

format: $(VENV)/.installed  ## format and repair what can be repaired
	$(OPEN) ruff format .
	$(OPEN) ruff check --fix .

schema: $(VENV)/.installed  ## generate the JSON schemas and the pages on configuration, commands, functions, rules, codes and devices
	$(OPEN) coreml_gate.config.document docs/configuration.md docs/config.schema.json
	$(OPEN) coreml_gate.rules.document docs/rules.md
	$(OPEN) coreml_gate.devices.command > docs/devices.md
	$(OPEN) coreml_gate.explain.document docs/explain.md
	$(OPEN) coreml_gate.commands.document docs/cli.md
	$(OPEN) coreml_gate.api.document docs/api.md
	$(OPEN) coreml_gate.checks.document README.md docs/report.md
	$(OPEN) coreml_gate.tested_versions README.md
	$(PY) -c 'from coreml_gate.report.document import schema; print(schema(), end="")' > docs/report.schema.json
	$(OPEN) tests.action.document

docs: $(VENV)/.installed  ## the documentation as a site, into build/site
	$(VENV)/bin/zensical build --clean --strict

locks: $(VENV)/.locks  ## renew locks/: the hashes of what the action and the image install, by constraints.txt
	for job in measure report; do \
	  $(PY) .ci/pins.py $$job | $(VENV)/bin/uv pip compile - --quiet --no-deps --generate-hashes --universal \
	    --python-version 3.11 --custom-compile-command "make locks" --output-file locks/$$job.txt || exit 1; \
	done

diagnose-demo: $(VENV)/.installed  ## faulty models: is the operation found, does the repair pass, is nothing else blamed
	OMP_NUM_THREADS=1 $(PY) benchmarks/diagnose/demo.py

hunt: $(VENV)/.installed  ## hunt for wrong conversions; goes on where hunt.jsonl ends, half an hour from scratch
	OMP_NUM_THREADS=1 $(PY) benchmarks/hunt/hunt.py

conformance: $(VENV)/.installed  ## coremltools' own tests of operations and front end, run by the MIL runtime
	$(CONFORM) --sample $(SAMPLE) $(if $(LEDGER),--ledger $(LEDGER)/operations $(RESUME))
ifneq ($(TORCH_SAMPLE),none)
	$(CONFORM) --sample $(TORCH_SAMPLE) --group torch.jit --group torch.export \
		$(if $(LEDGER),--ledger $(LEDGER)/torch $(RESUME))
endif

native-contract: $(VENV)/.contract  ## read the macOS wheel of coremltools anew: its names, arities, oldest macOS
	$(OPEN) tests.native_contract.refresh $(if $(SOURCE),--source $(SOURCE))

conformance-wpt: $(VENV)/.installed  ## WebNN's conformance vectors, which real Core ML passes, run by the MIL runtime
	OMP_NUM_THREADS=1 $(PY) conformance/wpt/run.py

bench: $(VENV)/.bench  ## plan, rules, children, memory, cost and times against what was measured, the zoo against torch eager
	$(PY) benchmarks/plan/bench.py
	$(PY) benchmarks/rules/bench.py
	$(PY) benchmarks/page/bench.py
	$(PY) benchmarks/children/bench.py
	$(PY) benchmarks/children/waiting.py
	$(PY) benchmarks/memory/bench.py
	$(PY) benchmarks/roofline/bench.py
	$(PY) benchmarks/zoo/bench.py
	OMP_NUM_THREADS=1 $(PY) benchmarks/speed/bench.py
	OMP_NUM_THREADS=1 $(PY) benchmarks/zoo/same_bytes.py
	$(PY) benchmarks/scale/bench.py
	OMP_NUM_THREADS=1 $(PY) benchmarks/speed/evaluate.py
	mkdir -p build
	OMP_NUM_THREADS=1 $(PY) benchmarks/timing/record.py build/streams.npz
	$(PY) benchmarks/timing/bench.py build/streams.npz
	$(PY) benchmarks/timing/simulate.py
	$(PY) benchmarks/timing/first_loads.py

clean:  ## remove everything that these targets made
	rm -rf $(VENV) .coreml-gate build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	sh .ci/python.sh "$(VENV)"
	$(OPEN) pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

build/torch-%/.installed: pyproject.toml constraints.txt
	mkdir -p build
	sh .ci/python.sh "build/torch-$*"
	sed -e 's/^torch==.*/torch==$(word 1,$(subst -, ,$*))/' -e 's/^numpy==.*/numpy==$(word 2,$(subst -, ,$*))/' \
		constraints.txt > "build/torch-$*.txt"
	"build/torch-$*/bin/python" -m pip install --quiet --constraint "build/torch-$*.txt" --editable '.[test]'
	touch $@

build/old-tools/.installed: tests/fake_mac/old_tools.py
	$(OPEN) tests.fake_mac.old_tools build/old-tools $(OLD_TOOLS)
	touch $@

build/wheel/.installed: pyproject.toml constraints.txt $(shell find src -type f -not -name '*.pyc')
	rm -rf build/wheel build/dist
	sh .ci/python.sh build/wheel
	build/wheel/bin/python -m pip wheel --quiet --no-deps --wheel-dir build/dist .
	build/wheel/bin/python -m pip install --quiet --constraint constraints.txt build/dist/*.whl \
		--requirement examples/phone-models/requirements.txt
	touch $@

$(VENV)/.act: $(VENV)/.installed
	$(OPEN) pip install --quiet --constraint constraints.txt --editable '.[act]'
	touch $@

$(VENV)/.browser: $(VENV)/.installed
	command -v chromium || command -v google-chrome || (apt-get update && apt-get install --yes chromium)
	$(OPEN) pip install --quiet --constraint constraints.txt --editable '.[browser]'
	touch $@

$(VENV)/.locks: $(VENV)/.installed
	$(OPEN) pip install --quiet --constraint constraints.txt --editable '.[locks]'
	touch $@

$(VENV)/.contract: $(VENV)/.installed
	$(OPEN) pip install --quiet --constraint constraints.txt --editable '.[contract]'
	touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(OPEN) pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@
