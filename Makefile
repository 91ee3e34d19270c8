# make serve, make test: each sets itself up on a machine with Python >= 3.11 (with venv) and make.
PYTHON ?= python3
BIND ?= 127.0.0.1:8080
BIN := .venv/bin
READY := .venv/.ready

.PHONY: serve test check lint types compile-check validate bench lock oracle review preview mutation browser examples fuzz load interop bench-validate

serve: $(READY)
	@echo "Pages:     http://$(BIND)/guidance"
	@echo "Discovery: http://$(BIND)/cds-services"
	@echo "Try:       curl -s -H 'Content-Type: application/json' --data @examples/mmn-prednisone.json http://$(BIND)/cds-services/ivig-order-sign"
	@IVIG_FHIR_PUBLIC_URL=$${IVIG_FHIR_PUBLIC_URL:-http://$(BIND)} $(BIN)/gunicorn server:app --preload \
	  --worker-class ivig_fhir.service.worker.Worker --workers 2 --threads 4 --timeout 15 --graceful-timeout 10 --keep-alive 5 --no-control-socket --bind $(BIND)

test: $(READY)
	$(BIN)/python -m pytest

check: lint types compile-check validate test

lint: $(READY)
	$(BIN)/ruff check src tests server.py tools benchmarks
	$(BIN)/ruff format --check src tests server.py tools benchmarks

types: $(READY)
	$(BIN)/mypy

compile-check: $(READY)
	$(BIN)/ivig-fhir compile --check

validate: $(READY)
	$(BIN)/ivig-fhir validate definitions

# CPU time per request against a bare Flask floor; some minutes, --quick in BENCH_OPTIONS.
bench: $(READY)
	$(BIN)/python benchmarks/service.py $(BENCH_OPTIONS)
	$(BIN)/python benchmarks/service.py $(BENCH_OPTIONS) --auth ES384
	$(BIN)/python benchmarks/service.py $(BENCH_OPTIONS) --auth RS384
	$(BIN)/python benchmarks/pages.py

# ivig-fhir validate beside HL7's validator on the same files, and the corpus; Java 17, Maven, npm; ten minutes.
bench-validate: $(READY)
	$(BIN)/python benchmarks/validate.py

# The programs of others: HL7's and HAPI's validators over definitions/, a HAPI server that holds it. Java 17, Maven,
# npm, 3 GB in .interop; ten minutes. What cannot be had is named, and the step exits 3.
interop: $(READY)
	$(BIN)/python tools/interop/run.py

# What fhirpath.js says of every published condition over every case; needs node and npm.
oracle: $(READY)
	cd tools/oracle && npm install --no-fund --no-audit --silent
	$(BIN)/python tools/oracle/ask.py

# The generated pages: docs/recommendations.md, docs/specimens.md, docs/integration/build-sheet.md.
review: $(READY)
	$(BIN)/python tools/review.py

# Compile, then what changed: resources, and cards of the topic's cases. make preview TOPIC=gbs
preview: $(READY)
	$(BIN)/python tools/preview.py $(TOPIC)

# Change the content in one place at a time: does a case notice? Some minutes; survivors are listed with their reasons.
mutation: $(READY)
	$(BIN)/python tools/mutation.py

# The pages in a real browser: accessibility, console, print; needs npm, and Chromium for playwright.
browser: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[browser]'
	cd tests/browser && npm install --no-package-lock --no-fund --no-audit --silent
	$(BIN)/python -m pytest tests/browser/pages_in_chromium.py

# A minute of load on the server of make serve: errors, latency, growth of memory.
load: $(READY)
	$(BIN)/python benchmarks/load.py

# What clients may send, at length: schemathesis and hypothesis against a running server; some minutes.
fuzz: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,fuzz]'
	$(BIN)/python tools/fuzz.py $(ROUNDS)

# The patients that /try offers, out of the cases.
examples: $(READY)
	$(BIN)/python tools/examples.py

lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --editable '.[dev]'
	.venv-lock/bin/pip freeze --exclude-editable | LC_ALL=C sort > constraints.txt
	rm -rf .venv-lock

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=/path/to/python3 make …)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "This Python makes no virtual environments; on Debian: apt install python3-venv"; exit 2; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)
