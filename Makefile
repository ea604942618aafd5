# make demo      ask the included reader some questions         make test      the suite without its long tests
# make check     what every commit must pass                    make test-all  the long tests
# make help      all targets

PYTHON ?= python3
# Other Pythons on which the base install is tested by test-all, e.g. PYTHONS="python3.12 python3.13".
PYTHONS ?=
# Processes that run tests in parallel.
WORKERS ?= 2
# The folder of the full data sets, for the tests and benchmarks that need them.
export QUOTH_DATA
# With QUOTH_WITHOUT_DATA=1, those tests are left out instead of skipped: in CI, a skip is a failure.
LEFT_OUT = $(if $(QUOTH_WITHOUT_DATA), and not data)
# Nothing here may access the hub, neither Quoth nor a library.
export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = true

BASE = .venv
FULL = .venv-full
# Haystack, LangChain and MCP, with which the adapters are tested.
ADAPTERS = .venv-adapters
# The environment of the release tools, and the one in which the built wheel is installed.
RELEASE = .venv-release
WHEEL = .venv-wheel
# The float checkpoint from which the shipped reader was exported: a Hugging Face folder.
FLOAT = readers/shipped
STAMP = pyproject.toml constraints.txt tools/environment.py
# Peers of the benchmarks, each in its own environment. Parity is measured with the first, the old pipeline.
PEERS = .peers/pipeline .peers/haystack .peers/txtai
# The benchmarks of make bench, in this order.
BENCH = answering engine_profile ask fidelity serving decoding windows overlap startup memory tables tables_long searching verifying
FLAGS_decoding = --data $(QUOTH_DATA)
FLAGS_windows = --data $(QUOTH_DATA)
FLAGS_overlap = --data $(QUOTH_DATA)/squad/squad-v1.1-dev.json
FLAGS_searching = --data $(QUOTH_DATA)
FLAGS_verifying = --data $(QUOTH_DATA)
FLAGS_memory = --data $(QUOTH_DATA)/squad/squad-v1.1-dev.json

.PHONY: help demo test build test-wheel test-sdist test-base test-adapters test-long test-all test-pythons environments check lint types format docs peers bench reader refresh parity tiny clean

help:
	@sed -n 's/^## //p' Makefile

$(BASE)/.made: $(STAMP)
	@echo "Creating $(BASE): the base install, without torch ..."
	@$(PYTHON) tools/environment.py $(BASE) "" test
	@touch $@

$(FULL)/.made: $(STAMP)
	@echo "Creating $(FULL): all extras, with torch; this takes some minutes ..."
	@$(PYTHON) tools/environment.py $(FULL) all test,check,serve,tables,browser,docs,tutorial
	@touch $@

$(RELEASE)/.made: $(STAMP)
	@echo "Creating $(RELEASE): the release tools ..."
	@$(PYTHON) tools/environment.py $(RELEASE) -- --constraint constraints.txt --group release
	@touch $@

$(ADAPTERS)/.made: $(STAMP)
	@echo "Creating $(ADAPTERS): the frameworks that the adapters are for ..."
	@$(PYTHON) tools/environment.py $(ADAPTERS) mcp test,adapters
	@touch $@

.peers/%/.made: benchmarks/peers/%.txt tools/environment.py
	@echo "Creating .peers/$*: a peer of the benchmarks, with torch ..."
	@$(PYTHON) tools/environment.py .peers/$* -- -r $<
	@touch $@

## demo          ask the included reader some questions about example texts (base install)
demo: $(BASE)/.made
	@$(BASE)/bin/python examples/demo.py

## test          the whole suite without its long tests
test: $(FULL)/.made
	$(FULL)/bin/python -m pytest -n $(WORKERS) --dist worksteal -m "not long$(LEFT_OUT)"

## test-base     the tests of the base install, in an environment without any extra
test-base: $(BASE)/.made
	$(BASE)/bin/python -m pytest -n $(WORKERS) --dist worksteal -m "not long and not torch and not serve$(LEFT_OUT)" --ignore-glob="*/test_serve*.py"

## test-pythons  test-base on each of PYTHONS
test-pythons:
	@for python in $(PYTHONS); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') || exit 1; \
	  $(MAKE) test-base PYTHON=$$python BASE=.venv-$$version || exit 1; \
	done

