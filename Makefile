# Everything is Python: these lines only name it. They need Python 3.11 or later, and no installation.
PYTHON ?= python3
ARGS ?=
TASK = @$(PYTHON) -m devstack.bootstrap

# The question and the recording of `make ask` travel as variables: neither make nor a shell reads them.
unexport Q WAV
export VOICEFLEET_ASK_Q := $(value Q)
export VOICEFLEET_ASK_WAV := $(value WAV)

.DEFAULT_GOAL := help
.PHONY: help setup run stop status observe ask web-dev test lint types unit integration e2e chaos bench bench-full deploy-drill lock audit release-check sbom licences images-check

help: ## list the targets; ARGS="…" passes arguments on
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## install what development needs, the servers included
	$(TASK) setup $(ARGS)

run: ## run the whole stack with its pages until Ctrl-C; ARGS=--detach returns once it is ready
	$(TASK) run $(ARGS)

stop: ## stop the stack and wait until it is gone
	$(TASK) stop $(ARGS)

status: ## show the services and their health
	$(TASK) status $(ARGS)

observe: ## run Prometheus on the running stack until Ctrl-C: its figures, and alerts
	$(TASK) observe $(ARGS)

ask: ## ask the agent: Q="What time is it?", or WAV=question.wav
	$(TASK) ask $(ARGS)

web-dev: ## serve the pages of web/ on port 3000 as they are being edited; needs a running stack
	$(TASK) web-dev $(ARGS)

test: ## run all checks and all tests
	$(TASK) test $(ARGS)

lint: ## check form, imports, spelling, Dockerfiles and web/
	$(TASK) lint $(ARGS)

types: ## check types
	$(TASK) types $(ARGS)

unit: ## run the tests without input or output, and those of web/
	$(TASK) unit $(ARGS)

integration: ## run the tests with real servers
	$(TASK) integration $(ARGS)

e2e: ## run the tests that speak with the whole stack
	$(TASK) e2e $(ARGS)

chaos: ## do the worst to a whole fleet and tell what becomes of its calls; ARGS="--chaos-json FILE" writes the table, too
	$(TASK) chaos $(ARGS)

bench: ## measure the store, starts and bursts in less than 6 minutes; ARGS=NAME: one at length, of store, starts, assignment, race, burst, recovery, pool, degradation, capacity, pages, warm, worker_memory, soak
	$(TASK) bench $(ARGS)

bench-full: ## run all benchmarks, which takes hours; ARGS=--resume goes on where it was stopped
	$(TASK) bench-full $(ARGS)

deploy-drill: ## replace everything of ours under load, by good and bad versions: does anybody notice? ARGS=--quick: shorter; ARGS=--careless: see it fail
	$(TASK) deploy-drill $(ARGS)

lock: ## write requirements/*.lock anew; ARGS=--check only compares
	$(TASK) lock $(ARGS)

audit: ## look for known vulnerabilities in the locks
	$(TASK) audit $(ARGS)

release-check: ## build what is released, look into it, install it elsewhere, and speak with it; ARGS=--quick installs and runs nothing
	$(TASK) release-check $(ARGS)

sbom: ## write what is in each image and in the pages, as CycloneDX, into dist/sbom
	$(TASK) sbom $(ARGS)

licences: ## write docs/licences.md anew; ARGS=--check only compares
	$(TASK) licences $(ARGS)

images-check: ## do what the Dockerfiles say, without a container engine; as root, on Linux
	$(TASK) images-check $(ARGS)
