# Two targets for a fresh clone: `make demo` shows what this is, `make test` shows that it works.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Two processes test on two cores: each computes on one thread.
export OMP_NUM_THREADS ?= 1

.PHONY: accessibility demo docs notebooks test test-slow test-oldest test-rllib test-clients bits mutants format clean

demo: $(VENV)/installed-all
	$(BIN)/mm-env compare --ppo --out out/demo

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 -m "not slow"

# The site, into out/docs: warnings are errors, and nothing is fetched.
docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build -q -W --keep-going -d out/doctrees docs out/docs

# The notebooks, run anew, with what they show stored in them.
notebooks: $(VENV)/installed-docs $(VENV)/installed-all
	$(BIN)/python docs/run_notebooks.py

# axe-core on every page of the site, the game and a report, in Chromium; it is fetched from npm, so not part of `make test`.
accessibility: docs $(VENV)/installed-all
	npm install --silent --prefix out/axe axe-core
	$(BIN)/mm-env benchmark --policies never,best-threshold,best-band,optimal,ppo=results/v1/ppo/{market}/seed-{seed} \
		--market mm_env/TicketFee-v0 --market mm_env/DynamicSpread-v0 --html out/report.html
	$(BIN)/python -m benchmarks.accessibility --axe out/axe/node_modules/axe-core/axe.min.js \
		out/docs/*.html out/docs/guide/*.html out/docs/notebooks/*.html out/docs/generated/*.html out/report.html

test-slow: $(VENV)/installed-dev
	$(BIN)/pytest -n 2 -m slow

# The oldest Gymnasium and NumPy that are supported, of NumPy the oldest that this Python has a build of, and nothing that learning needs.
OLDEST = "gymnasium==1.2.2" "numpy==2.0.2; python_version < '3.13'" "numpy==2.1.0; python_version == '3.13'" "numpy==2.3.2; python_version > '3.13'"
test-oldest:
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/pip install -q $(OLDEST) -e ".[data,plot,multi]" pytest pytest-xdist hypothesis
	$(VENV)-oldest/bin/pytest -n 2 -m "not slow" tests mm_env baselines --ignore=tests/train

# RLlib, which pins Gymnasium: a policy for each dealer, and the single environment as it is.
test-rllib:
	$(PYTHON) -m venv $(VENV)-rllib
	$(VENV)-rllib/bin/pip install -q -c constraints-ray.txt -e ".[rllib]" pytest
	$(VENV)-rllib/bin/pytest tests/train/test_rllib_dealers.py tests/pools/test_ray_pool.py

# Compiled, NumPy and single are the same bits in SETS markets drawn over all fields, ten with the same mechanisms each:
# half an hour, outside what has to pass.
SETS ?= 5000
bits: $(VENV)/installed-dev
	SETS=$(SETS) $(BIN)/pytest -m slow -k many_markets tests/kernels/test_kernels.py tests/baselines/evaluation/test_scoring.py

# Every usual client, unmodified, on our ids: docs/tools.md is run, docs/clients.md written. CLEANRL is a clone of CleanRL.
# Then what is tested with RL Zoo and moviepy, which are not among what is developed with.
test-clients: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.versions --venvs .venv-clients
	$(BIN)/python -m benchmarks.clients --venvs .venv-clients $(if $(CLEANRL),--cleanrl $(CLEANRL))
	.venv-clients/current/bin/python -m pytest tests/train/hyperparameters/test_rl_zoo3.py tests/envs/test_clients.py

# Do the tests bite? Minutes to hours; `make mutants SAMPLE=20 SEED=1` tries twenty faults.
SAMPLE ?= 1000000
SEED ?= 0
mutants: $(VENV)/installed-dev
	$(BIN)/python -m tests.mutants --sample $(SAMPLE) --seed $(SEED)

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-rllib .venv-clients build dist out docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/installed-%: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e ".[$*]"
	touch $@
