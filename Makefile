# make demo   see it work: a small censored internet on this machine, no network
# make test   everything that must hold: style, types, rooms, tests
# make lab    a censored country in network namespaces: every case, measured for real (Linux, root)
# make package wheel and sdist, installed into clean environments and tried; prints disk and memory
# Needs only make and Python 3.11 or newer; the rest goes into .venv.

BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test lab package lint format docs upgrade clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -5

$(READY): pyproject.toml constraints.txt .ci/setup
	@sh .ci/setup

demo: $(READY)
	@$(BIN)/probe demo

test: lint
	$(BIN)/pytest -q

lab: $(READY)
	@$(BIN)/python -m tests.lab

package: $(READY)
	@sh .ci/install

lint: $(READY)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

# Pages and schemas that are made from the code, and what translators fill in.
docs: $(READY)
	$(BIN)/python -m tests.tools.render_docs
	$(BIN)/python -m tests.tools.schemas
	$(BIN)/python -m tests.tools.write_report_schema
	$(BIN)/python -m tests.tools.digest_seeds
	$(BIN)/python -m tests.tools.catalogues

# The newest versions that pyproject.toml allows, written down.
upgrade: $(READY)
	$(BIN)/python -m pip install -q --upgrade --upgrade-strategy eager -e '.[all]' --group dev
	sed -n '/^#/p' constraints.txt > constraints.new
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools >> constraints.new
	mv constraints.new constraints.txt
	touch $(READY)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find probe tests -name __pycache__ -prune -exec rm -rf {} +
