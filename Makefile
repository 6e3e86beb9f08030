# `make` alone lists the verbs. make turns every failure into its own exit code 2; the tool prints its own code in
# its last line, and pipelines that want to read it call .venv/bin/exporter.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Everything the pipeline and the tests need, in the versions of constraints.txt: pip need not look for a set that fits.
EXTRAS := export,old-runtime,video,zoo,signing,model-signing,hub,mlflow,tensorboard,s3,slurm,ray,search,aws-device-farm,dev
# Python compiles what is imported, when it is imported; all of it would be half a gigabyte.
INSTALL := pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable
# What was typed after the verb: recipe=… key.sub=value …
WORDS = $(MAKEOVERRIDES)

.DEFAULT_GOAL := help
.PHONY: help setup export test check replay mutants docs runtimes pins bench clean

help: ## list the verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything the pipeline and the tests need; seconds when nothing changed

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: docs/install.md says what there is without it" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/$(INSTALL) '.[$(EXTRAS)]'
	@touch $@

# NVIDIA's builder takes 240 MB, so it comes only with what builds engines.
RTX := $(VENV)/.tensorrt-rtx
BUILDS_ENGINES = $(and $(recipe),$(shell grep -ls build_tensorrt $(recipe) recipes/$(recipe)))

$(RTX): $(STAMP)
	$(RUN)/$(INSTALL) '.[tensorrt-rtx]'
	@touch $@

export: $(STAMP) $(if $(BUILDS_ENGINES),$(RTX)) ## run a recipe: make export recipe=mobile_deblur.yaml [key.sub=value …]
	@$(RUN)/exporter $(WORDS)

# One thread for each of the processes side by side: two pools of threads on the same cores wait for each other.
test: $(STAMP) $(if $(slow),$(RTX)) ## run the tests (slow ones: make test slow=1)
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest $(if $(slow),-m 'slow or not slow') -n auto --dist loadfile

check: $(STAMP) ## ruff, mypy and the layer contract
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

replay: $(STAMP) ## does this tree build the same bytes as an earlier commit? make replay base=REV
	$(RUN)/python tools/replay.py $(base)

mutants: $(STAMP) ## how many small faults the tests notice: make mutants [only=affine]
	$(RUN)/$(INSTALL) '.[mutants]'
	$(RUN)/python tools/mutants.py $(only)

# Beside .venv, because none of the pipeline needs it. Not --quiet, which counts no warnings and so breaks `strict`.
DOCS := build/docs/.installed

$(DOCS): pyproject.toml constraints.txt
	$(PYTHON) -m venv build/docs
	build/docs/bin/$(INSTALL) '.[docs]'
	@touch $@

docs: $(DOCS) ## build the documentation in build/site; a dead link fails
	NO_MKDOCS_2_WARNING=1 build/docs/bin/mkdocs build

runtimes: $(STAMP) ## put together phones' engines and the toolchains of the demo app in build/engines (Debian; no root)
	$(RUN)/exporter runtimes --install
	$(RUN)/python -m tools.toolchains

pins: ## find versions that fit together anew, and write them to constraints.txt
	$(PYTHON) -m venv --clear build/pins
	build/pins/bin/pip install --quiet --disable-pip-version-check --no-compile --editable '.[$(EXTRAS)]'
	{ sed '/^[^#]/d' constraints.txt; build/pins/bin/pip freeze --all --exclude pip --exclude-editable | sed 's/+.*//'; } >build/pins/found
	mv build/pins/found constraints.txt
	rm -rf build/pins

bench: $(STAMP) ## run every benchmark but the ablation, which trains for hours, and rewrite its JSON
	for script in $(filter-out %/ablation.py,$(wildcard benchmarks/*.py)); do $(RUN)/python $$script || exit 1; done

clean: ## delete build/ and dist/, keep .venv
	rm -rf build dist
