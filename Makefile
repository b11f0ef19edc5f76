# `make demo` and `make test` need nothing but Python 3.10 or newer: they make their own environment in `.venv`.
.PHONY: demo test test-newest gpu docs check-docs quarto dist prepare export clean readme outputs check
PYTHON ?= python3
BIN := .venv/bin
NEW := .venv-newest/bin
QUIET := PYTHONWARNINGS='ignore:`torch.jit:FutureWarning,ignore:`torch.jit:DeprecationWarning'
# one thread per process: the notebooks are tested side by side
THREADS := OMP_NUM_THREADS=1

.venv/installed: settings.ini setup.py
	@echo 'Setting up .venv (some minutes, 6 GB) …'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --no-compile --disable-pip-version-check -e '.[dev]'
	@touch $@

.venv-newest/installed: settings.ini setup.py
	@echo 'Setting up .venv-newest (some minutes, 6 GB) …'
	$(PYTHON) -m venv .venv-newest
	$(NEW)/pip install -q --no-compile --disable-pip-version-check -U --upgrade-strategy eager -e . fastai fastcore 'nbdev>=3' jupyter accelerate hypothesis mypy
	@touch $@

demo: .venv/installed ## the four demonstrations, about a minute
	$(BIN)/tweaks_demo

test: check ## is all in step, and do the notebooks pass?
	$(THREADS) $(BIN)/nbdev_test --do_print --timing
	$(THREADS) $(BIN)/nbdev_test --do_print --path nbs/_template.ipynb

test-newest: .venv-newest/installed ## the same notebooks with the newest fastai, fastcore and nbdev
	$(THREADS) $(NEW)/nbdev-test --do-print --timing

PY ?= python3
gpu: ## on a machine with a GPU and PyTorch, that of `PY`: every `#| cuda` cell, in eight minutes at most; writes nbs/proofs/gpu.csv
	$(PY) docs/gpu.py

docs: .venv/installed ## the site, without Quarto, in _site; fails on a warning, a dead link, or a page missing in nbs/sidebar.yml
	$(BIN)/python docs/build.py

check-docs: .venv/installed ## open each of its pages in Chromium (of the system, or $$CHROMIUM), wide and narrow
	$(BIN)/python docs/check.py

dist: .venv/installed ## sdist and wheel in dist/; the wheel is installed in a fresh environment and runs the demo there
	rm -rf dist build .venv-dist
	$(BIN)/python -m build -q
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip install -q --no-compile --disable-pip-version-check dist/*.whl
	cd dist && ../.venv-dist/bin/tweaks_demo
	rm -rf build .venv-dist

quarto: .venv/installed ## the same pages with Quarto, for those who have it, in _docs
	$(BIN)/nbdev_docs

prepare: export clean readme ## all that is generated, then the tests
	$(MAKE) test

export: .venv/installed
	$(BIN)/nbdev_export

clean: .venv/installed
	$(BIN)/nbdev_clean

NB ?= *.ipynb proofs/*.ipynb
outputs: .venv/installed ## run all notebooks, or those named by NB (`NB=proofs/20_accumulate.ipynb`), top to bottom, in place
	cd nbs && $(QUIET) ../$(BIN)/jupyter nbconvert --log-level=WARN --to notebook --execute --inplace $(NB)
	$(MAKE) export clean readme

# $(1), a notebook, as the Markdown page $(2): without hidden cells and directives; links to notebooks lead into nbs/
define markdown
$(BIN)/jupyter nbconvert --log-level=WARN --to markdown --stdout $(1) \
    --RegexRemovePreprocessor.enabled=True --RegexRemovePreprocessor.patterns='["^#\\|\\s*hide"]' \
    | awk '/^```/ {f=!f; if (f && $$0=="```") $$0="```python"} !/^#\|/' \
    | sed -E 's#\]\(([0-9a-z_/]+\.ipynb|images/)#](nbs/\1#g' | cat -s > $(2)
endef

readme: .venv/installed
	$(call markdown,nbs/index.ipynb,README.md)
	$(call markdown,nbs/contributing.ipynb,CONTRIBUTING.md)

check: .venv/installed ## are package, notebooks, README and CONTRIBUTING in step?
	@rm -rf .check && mkdir .check && cp -R nbs tweaks settings.ini pyproject.toml _quarto.yml CHANGELOG.md .check
	@cd .check && ../$(BIN)/nbdev_export && ../$(BIN)/nbdev_clean
	@$(call markdown,.check/nbs/index.ipynb,.check/README.md)
	@$(call markdown,.check/nbs/contributing.ipynb,.check/CONTRIBUTING.md)
	@diff -r -x __pycache__ tweaks .check/tweaks || { echo 'The package is not in step with the notebooks: run `make export`.'; exit 1; }
	@diff -rq -x .ipynb_checkpoints -x models nbs .check/nbs || { echo 'A notebook is not clean: run `make clean`.'; exit 1; }
	@! grep -l '"name": "stderr"' nbs/*.ipynb nbs/proofs/*.ipynb || { echo 'Warnings in the outputs of these notebooks: run `make outputs NB=…`.'; exit 1; }
	@diff README.md .check/README.md && diff CONTRIBUTING.md .check/CONTRIBUTING.md && diff pyproject.toml .check/pyproject.toml \
	    || { echo 'README.md or CONTRIBUTING.md is not in step with its notebook: run `make readme`.'; exit 1; }
	@rm -rf .check
