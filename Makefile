# make demo    the whole job on synthetic plants: set up, run, and say where the report is
# make gpu     set up .venv-gpu, whose Python trains and predicts on NVIDIA GPUs
# make ui      compare the runs in MLflow's UI
# make test    set up, lint, check types, test
# make kills   a hundred jobs that are killed at random moments until they are done, in about half an hour; make test does twenty
# make bench   how fast everything is beside the winner's recipe, in a quarter of an hour: writes the table of docs/performance.md
# make accuracy  how accurate it is beside the winner's recipe and beside what is possible: trains on five seeds in half an hour or so
# make images  build the images: [STAGE=serve] [REGISTRY=host/project/repository] [ACCELERATOR=gpu|tpu] [VARIANT=root] [BASE=image] [PUSH=yes]
# make locks   resolve requirements/*.txt anew from pyproject.toml

PYTHON ?= python3
INSTALL = .venv/bin/uv pip install --quiet --require-hashes --build-constraints requirements/uv.txt
# Bytecode is written while installing: the stages are many short processes, and compiling imports anew costs each one seconds.
# Of the environments that only a few processes of the tests use, Python writes what is imported: a fraction of all there is.
BYTECODE = --compile-bytecode
COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
LOCKS = uv ui parity laptop
# Resolved within what the laptop has, so that a stage meets the same packages in its image and on the laptop.
LAPTOP_LOCKS = data tensorflow gpu tpu jax serve dev

.PHONY: demo gpu ui test kills bench accuracy images lint locks clean

demo: .venv/laptop.done
	.venv/bin/python pipeline.py run --sample --preset smoke

gpu: .venv-gpu/done
	@echo "Now: .venv-gpu/bin/python pipeline.py run --raw DIR --preset fast"

ui: .venv/laptop.done .venv-ui/done
	.venv/bin/python pipeline.py ui

test: .venv/dev.done .venv-ui/done .venv-jax/done .venv-parity lint
	.venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 40

kills: .venv/dev.done
	VERDELTA_KILLED_JOBS=100 .venv/bin/python -m pytest tests/launch/backends/local/test_kills.py

bench: .venv/dev.done .venv-parity
	.venv/bin/python -m tests.benchmarks

accuracy: .venv/dev.done
	.venv/bin/python -m tests.benchmarks.accuracy --seconds --folds 1 --set reestimate_batchnorm=false --set huber_days=0 --set head=lstm

images: .venv/laptop.done
	.venv/bin/python -m launch.backends.cluster.build_images $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(ACCELERATOR),--accelerator $(ACCELERATOR)) \
	  $(if $(STAGE),--stage $(STAGE)) $(if $(VARIANT),--variant $(VARIANT)) $(if $(BASE),--base $(BASE)) $(if $(PUSH),--push)

lint: .venv/dev.done
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

locks: .venv/uv.done
	for name in $(LOCKS); do $(COMPILE) --group pyproject.toml:$$name --output-file requirements/$$name.txt || exit 1; done
	for name in $(LAPTOP_LOCKS); do \
	  $(COMPILE) --constraint requirements/laptop.txt --group pyproject.toml:$$name --output-file requirements/$$name.txt || exit 1; \
	done

# uv installs the locks: several times faster than pip, and it makes the oracle's environment from whatever Python fits.
.venv/uv.done: requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and f"verdelta needs Python 3.11, 3.12 or 3.13 (TensorFlow has no wheels for others), and $(PYTHON) is {sys.version.split()[0]}; use make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	touch $@

.venv/laptop.done: requirements/laptop.txt .venv/uv.done
	$(INSTALL) $(BYTECODE) --python .venv/bin/python --requirement requirements/laptop.txt
	touch $@

.venv/dev.done: requirements/dev.txt .venv/uv.done
	$(INSTALL) $(BYTECODE) --python .venv/bin/python --requirement requirements/dev.txt
	touch $@ .venv/laptop.done

# The winner's own libraries, which stop at Python 3.11. Where none is to be had the parity tests say that they were skipped.
.venv-parity: requirements/parity.txt .venv/uv.done
	rm -rf $@ $@.part
	if .venv/bin/uv venv --quiet --python 3.11 $@.part; then \
	  $(INSTALL) --python $@.part/bin/python --requirement requirements/parity.txt && mv $@.part $@; \
	else \
	  echo "No Python 3.11 found or fetched: the tests against tensorflow-addons will be skipped."; \
	fi

# What the laptop has, and JAX with CUDA: where it is installed, `run` computes with it.
.venv-gpu/done: requirements/laptop.txt requirements/gpu.txt .venv/uv.done
	.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-gpu
	$(INSTALL) $(BYTECODE) --python .venv-gpu/bin/python --requirement requirements/laptop.txt --requirement requirements/gpu.txt
	touch $@

# MLflow's server alone: see its group in pyproject.toml.
.venv-ui/done: requirements/ui.txt .venv/uv.done
	.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-ui
	$(INSTALL) $(BYTECODE) --python .venv-ui/bin/python --requirement requirements/ui.txt
	touch $@

# JAX beside TensorFlow, as in the images for GPUs and TPUs; apart, as Keras would import it in every stage.
.venv-jax/done: requirements/jax.txt .venv/uv.done
	.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-jax
	$(INSTALL) --python .venv-jax/bin/python --requirement requirements/jax.txt
	touch $@

clean:
	rm -rf .venv .venv-gpu .venv-ui .venv-jax .venv-parity .venv-parity.part runs
