# One command each: `make run` (the controller on the embedded cluster), `make test` (everything CI runs), `make venv`
# (.venv with every optional group). Each does its own set-up on a machine that has python3, make and gcc.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help run test system system-short venv lint format schema clean lab monitoring-demo demo-live
help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: .venv/.base ## the controller on the embedded cluster, a compressed day of load; Ctrl-C ends it, the next run goes on
	$(BIN)/flexcapsule run --config config.example.yaml

lab: .venv/.base ## real Xen on this machine (root): two cloud VMs, a Linux app VM moved there and back; then `flexcapsule lab down`
	deploy/setup/packages.sh lab
	$(BIN)/flexcapsule lab up
	$(BIN)/flexcapsule lab trip

demo-live: .venv/.dev ## the whole on real Xen (root), a quarter of an hour: two services, real load, all six actions; a report at the end
	deploy/setup/packages.sh lab
	deploy/setup/packages.sh libos
	deploy/setup/packages.sh live
	$(MAKE) --no-print-directory -C libos
	$(BIN)/python -m benchmarks.live

monitoring-demo: .venv/.dev ## a controller, a real Prometheus that scrapes it, and where to look; Ctrl-C ends both
	deploy/setup/packages.sh monitoring
	$(BIN)/python deploy/monitoring/demo.py

test: .venv/.dev ## lint, types, import contracts and all tests but those that need a real machine (make system)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(MAKE) --no-print-directory -C libos check
	$(BIN)/pytest -rs -m "not system" -n auto --maxprocesses 8 --dist worksteal
	@echo "not run here: the tests marked system (root, QEMU, Xen): make system"

system: .venv/.live ## the tests that need root and real parts of the machine
	test "$$(id -u)" != 0 || deploy/setup/packages.sh lab || echo "no lab packages: tests of the lab will be skipped"
	test "$$(id -u)" != 0 || deploy/setup/packages.sh libos || echo "no packages to build FlexCapsule OS: its tests will be skipped"
	test "$$(id -u)" != 0 || deploy/setup/packages.sh fuzz || echo "no clang: libFuzzer will not run"
	test "$$(id -u)" != 0 || deploy/setup/packages.sh live || echo "no haproxy: tests of load balancing and of the live demonstration will be skipped"
	test "$$(id -u)" != 0 || deploy/setup/packages.sh libvirt || echo "no libvirt daemon: tests with its qemu driver will be skipped"
	test "$$(id -u)" != 0 || deploy/setup/packages.sh monitoring || echo "no Prometheus or Chromium: tests of monitoring will be skipped"
	$(BIN)/pytest -rs -m system $(SYSTEM)

# On two cores without KVM all of `system` takes most of an hour. Left to it alone: deaths of controllers and agents at every
# point, a lab that grows while things die, a cloud VM that boots after its death, two labs side by side, an image built a second time,
# both command lines on a console, the demonstration.
SHORT := tests/system/lab tests/system/libos tests/system/monitoring tests/system/replay \
         tests/system/live/test_without_shadow_paging.py \
         tests/system/live/test_agent.py::test_httpd_is_run_to_its_first_answer_seen_paused_saved_and_stopped \
         tests/system/live/test_agent.py::test_exit_status_out_of_memory_panic_and_kill_are_told_apart \
         --ignore=tests/system/lab/test_expansion.py --ignore=tests/system/lab/test_restart.py \
         --deselect=tests/system/lab/test_crash.py::test_killed_while_booting_then_down_then_up_works_beside_another_lab \
         --deselect=tests/system/lab/test_image.py::test_a_build_from_the_cache_needs_no_network

system-short:    ## of these what fits into CI's half hour
	FLEXCAPSULE_MOVES=2 $(MAKE) --no-print-directory system SYSTEM="$(SHORT)"

venv: .venv/.all ## .venv with every optional group (live needs Debian's libvirt-dev, installed by name when root)

lint: .venv/.dev ## ruff, mypy, import contracts
	$(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

schema: .venv/.base ## write docs/schema/*.json and the tables of docs/*.md from the types
	for kind in policy config cluster world; do $(BIN)/flexcapsule schema $$kind > docs/schema/$$kind.json; done
	$(BIN)/python docs/tables.py

clean:           ## remove what the targets above made
	rm -rf .venv .mypy_cache .ruff_cache

.venv/.base: pyproject.toml constraints.txt
	deploy/setup/packages.sh base
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing FlexCapsule into .venv (a minute on a fresh machine)"
	$(PIP) --editable .
	@touch $@

.venv/.dev: .venv/.base
	$(PIP) --editable '.[dev]'
	@touch $@

.venv/.live: .venv/.dev
	deploy/setup/packages.sh live
	$(PIP) --editable '.[live]' || echo "no libvirt library: tests with it will be skipped"
	@touch $@

.venv/.all: .venv/.dev
	deploy/setup/packages.sh live
	$(PIP) --editable '.[live,tune,dev]'
	@touch $@