## build         build the sdist and the wheel into dist/, and check their metadata and contents
build: $(RELEASE)/.made
	@rm -rf dist
	$(RELEASE)/bin/python -m build --no-isolation --outdir dist .
	$(RELEASE)/bin/python -m twine check --strict dist/*
	@$(RELEASE)/bin/python tools/dist.py dist

## test-wheel    install the built wheel in an empty environment; ask, score and serve with it
test-wheel: build
	@$(PYTHON) tools/environment.py $(WHEEL) -- --constraint constraints.txt dist/*.whl
	@$(PYTHON) tools/try_wheel.py $(WHEEL) dist/*.whl

## test-sdist    unpack the built sdist, collect its tests and run some of them
test-sdist: build $(FULL)/.made
	@$(FULL)/bin/python tools/try_sdist.py dist/*.tar.gz tests/test_layers.py tests/test_docs.py tests/test_data.py

# axe-core and the types of the page's modules, for the browser tests (tests/browser/README.md).
tests/browser/node_modules: tests/browser/package-lock.json
	npm ci --ignore-scripts --silent --prefix tests/browser
	@touch $@

## test-adapters the adapters, each with its real library
test-adapters: $(ADAPTERS)/.made
	$(ADAPTERS)/bin/python -m pytest tests/adapters

## test-long     the long tests: interrupted training, full data sets, the page in Chromium; property tests with more examples
test-long: $(FULL)/.made tests/browser/node_modules
	QUOTH_EXAMPLES=100 $(FULL)/bin/python -m pytest -n $(WORKERS) --dist loadfile -m "(long or hypothesis)$(LEFT_OUT)"
	$(MAKE) test-adapters

## test-all      test-pythons and test-long
test-all: test-pythons test-long

## environments  create all environments that check, build and test-long need
environments: $(BASE)/.made $(FULL)/.made $(RELEASE)/.made $(ADAPTERS)/.made tests/browser/node_modules

## lint          ruff: style, imports, docstrings
lint: $(FULL)/.made
	$(FULL)/bin/ruff check .
	$(FULL)/bin/ruff format --check .

## types         mypy, strict: the package, tools/ and benchmarks/
types: $(FULL)/.made
	$(FULL)/bin/mypy

## format        let ruff fix and format the code
format: $(FULL)/.made
	$(FULL)/bin/ruff check --fix .
	$(FULL)/bin/ruff format .

## check         lint, types, test and test-base
check: lint types test test-base

## docs          build the documentation site into site/, offline and strict
docs: $(FULL)/.made
	NO_MKDOCS_2_WARNING=1 $(FULL)/bin/python -m mkdocs build --quiet --strict
	@echo "The site is in site/. Open site/index.html, or run python3 -m http.server -d site to use its search."

## peers         create the environments of the benchmarks' peers (.peers/)
peers: $(addsuffix /.made,$(PEERS))

## bench         run all benchmarks and write docs/benchmarks.md; some of them: make bench BENCH="answering ask"
bench: $(FULL)/.made peers
	@failed=0; $(foreach part,$(BENCH),echo "benchmarks/$(part).py ..."; \
	  $(FULL)/bin/python benchmarks/$(part).py $(FLAGS_$(part)) $(ARGS) || failed=1;) exit $$failed

## reader        train the included reader from base weights; takes hours (ARGS="--max-steps 20" for a quick test)
reader: $(FULL)/.made
	$(FULL)/bin/python tools/make_reader.py $(ARGS)

## refresh       after new weights: update golden answers, pictures and the tutorial; takes minutes
refresh: $(FULL)/.made .peers/pipeline/.made
	$(FULL)/bin/python tools/parity.py --reader $(FLOAT) --golden-only --only shipped
	$(FULL)/bin/python tools/picture.py
	$(FULL)/bin/python tools/screenshots.py
	$(FULL)/bin/python tools/tutorial.py

## parity        measure parity with the old pipeline and write docs/parity.md; needs QUOTH_DATA and an hour
parity: $(FULL)/.made .peers/pipeline/.made
	$(FULL)/bin/python tools/parity.py --reader $(FLOAT)

## tiny          create the tiny readers of the tests again
tiny: $(FULL)/.made
	$(FULL)/bin/python tests/tiny/make.py
	$(FULL)/bin/python tests/tiny/make_known.py

## clean         remove everything that make created
clean:
	rm -rf .venv .venv-* .peers .pytest_cache .mypy_cache .ruff_cache .hypothesis site dist
