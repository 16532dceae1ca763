# Every habit is a target; `make help` lists them. Each target does all of its own set-up.
SHELL := /bin/sh
.DEFAULT_GOAL := help
# The plugin where docker has it, else Compose's own command.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# In a git hook these name the hook's repository: what the demo and the tests commit would land there.
unexport $(shell git rev-parse --local-env-vars 2>/dev/null)
export PATH := $(CURDIR)/.cache/bin:$(CURDIR)/.cache/uv/bin:$(PATH)
SETUP := deploy/machine/setup.sh
RUN := uv run --no-sync
EXPORT := uv export --quiet --frozen --package build-dashboard-server --no-dev
PAGE := services/gateway/src/build_gateway/page/index.html
PAGE_SOURCES := $(shell find services/gateway/web libs/protocol/src -type f -not -path '*/node_modules/*' -not -path '*/wire/*' -not -name '*.pyc' 2>/dev/null)
MANIFESTS := uv.lock pyproject.toml libs/testkit/pyproject.toml deploy/embedded/pyproject.toml

##@ Use
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .cache/python $(PAGE) ## the whole system with real builds, in a browser (DEMO_EXIT=1: stop when they are shown)
	@$(SETUP) compiler git
	@$(RUN) python -m tools.demo

server: .cache/python $(PAGE) ## the embedded system, empty, on http://127.0.0.1:8080
	@$(RUN) build-dashboard up

up: compose-secrets ## the whole system in containers, on https://localhost (docker-compose.yml); waits until it is ready
	$(COMPOSE) up --build --detach --wait --wait-timeout 300
	@echo "https://$${FRONT_HOST:-localhost}: log in as admin, password in secrets/admin_password; agents' key in secrets/api_key"

down: ## stop it; what is stored stays in its volumes
	$(COMPOSE) --profile '*' down

compose-secrets: ## ./secrets: a password for each account of docker-compose.yml, made once
	@deploy/compose/secrets.sh secrets

compose-digests: ## deploy/compose/digests.yml: the images of docker-compose.yml by digest, as their registry has them today
	$(COMPOSE) --profile '*' config --lock-image-digests > deploy/compose/.digests.yml
	mv deploy/compose/.digests.yml deploy/compose/digests.yml

##@ Work on it
setup: .cache/python $(PAGE) ## everything a checkout needs to run
check: .cache/python ## lint, types, import rules and fast tests, side by side: a minute, no server
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target fast-tests types style

style: .cache/python
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) lint-imports

types: .cache/python
	$(RUN) mypy

fast-tests: .cache/python
	$(RUN) pytest -q --numprocesses 2 --dist worksteal -m "not slow and not rabbitmq and not mariadb and not mongodb and not s3 and not browser and not mlir and not docker"

test: .cache/python $(PAGE) ## everything, on real servers (installs them where it can)
	$(SETUP) compiler git browser rabbitmq mariadb
	$(if $(CI),$(SETUP) ccache gtest mlir promtool kubectl)
	$(if $(FULL),$(SETUP) engine caddy checkov)
	@$(MAKE) --no-print-directory style types
	npm run check --silent
	npm test --silent
	$(RUN) pytest -q --numprocesses 2 --dist worksteal

test-delivery: .cache/python $(PAGE) ## the proof that nothing is lost or shown twice (FULL=1: every fault, long outages, the load: two hours)
	$(SETUP) compiler rabbitmq mariadb
	FULL=$(FULL) $(RUN) pytest -q tests/delivery

simulate: .cache/python ## the whole system under virtual time and faults: SEED=7, SEED=1-50 or MINUTES=10 (FAULTS=1,4: only these; SHRINK=1)
	@PYTHONPATH=tests $(RUN) python -m simulation $(if $(SEED),--seed $(SEED),--minutes $(or $(MINUTES),5)) \
		$(if $(FAULTS),--faults $(FAULTS)) $(if $(SHRINK),--shrink) $(if $(SYSTEM),--system $(SYSTEM)) $(if $(LENGTH),--length $(LENGTH))

