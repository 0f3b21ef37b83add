# The image of train and predict on TPUs: JAX with libtpu computes, TensorFlow for CPUs reads the data.
# What all the images have alike is explained in data.Dockerfile, TensorFlow's headers in tensorflow.Dockerfile.
# Cloud TPU's own TensorFlow runtimes end at 2.18, so JAX is the way to a TPU; libtpu comes as a wheel from the lock.
# JAX_PLATFORMS has JAX fail where there is no TPU.

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS install
COPY requirements/uv.txt /requirements/uv.txt
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements/uv.txt
COPY requirements/tpu.txt /requirements/tpu.txt
RUN --mount=type=cache,target=/var/cache/uv \
    python -m venv --without-pip /opt/venv && \
    UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python \
    --require-hashes --build-constraints /requirements/uv.txt --compile-bytecode --requirement /requirements/tpu.txt && \
    rm -rf /opt/venv/lib/python3.*/site-packages/tensorflow/include /opt/venv/.lock

FROM ${BASE}
LABEL org.opencontainers.image.title="verdelta-tpu" \
      org.opencontainers.image.description="The image of train and predict on TPUs: JAX with libtpu computes, TensorFlow for CPUs reads the data." \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/verdelta PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    KERAS_BACKEND=jax TF_CPP_MIN_LOG_LEVEL=2 JAX_PLATFORMS=tpu,cpu
RUN mkdir -m 1777 /gcs /s3 /minio && \
    find /usr \( -path '*/bin/pip*' -o -path '*-packages/pip' -o -path '*-packages/pip-*' -o -name ensurepip -o -name python-wheels \) \
    -prune -exec rm -rf {} +
COPY --from=install /opt/venv /opt/venv
ARG USER=10001:10001
USER ${USER}
COPY components /opt/verdelta/components
