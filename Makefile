# Two commands do all the set-up: `make drill` and `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOX_ARGS ?= -e py,lint,type
RUNS ?= 5
PARTS ?=
FEATURES ?= features/redis_failover.feature
LABS ?=
GATE ?=
# a key that lies in the repository, and whoever trusts it: it shows how proofs are signed, and not who signed
SIGNED := DRILLBOOK_KEY=proofs/demonstration-key.pem
TRUST := --trust proofs/demonstration-trust.json
# all drills, unless somebody names some
ALL = $(if $(filter file,$(origin FEATURES)),features,$(FEATURES))
# what is installed: what a drill needs, and on top of it a storage, tox, the tests' own, or all
DRILL := $(VENV)/.ready-drill
TOX := $(VENV)/.ready-tox
STORAGE := $(VENV)/.ready-storage
BARMAN := $(VENV)/.ready-barman
TEST := $(VENV)/.ready-test
READY := $(VENV)/.ready
# compiled when it is imported: compiling all of it took half of the time of an installation
INSTALL := $(BIN)/python -m pip install --quiet --no-compile
# its plugin imports all of Hypothesis when a session ends: half a second, and a crash of Python 3.11's compiler once
NO_HYPOTHESIS := -p no:hypothesispytest

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# images of containers set it: then each start of Python compiles all that it imports anew, 1 s of a drill's
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help drill drills proofs stale gate plan test unit lint dev lab-up lab-down bench clean

help: ## print what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "drillbook needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "$(PYTHON) has no ensurepip (on Debian: the package python3-venv)"; exit 1; }
	@echo "installing into $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --upgrade pip  # one of Python 3.11's days takes 4 s longer to resolve what is below, and this 1 s

$(DRILL): pyproject.toml | $(VENV)/pyvenv.cfg
	@$(INSTALL) --editable '.[lab]'
	@touch $@

# the drills of the object storage need it: without it they are ABORTED
$(STORAGE): $(DRILL)
	@$(INSTALL) --editable '.[lab,storage]'
	@touch $@

# the drills of Barman need it: without it they are ABORTED. It compiles psycopg2, and not every machine can
$(BARMAN): $(STORAGE)
	@if $(INSTALL) --editable '.[lab,storage,barman]'; then touch $@; else echo "no Barman (pip says above why; on Debian it needs gcc libc6-dev libpq-dev python3-dev, and rsync): its drills will be ABORTED"; fi

$(TOX): | $(VENV)/pyvenv.cfg
	@$(INSTALL) tox
	@touch $@

$(TEST): $(DRILL)
	@$(INSTALL) --editable '.[lab,test]'
	@touch $@ $(STORAGE)

$(READY): $(DRILL) $(TOX)
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(TEST) $(STORAGE)

drill: $(DRILL) ## bring the embedded lab up, drill it, say where the evidence lies (FEATURES=...)
	@$(BIN)/drillbook lab up
	@$(BIN)/pytest $(NO_HYPOTHESIS) $(FEATURES)

drills: $(BARMAN) ## every drill with its controls on labs side by side, one table (LABS=N, default two more than cores; FEATURES=...)
	-@$(BIN)/drillbook lab node
	-@$(BIN)/drillbook lab clients
	@$(BIN)/drillbook drills $(if $(LABS),--labs $(LABS)) $(ALL) $(NO_HYPOTHESIS)

proofs: $(BARMAN) ## every drill as above, and what is proven into proofs/, some KB a scenario (FEATURES=... for a part)
	-@$(BIN)/drillbook lab node
	-@$(BIN)/drillbook lab clients
	@status=0; $(BIN)/drillbook drills $(if $(LABS),--labs $(LABS)) $(ALL) $(NO_HYPOTHESIS) || status=$$?; \
	  $(SIGNED) $(BIN)/drillbook gate --keep $(TRUST) $(ALL) || status=$$?; exit $$status

stale: $(BARMAN) ## prove what the gate refuses, and one drill of each family (LABS=N, FEATURES=...)
	-@$(BIN)/drillbook lab node
	-@$(BIN)/drillbook lab clients
	@$(BIN)/drillbook drills $(if $(LABS),--labs $(LABS)) --stale --one-a-family $(TRUST) $(ALL) $(NO_HYPOTHESIS)

gate: $(DRILL) ## what is not proven as it is here (GATE=--github, --json, ...; FEATURES=...)
	@$(SIGNED) $(BIN)/drillbook gate $(TRUST) $(GATE) $(ALL)

plan: $(DRILL) ## what the drills would change where; nothing is touched (FEATURES=..., needs the lab to be up)
	@$(BIN)/pytest --plan $(FEATURES)

test: $(TOX) ## all tests, lint and types, through tox
	@$(BIN)/tox run-parallel --parallel-live --parallel-no-spinner $(TOX_ARGS)

unit: $(TEST) ## the unit tests alone, in a minute
	@$(BIN)/pytest -m unit -n auto --dist loadfile --no-loadscope-reorder --reruns 1 --only-rerun SystemError tests/unit

lint: $(TOX) ## format, lint, types and playbooks
	@$(BIN)/tox run -e lint,type

dev: $(READY) ## all that CONTRIBUTING names into .venv: the lab, the tests, lint, types

lab-up: $(DRILL) ## bring the embedded lab up
	@$(BIN)/drillbook lab up

lab-down: $(DRILL) ## end every process of the lab
	@$(BIN)/drillbook lab down

PEERS := benchmarks/.venv/.ready

$(PEERS): benchmarks/requirements.txt
	@echo "installing the peers into benchmarks/.venv (about a minute, once)"
	@$(PYTHON) -m venv benchmarks/.venv
	@benchmarks/.venv/bin/python -m pip install --quiet --requirement $<
	@touch $@

bench: $(TEST) $(PEERS) ## Drillbook beside its peers, into docs/benchmarks.md (RUNS=5; PARTS="start r1" prints these only)
	@$(BIN)/drillbook lab up
	@$(BIN)/python benchmarks/run.py --runs $(RUNS) $(PARTS)

clean: ## end the lab and remove what was installed and made (not the evidence)
	@if [ -x $(BIN)/drillbook ]; then $(BIN)/drillbook lab down || exit 1; fi
	@rm -rf $(VENV) benchmarks/.venv .tox .drillbook .pytest_cache .mypy_cache .ruff_cache
