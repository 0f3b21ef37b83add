# The image of train and predict on GPUs: JAX with CUDA computes, TensorFlow for CPUs reads the data.
# What all the images have alike is explained in data.Dockerfile, TensorFlow's headers in tensorflow.Dockerfile.
# CUDA's libraries come as wheels from the lock, so the base needs none; the node brings the driver, 525 or later for CUDA 12. GKE
# and Vertex AI mount it at /usr/local/nvidia, where nothing is looked for unless LD_LIBRARY_PATH says so; without it JAX would
# compute on the CPU, which JAX_PLATFORMS and components/network/devices.py refuse.

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS install
COPY requirements/uv.txt /requirements/uv.txt
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements/uv.txt
COPY requirements/gpu.txt /requirements/gpu.txt
RUN --mount=type=cache,target=/var/cache/uv \
    python -m venv --without-pip /opt/venv && \
    UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python \
    --require-hashes --build-constraints /requirements/uv.txt --compile-bytecode --requirement /requirements/gpu.txt && \
    rm -rf /opt/venv/lib/python3.*/site-packages/tensorflow/include /opt/venv/.lock

FROM ${BASE}
LABEL org.opencontainers.image.title="verdelta-gpu" \
      org.opencontainers.image.description="The image of train and predict on GPUs: JAX with CUDA computes, TensorFlow for CPUs reads the data." \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/verdelta PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    KERAS_BACKEND=jax TF_CPP_MIN_LOG_LEVEL=2 JAX_PLATFORMS=cuda,cpu \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/local/nvidia/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
RUN mkdir -m 1777 /gcs /s3 /minio && \
    find /usr \( -path '*/bin/pip*' -o -path '*-packages/pip' -o -path '*-packages/pip-*' -o -name ensurepip -o -name python-wheels \) \
    -prune -exec rm -rf {} +
COPY --from=install /opt/venv /opt/venv
ARG USER=10001:10001
USER ${USER}
COPY components /opt/verdelta/components
