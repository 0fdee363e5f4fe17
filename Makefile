PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint proof clean

demo: .venv/demo.stamp
	@from=; if ! { $(BIN)/python -c 'import xllamacpp' 2>/dev/null && $(BIN)/pytest-llmreplay local-model fetch; }; then \
		echo "The local model cannot be installed here, so the demo replays what it answered before, from examples/cassettes."; \
		from="--llmreplay-record none --llmreplay-cassettes examples/cassettes"; \
	else $(BIN)/pytest-llmreplay judge calibrate examples/labels.jsonl --judge configs/judge.yaml --repeats 1 || exit $$?; fi; \
	$(BIN)/pytest golden/ --llmreplay-variant configs/v1.yaml --llmreplay-variant configs/v2.yaml \
		--llmreplay-baseline v1 $$from; code=$$?; \
	if [ $$code -eq 1 ]; then echo; echo "V2 breaks what V1 did right (the red items above): a gate would stop this deploy."; \
	elif [ $$code -ne 0 ]; then exit $$code; fi

test: .venv/dev.stamp
	$(BIN)/pytest -n 2 --dist worksteal

# The full proofs: simulations, agreement with published checkers, speed. SHARED is a folder with the public data.
SHARED ?= ../shared
proof: .venv/dev.stamp
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/checks.py
	$(BIN)/python benchmarks/agentevals_agreement.py
	$(BIN)/python benchmarks/bfcl_agreement.py
	$(BIN)/python benchmarks/mutations.py $(addprefix tests/traces/,captures crashes described) \
		$(wildcard $(SHARED)/samples)
	$(BIN)/python benchmarks/large_logs.py
	$(BIN)/python benchmarks/redaction.py
	$(BIN)/python benchmarks/judge_attacks.py
	$(BIN)/python benchmarks/judge.py $(SHARED)/data
	$(BIN)/python benchmarks/signals.py --clean $(SHARED)/data/traces_sgd.parquet \
		--judged $(SHARED)/data/traces_airline_tau1.parquet --judged $(SHARED)/data/traces_airline_tau2.parquet
	$(BIN)/python benchmarks/mine.py --text 1GB --like
	$(BIN)/python benchmarks/search.py --data $(SHARED)/data
	$(BIN)/python benchmarks/triage.py
	$(BIN)/python benchmarks/faults.py
	$(BIN)/python benchmarks/replay.py --bench $(SHARED)/bench

lint: .venv/dev.stamp
	$(BIN)/lint-imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv

.venv/demo.stamp: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[local]' || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/demo.stamp

clean:
	rm -rf .venv .pytest_llmreplay .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