test-truth: .cache/python $(PAGE) ## real builds, compared with what their tools recorded (FULL=1: all of them)
	$(SETUP) compiler
	FULL=$(FULL) $(RUN) pytest -q tests/truth

docs: .cache/python ## dist/docs: the documents as a site; a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build

reference: .cache/python ## the generated parts of the documents, anew
	@$(RUN) python -m tools.reference

format: .cache/python ## let ruff format everything
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

dev: .cache/python .cache/npm ## the page with hot reload, in front of `make server`
	npm run dev

##@ Measure
bench: .cache/python $(PAGE) ## the figures of docs/performance.md, each beside its yardstick
	@$(SETUP) compiler rabbitmq mariadb
	@$(RUN) python -m bench

screenshots: .cache/python $(PAGE) ## every page in both themes as .cache/screenshots/*/*.png, from the demo's builds
	@$(SETUP) compiler git browser
	@$(RUN) python -m tools.screenshots

##@ Ship
wheels: .cache/python $(PAGE) ## dist/*.whl; they carry the page, installing them needs no Node
	uv build --quiet --wheel --out-dir dist --package build-dashboard
	uv build --quiet --wheel --out-dir dist --package build-dashboard-server

agent-binary: .cache/python $(PAGE) ## dist/build-dashboard-linux-x86_64: the agent as one file, for machines without Python
	$(SETUP) compiler zlib
	uv build --quiet --wheel --out-dir dist --package build-dashboard
	@$(RUN) python deploy/agent-binary/build.py dist/build_dashboard-*.whl dist/build-dashboard-linux-x86_64
	$(RUN) pytest -q -rP deploy/tests/test_agent_binary.py

requirements: .cache/python ## from uv.lock: requirements.txt, all of a checkout for pip; requirements.lock, the server with hashes
	printf -- '-e .\n-e ./deploy/embedded\n-e ./libs/testkit\n' > requirements.txt
	uv export --quiet --frozen --all-packages --no-emit-workspace --no-annotate --no-header --no-hashes >> requirements.txt
	$(EXPORT) --no-emit-workspace --no-annotate --no-header --output-file requirements.lock

audit: .cache/npm ## known weaknesses of everything that is shipped; fails as well where they cannot be looked up
	@$(RUN) python -m tools.audit

sbom: .cache/npm ## dist/*.cdx.json: what the server and the page are made of, as CycloneDX
	@mkdir -p dist
	$(EXPORT) --format cyclonedx1.5 --output-file dist/build-dashboard-server.cdx.json
	npm sbom --omit dev --package-lock-only --sbom-format cyclonedx > dist/build-dashboard-page.cdx.json

release: .cache/python ## dist/: wheels, source, what they are made of, documents, notes of the changelog, checksums; from a clean tree
	@$(RUN) python -m tools.release check
	rm -rf dist
	@$(MAKE) --no-print-directory wheels sbom docs
	git archive --format tar.gz --prefix build-dashboard/ --output dist/build-dashboard-source.tar.gz HEAD
	@$(RUN) python -m tools.release finish

clean: ## forget caches, the demo's data and everything built
	rm -rf .cache .demo .venv dist build node_modules services/gateway/web/node_modules $(dir $(PAGE)) examples/*/build

.PHONY: help demo server up down compose-secrets compose-digests setup check style types fast-tests test test-delivery format dev bench screenshots wheels requirements audit sbom release clean reference simulate docs agent-binary

.cache/python: $(MANIFESTS)
	@$(SETUP) uv
	uv sync --quiet --frozen --all-packages
	@# Where Python may not write what it compiled (PYTHONDONTWRITEBYTECODE), each start would compile again.
	@$(RUN) python -m compileall -q -j 2 libs/*/src services/*/src deploy/embedded/src
	@touch $@

.cache/npm: package-lock.json .cache/python
	@$(SETUP) node
	npm ci --silent --no-audit --no-fund
	@touch $@

$(PAGE): .cache/npm $(PAGE_SOURCES)
	npm run build --silent
	@touch $@
