# The commands of the project; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Arguments of the demo, such as ARGS="--once --json result.json".
ARGS ?=
# Arguments of pytest, such as TESTS=tests/scoring.
TESTS ?=
WORKERS ?= 2
POSTGRES := $(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin/initdb)))

# Hundreds of processes start in a test or a demo: each would compile the program anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo test torture lint format proto proto-check bench docs pictures lock clean openssl postgresql softhsm haproxy chromium golang java

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

install: $(VENV)/.installed  ## the virtual environment, exactly as locked

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || deploy/need-package.sh python3-venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/.locked: requirements.lock | $(VENV)/bin/pip
	@echo "Installing the locked dependencies: about a minute"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## a whole credit chain on this machine
	@$(BIN)/yinxin demo $(ARGS)

test: install postgresql openssl softhsm haproxy chromium golang java  ## every test; PostgreSQL is started and thrown away by them
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(TESTS)

haproxy:
	@command -v haproxy >/dev/null || test -x /usr/sbin/haproxy || deploy/need-package.sh haproxy

# The browser that the tests of the pages drive, and a font for Chinese.
chromium:
	@command -v chromium >/dev/null || deploy/need-package.sh chromium
	@test -n "$$(fc-list :lang=zh)" || deploy/need-package.sh fonts-noto-cjk

softhsm:
	@command -v softhsm2-util >/dev/null || deploy/need-package.sh softhsm2

openssl:
	@command -v openssl >/dev/null || deploy/need-package.sh openssl

# The independent verifier of our logs in tests/integration.
golang:
	@test -x /usr/lib/go-1.19/bin/go || deploy/need-package.sh golang-1.19-go
	@test -d /usr/share/gocode/src/golang.org/x/mod/sumdb/tlog || \
		deploy/need-package.sh golang-golang-x-mod-dev

# The PMML engine that tests/node/models compares with.
java:
	@command -v java >/dev/null || deploy/need-package.sh default-jre-headless

postgresql:
ifeq ($(POSTGRES),)
	@deploy/need-package.sh postgresql
endif

lint: install proto-check docs  ## style, types, import rules, generated code, documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## rewrite the source as ruff wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: install  ## protos/gen from protos/yinxin
	$(BIN)/python protos/generate.py

proto-check: install  ## whether protos/gen is what the protos give
	$(BIN)/python protos/generate.py --check

torture: install  ## nodes killed 200 times under load, and tests in their long form; about an hour
	$(BIN)/pytest -n 0 tests/integration/test_log_survives.py --kills 200 $(ARGS)
	$(BIN)/pytest -n 0 tests/node/sample/test_scorecard.py --long

bench: install  ## measure this machine
	@$(BIN)/yinxin bench $(ARGS)

pictures: install chromium  ## docs/images, from a demo that runs for it
	$(BIN)/python docs/pictures.py

docs: install  ## every link and every command named in the documents
	$(BIN)/python docs/check.py

lock:  ## the lock files from pyproject.toml, by uv
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra postgres --extra pkcs11 --extra models pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--extra postgres --extra pkcs11 pyproject.toml -o requirements-node.lock

clean:  ## everything that make made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
