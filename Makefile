# QentVPN: `make help` lists what there is to do. Needs make and Python 3.11 or newer; the rest is fetched into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := node_a node_b shared sandbox tests bench
BROWSER := tests/browser

# A stamp is named after its lock's content and made last: an interrupted installation leaves none.
checksum = $(shell cksum < $(1) | cut -d' ' -f1)
INSTALLED := $(VENV)/installed-$(call checksum,requirements.lock)
INSTALLED_FOR_TESTS := $(VENV)/installed-for-tests-$(call checksum,tests/requirements.lock)
INSTALLED_BY_NPM := $(BROWSER)/node_modules/.installed-$(call checksum,$(BROWSER)/package-lock.json)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check --require-hashes --no-deps

# Programs of the apps' world and of Node B, for tests. Their names say the version, so that another one is built anew.
TOOLS := var/tools
BUILT_SING_BOX := $(TOOLS)/sing-box-1.14.1
BUILT_XRAY := $(TOOLS)/xray-26.3.27
BUILT_CADDY := $(TOOLS)/caddy-2.11.9
BUILT_COMPOSE := $(TOOLS)/docker-compose-v2.40.3

CHECKS := var/checks
# A check that cannot run says why; with NO_SKIPS=1 (as in CI) that is a failure.
skip = echo "skipped: $(1)" | tee -a $(CHECKS)/skipped; test -z "$$NO_SKIPS"

.DEFAULT_GOAL := help
.PHONY: help demo smoke torture test test-node-b proofs programs lint format types lock clean ruff imports mypy tsc pytest
.DELETE_ON_ERROR:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## the whole shop, offline, in your browser; Ctrl-C ends it
	@exec $(BIN)/python -m sandbox demo

smoke: $(INSTALLED) ## one purchase without a browser; JSON on the last line
	@exec $(BIN)/python -m sandbox smoke

torture: $(INSTALLED) ## a bad night: processes killed while 100 customers buy; PURCHASES=, SEED=, DATABASE_URL=
	@exec $(BIN)/python -m sandbox torture $(if $(PURCHASES),--purchases $(PURCHASES)) $(if $(SEED),--seed $(SEED))

