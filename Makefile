# Thin: each target is one or two commands that you could type. 'make help' lists them.
PRESET ?= release
BUILD := build/$(PRESET)
PYTHON := $(or $(XCLOUD_VENV),.venv)/bin/python
PORT ?= 8080
CMAKE_ARGS := $(if $(XCLOUD_VENV),-DXCLOUD_VENV=$(abspath $(XCLOUD_VENV)))

.PHONY: help setup setup-tests configure weights photos build build-all run test test-sanitizers test-cpu fuzz fuzz-short bench bench-policies bench-scheduler bench-backends format \
  format-check tidy clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 18

setup: ## install what is missing (apt packages, Python environment)
	@configs/setup.sh

setup-tests: ## also what the tests run: real clients, Prometheus, libFuzzer
	@configs/setup.sh --tests

weights: setup ## fetch and convert the published weights, once
	@$(PYTHON) models/weights/install.py

photos: setup ## fetch a few real photos to try and to test with, once
	@$(PYTHON) tests/support/fetch_photos.py

configure: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET) $(CMAKE_ARGS)

build: configure ## build/release/xcloud
	@cmake --build --preset $(PRESET) --target xcloud

build-all: configure ## the program, its tests and its micro-benchmarks
	@cmake --build --preset $(PRESET)

run: build weights photos ## serve on 127.0.0.1:8080
	@configs/run.sh $(BUILD)/xcloud $(PORT)

test: setup-tests build-all weights photos ## every test; says what it skipped and why
	@tests/run.sh $(BUILD)

test-sanitizers: setup ## unit and simulation tests under asan+ubsan and tsan
	@for preset in asan tsan; do \
	  cmake --preset $$preset >/dev/null && cmake --build --preset $$preset && \
	  tests/run.sh build/$$preset -L 'unit|simulation' || exit 1; done

test-cpu: setup ## a build without CUDA, as on a machine without nvcc
	@cmake --preset cpu $(CMAKE_ARGS) >/dev/null && cmake --build --preset cpu --target xcloud

FUZZ_SECONDS ?= 600
fuzz: setup-tests ## each parser fuzzed for FUZZ_SECONDS (600) under asan+ubsan
	@tests/fuzz/run.sh long $(FUZZ_SECONDS)

fuzz-short: setup-tests ## each fuzz target's seeds, found crashes and 20,000 more runs
	@tests/fuzz/run.sh short

bench-policies: build ## batching policies compared in simulated time: table, plot, JSON
	@$(BUILD)/xcloud bench policies --svg bench/results/latest-policies.svg \
	  --json bench/results/latest-policies.json | tee bench/results/latest-policies.md

bench-scheduler: build weights ## what the scheduler promises, measured on the real server
	@bench/scheduler.py --build $(BUILD) all

bench-backends: build weights ## what runs networks how fast on this CPU, and served; 25 minutes
	@bench/backends/table.py --build $(BUILD)

bench: build-all weights ## load and micro-benchmarks, with their conditions
	@bench/run.sh $(BUILD)

format: ## clang-format our own code
	@git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format -i

format-check: ## fail when the tree is not formatted
	@git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror

tidy: build-all ## clang-tidy on what clang can parse
	@tests/tidy/clang_tidy.sh $(BUILD)

clean: ## remove the builds (keeps .venv, weights and var)
	@rm -rf build
