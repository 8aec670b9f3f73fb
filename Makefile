# Two commands for a fresh machine: `make demo` and `make test`. Each sets up .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# A folder with train.json and val.json (COCO) and images/, for `make models`; one of close-ups with catalogue.csv and
# images/; and where the runs are kept.
PHOTOS ?=
# Photos of named insects (catalogue.csv, images/), photos of leaves (annotations.json, images/) to measure on, and a
# network that names species (load.py).
NAMED ?=
LEAVES ?=
TEACHER ?=
RUNS ?= runs
# Training frees and takes the same large blocks again and again; glibc need not give them back each time.
KEEP_MEMORY := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=200000000

.PHONY: help demo test lint types models measure clean

help:
	@echo "make demo   set up $(VENV) and find insects on the sample photos"
	@echo "make test   set up $(VENV), lint, type check and run every test"
	@echo "make models PHOTOS=DIR NAMED=DIR TEACHER=DIR   train both embedded models, measure them, write their cards (hours)"
	@echo "make measure PHOTOS=DIR  measure all models that are here: docs/benchmark.md, docs/model-card.md"
	@echo "make clean  remove $(VENV) and results/"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[test]"
	@touch $(READY)

demo: $(READY)
	$(BIN)/agri-clip detect data/samples --prompts data/prompts/greenhouse.yaml --out results/demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

test: lint types
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

# Each step goes on where a killed run was; only finished models replace those in the package.
models: $(READY)
	@test -f "$(PHOTOS)/train.json" -a -f "$(NAMED)/catalogue.csv" -a -f "$(TEACHER)/load.py" || { \
		echo "make models PHOTOS=DIR NAMED=DIR TEACHER=DIR: PHOTOS holds train.json, val.json (COCO) and images/, NAMED catalogue.csv and images/, TEACHER load.py"; exit 2; }
	$(KEEP_MEMORY) $(BIN)/python -m fine_tune.detector --out $(RUNS)/first --photos "$(PHOTOS)"
	mkdir -p $(RUNS)/insect-yolo && ln -sfn ../first/photos $(RUNS)/insect-yolo/photos
	$(KEEP_MEMORY) $(BIN)/python -m fine_tune.detector --out $(RUNS)/insect-yolo --photos "$(PHOTOS)" \
		--start $(RUNS)/first/left-out --steps 3000
	$(KEEP_MEMORY) $(BIN)/python -m fine_tune.detector --out $(RUNS)/scales --photos "$(PHOTOS)" --named "$(NAMED)" \
		--start $(RUNS)/insect-yolo/model --rendered 200 --steps 1000 --rate 0.001
	$(KEEP_MEMORY) $(BIN)/python -m fine_tune.detector --out $(RUNS)/leaves --photos "$(PHOTOS)" --named "$(NAMED)" \
		--start $(RUNS)/scales/model --rendered 150 --steps 1900 --rate 0.0012 --seed 1
	$(KEEP_MEMORY) $(BIN)/python -m fine_tune.detector --out $(RUNS)/gardens --photos "$(PHOTOS)" --named "$(NAMED)" \
		--start $(RUNS)/leaves/model --rendered 120 --steps 1200 --rate 0.001 --seed 2
	$(BIN)/python -m fine_tune.detector.calibration $(RUNS)/gardens/model --photos "$(PHOTOS)" --named "$(NAMED)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[train]"
	$(KEEP_MEMORY) $(BIN)/python -m fine_tune.encoder.pretrain --out $(RUNS)/builtin --photos "$(PHOTOS)" \
		--named "$(NAMED)" --teacher "$(TEACHER)"
	rm -rf agri_clip/regions/weights/insect-yolo agri_clip/models/builtin
	cp -R $(RUNS)/gardens/model agri_clip/regions/weights/insect-yolo
	cp -R $(RUNS)/builtin/model agri_clip/models/builtin
	$(BIN)/python -m fine_tune.thresholds --proposer insect-yolo --encoder builtin --photos "$(PHOTOS)"
	$(BIN)/python -m fine_tune.identify_calibration --photos "$(NAMED)" --split dev
	$(MAKE) measure LEFT_OUT="--left-out $(RUNS)/insect-yolo/left-out --left-out-kinds blue --left-out-kinds 'pan water' --left-out-kinds leaf"

measure: $(READY)
	@test -f "$(PHOTOS)/val.json" || { echo "make measure PHOTOS=DIR: DIR holds train.json, val.json (COCO) and images/"; exit 2; }
	mkdir -p $(RUNS)
	$(BIN)/python benchmarks/models.py --photos "$(PHOTOS)" $(if $(NAMED),--named "$(NAMED)") \
		$(if $(LEAVES),--leaves "$(LEAVES)") --speed --out docs/benchmark.md --json $(RUNS)/figures.json $(LEFT_OUT)
	$(BIN)/python -m fine_tune.model_cards --figures $(RUNS)/figures.json

clean:
	rm -rf $(VENV) results