test: $(INSTALLED_FOR_TESTS) ## lint, types, import rules, tests and coverage; names what was skipped
	@mkdir -p $(CHECKS) && rm -f $(CHECKS)/*
	@failed=; \
	$(MAKE) --no-print-directory --silent --keep-going --jobs=2 --output-sync=target ruff imports mypy tsc \
		|| failed="static checks"; \
	$(MAKE) --no-print-directory --silent pytest || failed="$${failed:+$$failed, }tests"; \
	echo; \
	if [ -s $(CHECKS)/tests.xml ]; then \
		grep -o '<skipped type="pytest.skip" message="[^"]*"' $(CHECKS)/tests.xml \
			| sed 's/.*message="/skipped: /; s/"$$//' | sort | uniq -c >> $(CHECKS)/skipped; \
	fi; \
	if [ -s $(CHECKS)/skipped ]; then echo "Skipped:"; sed 's/ *\([0-9]*\) *skipped: /  \1 /' $(CHECKS)/skipped; \
	elif [ -z "$$failed" ]; then echo "Nothing was skipped."; fi; \
	if [ -n "$$failed" ]; then echo "FAILED: $$failed"; exit 1; fi; echo "All checks passed."

proofs: $(INSTALLED_FOR_TESTS) ## the long ones: a crash at every step, nights of kills, both databases, Node B; half an hour
	@$(BIN)/pytest -n 2 --dist loadfile -m proof tests/proofs/test_a_hundred_purchases.py \
		tests/node_b/agent_proofs/test_stress.py tests

test-node-b: $(INSTALLED_FOR_TESTS) programs ## Node B with the real Xray: keys, kills, stress, firewall, containers; a quarter of an hour, root
	@$(BIN)/pytest -n 2 --dist loadfile tests/node_b/agent_proofs/test_stress.py tests/node_b tests/deploy tests/sandbox/marzban

programs: $(BUILT_SING_BOX) $(BUILT_XRAY) $(BUILT_CADDY) $(BUILT_COMPOSE) ## build Xray, sing-box, Caddy and docker compose, for tests; needs Go 1.26

lint: ruff imports ## ruff, and who may import whom

types: mypy tsc ## mypy --strict, and tsc over our JavaScript

format: $(INSTALLED_FOR_TESTS) ## put every Python file into shape
	@$(BIN)/ruff format $(PACKAGES)
	@$(BIN)/ruff check --fix $(PACKAGES)

lock: ## make both lock files anew from pyproject.toml; UPGRADE=--upgrade takes the newest versions
	$(check_python)
	@$(PYTHON) -m venv var/uv
	@var/uv/bin/pip install --quiet --disable-pip-version-check uv
	@compile="var/uv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header $(UPGRADE)"; \
	$$compile pyproject.toml --output-file requirements.lock && \
	$$compile --group pyproject.toml:node-b --constraints requirements.lock --output-file node_b/requirements.lock && \
	$$compile --group pyproject.toml:test --constraints requirements.lock --constraints node_b/requirements.lock \
		--output-file tests/requirements.lock

clean: ## remove what can be made again; the demo's state in var/demo stays
	@rm -rf $(VENV) $(CHECKS) $(TOOLS) var/uv $(BROWSER)/node_modules .coverage .coverage.* \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ---

define check_python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "QentVPN needs Python 3.11 or newer, and $(PYTHON) is not: make … PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
endef

$(INSTALLED):
	$(check_python)
	@echo "Installing what requirements.lock names into $(VENV) (once) …"
	@rm -f $(VENV)/installed-*
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --requirement requirements.lock
	@touch $@

$(INSTALLED_FOR_TESTS): $(INSTALLED)
	@echo "Installing what tests/requirements.lock names into $(VENV) (once) …"
	@rm -f $(VENV)/installed-for-tests-*
	@$(PIP_INSTALL) --requirement tests/requirements.lock
	@touch $@

# --- the programs ---

# Xray numbers its releases by date, its modules by v1 and that date.
$(BUILT_SING_BOX):
	$(call go_install,-tags with_utls github.com/sagernet/sing-box/cmd/sing-box@v1.14.1,sing-box)

$(BUILT_XRAY):
	$(call go_install,github.com/xtls/xray-core/main@v1.260327.0,main)

$(BUILT_CADDY):
	$(call go_install,github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9,caddy)

# Built in a module of its own: the proxy has no command of this name that could be installed.
$(BUILT_COMPOSE):
	$(check_go)
	@echo "Building $(@F) (once, a few minutes) …"
	@rm -rf $(TOOLS)/new/compose && mkdir -p $(TOOLS)/new/compose
	@cd $(TOOLS)/new/compose && go mod init compose && go get -tool github.com/docker/compose/v2/cmd@v2.40.3 \
		&& CGO_ENABLED=0 go build -o docker-compose github.com/docker/compose/v2/cmd
	@mv $(TOOLS)/new/compose/docker-compose $@ && rm -r $(TOOLS)/new/compose

define check_go
	@command -v go >/dev/null || { echo "Go is not installed: 1.26 or newer is needed to build $(@F)" >&2; exit 1; }
endef

define go_install
	$(check_go)
	@echo "Building $(@F) (once, a few minutes) …"
	@GOBIN=$(abspath $(TOOLS)/new) CGO_ENABLED=0 go install $(1)
	@mv $(TOOLS)/new/$(2) $@
endef

# --- the single checks ---

ruff: $(INSTALLED_FOR_TESTS)
	@echo "--- ruff"; $(BIN)/ruff check $(PACKAGES); checked=$$?; $(BIN)/ruff format --check $(PACKAGES) && exit $$checked

imports: $(INSTALLED_FOR_TESTS)
	@echo "--- import rules" && $(BIN)/lint-imports --no-logo

mypy: $(INSTALLED_FOR_TESTS)
	@echo "--- mypy" && $(BIN)/mypy --strict $(PACKAGES)

tsc:
	@mkdir -p $(CHECKS)
	@echo "--- tsc"; \
	if ! command -v npm >/dev/null; then $(call skip,types of our JavaScript: npm is not installed); exit; fi; \
	if [ ! -e $(INSTALLED_BY_NPM) ]; then \
		(cd $(BROWSER) && npm ci --no-audit --no-fund --loglevel=error) && touch $(INSTALLED_BY_NPM) || { \
			$(call skip,types of our JavaScript: npm could not install them); exit; }; \
	fi; \
	$(BROWSER)/node_modules/.bin/tsc --project $(BROWSER) && echo "No errors in our JavaScript"

pytest: $(INSTALLED_FOR_TESTS)
	@mkdir -p $(CHECKS) && rm -f .coverage .coverage.*
	@echo "--- pytest" && $(BIN)/pytest -n 2 --dist loadfile --cov --cov-report= --junitxml=$(CHECKS)/tests.xml -m "not proof"
	@echo "--- coverage" && $(BIN)/coverage report --fail-under=90
	@$(BIN)/coverage report --include='node_a/domain/*' --fail-under=100
