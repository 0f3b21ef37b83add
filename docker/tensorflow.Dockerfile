# The image of train and predict on CPUs: TensorFlow reads the data and computes.
# What all the images have alike is explained in data.Dockerfile.

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS install
COPY requirements/uv.txt /requirements/uv.txt
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements/uv.txt
COPY requirements/tensorflow.txt /requirements/tensorflow.txt
# TensorFlow's headers are 430 MB for a compiler that is not there.
RUN --mount=type=cache,target=/var/cache/uv \
    python -m venv --without-pip /opt/venv && \
    UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python \
    --require-hashes --build-constraints /requirements/uv.txt --compile-bytecode --requirement /requirements/tensorflow.txt && \
    rm -rf /opt/venv/lib/python3.*/site-packages/tensorflow/include /opt/venv/.lock

FROM ${BASE}
LABEL org.opencontainers.image.title="verdelta-tensorflow" \
      org.opencontainers.image.description="The image of train and predict on CPUs: TensorFlow reads the data and computes." \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/verdelta PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=2
RUN mkdir -m 1777 /gcs /s3 /minio && \
    find /usr \( -path '*/bin/pip*' -o -path '*-packages/pip' -o -path '*-packages/pip-*' -o -name ensurepip -o -name python-wheels \) \
    -prune -exec rm -rf {} +
COPY --from=install /opt/venv /opt/venv
ARG USER=10001:10001
USER ${USER}
COPY components /opt/verdelta/components
