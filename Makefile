# One door. Every target does its own set-up: a virtual environment in .venv, pinned versions, nothing global.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
RUN := runs/demo-$(shell date +%Y%m%d-%H%M%S)
REHEARSAL := runs/dry-run-$(shell date +%Y%m%d-%H%M%S)
RUNS ?= 100000
SECONDS ?= 600
TRIALS ?= 10000
KILLS ?= 1000
WORKERS ?= 2
SOURCES := robosac drivers sim calibration tests

.DEFAULT_GOAL := help
.PHONY: help setup demo dry-run test check format lint types bench peers realtime sweep fault-matrix kill-sweep estop-sweep damaged-policies policy-kills chaos chaos-walk curves recovery power-cuts store-kills fuzz decoder-fuzz mutate clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/ready ## the virtual environment, with pinned dependencies

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[gym]' --group dev
	@touch $@

demo: STEPS ?= 15000
demo: setup ## watch the twin learn to walk, then read the report (about 10 minutes)
	$(BIN)/robosac train minitaur --recipe fast --run $(RUN) --seed 2 --steps $(STEPS) --evaluation.every-steps 2500
	$(BIN)/robosac evaluate $(RUN) --best --episodes 3
	$(BIN)/robosac report $(RUN)

dry-run: setup ## rehearse quadruped and hand on their twins in real time, faults included (about 5 minutes)
	$(BIN)/robosac dry-run minitaur --out $(REHEARSAL)-minitaur
	$(BIN)/robosac dry-run claw --out $(REHEARSAL)-claw

test: setup ## the whole test suite, no hardware needed
	@status=0; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not realtime" || status=$$?; \
	$(BIN)/python -m pytest -m realtime || status=$$?; \
	exit $$status

check: format lint types ## format, lint, types, tests: what CI runs
	$(MAKE) test

format: setup
	$(BIN)/ruff format --check $(SOURCES)

lint: setup
	$(BIN)/ruff check $(SOURCES)

types: setup
	$(BIN)/pyright

bench: setup ## this machine's numbers; updates beside plain PyTorch, cameras, buses, link
	$(BIN)/robosac bench
	$(BIN)/python -m tests.benchmarks.pixel_speed
	$(BIN)/python -m tests.benchmarks.camera_speed
	$(BIN)/python -m tests.benchmarks.bus_speed
	$(BIN)/python -m tests.benchmarks.link_speed

PEERS := .venv-peers/bin

peers: .venv-peers/ready ## updates, memory and replay beside stable-baselines3, SBX and TorchRL, in their own environment
	$(PEERS)/robosac bench --peers

.venv-peers/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-peers
	$(PEERS)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	$(PEERS)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . --group peers
	@touch $@

realtime: setup ## how punctual the executor is beside a learner and a busy disk: SECONDS with and without priority
	$(BIN)/python -m tests.benchmarks.realtime_loop --seconds $(SECONDS)

ACTIONS ?= 100000000
LEGAL ?= 10000000
PROCESSES ?= 1

sweep: setup ## ACTIONS adversarial and LEGAL legal actions through the limiter, packed as the robots pack them
	$(BIN)/python -m tests.sweeps.limiter_sweep --actions $(ACTIONS) --legal $(LEGAL) \
		--processes $(PROCESSES) $(if $(STATE),--resume $(STATE))

fault-matrix: setup ## every fault the twins can enact, in every phase, in virtual time
	$(BIN)/python -m tests.sweeps.fault_matrix

kill-sweep: setup ## KILLS times an executor or actor is killed or stopped; the motors must stop within 100 ms
	$(BIN)/python -m tests.sweeps.process_kill_sweep --trials $(KILLS) $(if $(STATE),--resume $(STATE))

estop-sweep: setup ## TRIALS trips of the gate over every state, in virtual and in real time
	$(BIN)/python -m tests.sweeps.estop_sweep --trials $(TRIALS) --time virtual
	$(BIN)/python -m tests.sweeps.estop_sweep --trials $(TRIALS) --time real

POLICIES ?= 100000

damaged-policies: setup ## POLICIES damaged policies, right checksums included: none may be taken, the old one must act on
	$(BIN)/python -m tests.sweeps.damaged_policies --policies $(POLICIES)

policy-kills: setup ## KILLS of a process that keeps policies: always the old one or the new one, whole
	$(BIN)/python -m tests.sweeps.policy_kills --kills $(KILLS)

chaos: setup ## KILLS of actor and learner over a bad network: nothing may be lost, doubled or changed
	$(BIN)/python -m tests.chaos.run --say --kills $(KILLS) --pause 0.02 0.25 --settle 5
	$(BIN)/python -m tests.chaos.run --say --faults --kills $(KILLS) --pause 0.1 0.6 --settle 5

WALK ?= runs/chaos-walk-$(shell date +%Y%m%d-%H%M%S)

chaos-walk: STEPS ?= 20000
chaos-walk: setup ## the quadruped learns STEPS steps in real time while actor and learner are killed (an hour)
	mkdir -p runs
	$(BIN)/python -m tests.chaos.walking --place $(WALK) --steps $(STEPS) --picture $(WALK).png

TASK ?= walk
RECIPE ?= fast
SEEDS ?= 1 2 3 4 5
JOBS ?= 1

curves: setup ## learning curves of TASK with RECIPE over SEEDS, into docs/results (a quarter of an hour a seed, and more)
	$(BIN)/python -m tests.sweeps.learning_curves $(TASK) --recipe $(RECIPE) --seeds $(SEEDS) --jobs $(JOBS)

HIDDEN ?= 100
FOUND ?= runs/recovery

recovery: setup ## does calibration find what is hidden in HIDDEN robots and cameras of each kind? (hours; goes on in FOUND)
	mkdir -p $(FOUND)
	$(BIN)/python -m tests.sweeps.calibration_recovery --robots $(HIDDEN)
	$(BIN)/python -m tests.sweeps.camera_recovery --cameras $(HIDDEN)
	$(BIN)/python -m tests.sweeps.actuator_recovery --robots $(HIDDEN) --state $(FOUND)/actuators.jsonl
	$(BIN)/python -m tests.sweeps.camera_latency_recovery --twins $(HIDDEN) --state $(FOUND)/cameras.jsonl

CUTS ?= 10000
FAILING ?= 0

power-cuts: setup ## CUTS power cuts of outbox and inbox by SQLite's own writes; FAILING is the share of syncs that fail
	$(BIN)/python -m tests.sweeps.power_cuts --cuts $(CUTS) --failing-syncs $(FAILING)

store-kills: setup ## KILLS times the process of an outbox or inbox is killed while rows go from one to the other
	$(BIN)/python -m tests.sweeps.store_kills --kills $(KILLS)

fuzz: setup ## every decoder against RUNS coverage-guided inputs each (Linux)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group fuzz
	$(BIN)/python -m tests.fuzz.run --runs $(RUNS)

INPUTS ?= 50000000

decoder-fuzz: setup ## INPUTS damaged inputs for every decoder of bytes from a network or a file
	nice $(BIN)/python -m tests.sweeps.decoder_fuzz --inputs $(INPUTS) \
		--processes $(PROCESSES) $(if $(STATE),--resume $(STATE))

mutate: setup ## what the tests would not notice: every mutant of safety code and decoders (FILE=... for one)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group mutation
	$(BIN)/python -m tests.mutation.run $(if $(FILE),--file $(FILE))

clean: ## remove the virtual environments and caches; runs/ stays
	rm -rf .venv .venv-peers .pytest_cache .ruff_cache .hypothesis
