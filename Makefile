# make demo: the whole job on samples/, here and now. make test: style, types and tests. make bench: how fast the steps are.
# Each sets itself up in .venv.
.PHONY: demo test test-quick test-fuzz test-gpu coverage check format bench clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
# TORCH=cpu: torch without the CUDA libraries, from the index that PIP_EXTRA_INDEX_URL names (pip's own variable)
TORCH ?= default
ifeq ($(TORCH),cpu)
CPU_TORCH = $(PIP) --only-binary :all: "torch==$(call pinned,torch)+cpu" "torchvision==$(call pinned,torchvision)+cpu"
endif
pinned = $(shell sed -n 's/^$(1)==\([^+ ;]*\).*/\1/p' constraints.txt)

# Installing again is needed only when a list of packages changes
$(VENV)/ready-demo: requirements.txt requirements-demo.txt requirements-weights.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "error: $(PYTHON) is older than Python 3.10; run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "error: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 2; }
	@echo "Installing packages into $(VENV) (torch is large; some minutes) ..."
	@if [ "$(TORCH)" = cpu ] && [ -z "$$PIP_EXTRA_INDEX_URL$$PIP_INDEX_URL$$PIP_FIND_LINKS" ]; then \
	  echo "error: TORCH=cpu needs the index of torch's CPU builds in PIP_EXTRA_INDEX_URL; see README.md"; exit 2; fi
	@$(CPU_TORCH)
	@$(PIP) -r requirements.txt -r requirements-demo.txt
	@# only files are read of these packages, so that what they depend on (jax, flax) is not needed
	@$(PIP) --no-deps -r requirements-weights.txt
	@# pyiqa brings two builds of OpenCV into one folder; only the headless one imports where no libGL is installed
	@$(PIP) --force-reinstall --no-deps opencv-python-headless
	@touch $@

$(VENV)/ready-test: $(VENV)/ready-demo requirements-test.txt
	@$(PIP) -r requirements-test.txt
	@touch $@

DEMO := demo
RUN := $(BIN)/python
FROM := --ground_truth samples/GT

# The three steps with the baselines, whose weights come inside packages, and picture codecs to compare with: no GPU, no
# network, no download.
# passive: threads that wait would otherwise spin, at the cost of whatever else runs on the machine
demo: export OMP_WAIT_POLICY := passive
demo: $(VENV)/ready-demo
	$(RUN) script-i2t.py $(FROM) --output_path $(DEMO)/Text --model_name tags --references --ref_dir $(DEMO)/Ref
	$(RUN) script-t2i.py $(FROM) --ref_dir $(DEMO)/Ref --output_path $(DEMO)/Result \
	  --input_path $(DEMO)/Text/tags.csv --mode all --model_name reference
	$(RUN) script-t2i.py $(FROM) --ref_dir $(DEMO)/Ref --output_path $(DEMO)/Result \
	  --input_path $(DEMO)/Text/tags.csv --mode all --model_name realesrgan
	$(RUN) -m cmcbench codec vvc hevc av1 --bpp 0.02 0.05 0.1 $(FROM) --output_path $(DEMO)/Result
	$(RUN) -m cmcbench codec jpeg --bpp 0.05 0.1 0.2 $(FROM) --output_path $(DEMO)/Result
	$(RUN) script-evaluate.py --results $(DEMO)/Result --target all --gt_path samples/GT --metrics ms_ssim,lpips,piqe
	$(RUN) -m cmcbench curves --results $(DEMO)/Result
	@$(RUN) tools/side_by_side.py --output $(DEMO)/pictures.png --width 220 \
	  --images NSI_pgc_000,NSI_pgc_002,NSI_ugc_001,SCI_game_000,SCI_screen_002 "ground truth=samples/GT" \
	  "Ref/pixel=$(DEMO)/Ref/pixel" "Ref/image=$(DEMO)/Ref/image" "realesrgan=$(DEMO)/Result/realesrgan+tags/image"
	@echo; cat $(DEMO)/Result/leaderboard.md
	@echo "side by side:    $(DEMO)/pictures.png"
	@echo "curves:          $(DEMO)/Result/curves/"
	@echo "Open this page:  file://$(CURDIR)/$(DEMO)/Result/report/index.html"

# Style and types; the configuration of both is in pyproject.toml
check: $(VENV)/ready-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(VENV)/ready-test
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The same with the lines that no test reaches; slower by a third
coverage: $(VENV)/ready-test
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov=cmcbench --cov=models \
	  --cov-report=term-missing:skip-covered --cov-fail-under=90

# The tests that need no large library, for a developer's loop
QUICK := tests/test_house.py tests/test_protocol.py tests/test_statistics.py tests/files tests/bitstream tests/doctor tests/encode
test-quick: $(VENV)/ready-test
	$(BIN)/python -m pytest -n 2 --dist worksteal $(QUICK)

test-fuzz: $(VENV)/ready-test
	CMCBENCH_FUZZ=3000 $(BIN)/python -m pytest -n 2 --dist worksteal -k "mutat"

# What only a GPU can show; skipped, and said so, where there is none
test-gpu: $(VENV)/ready-test
	$(BIN)/python -m pytest -rs tests/gpu

bench: $(VENV)/ready-test
	$(BIN)/python benchmarks/score.py
	$(BIN)/python benchmarks/decode.py
	$(BIN)/python benchmarks/encode.py
	$(BIN)/python benchmarks/waits.py
	$(BIN)/python benchmarks/growth.py --images 100 1000 --targets 2 10

clean:
	rm -rf $(DEMO) $(VENV)
