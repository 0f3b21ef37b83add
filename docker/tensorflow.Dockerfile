# The image of train and predict on CPUs: TensorFlow reads the data and computes.
# `make images` builds it once per stage, from a context that holds just the files that the image's tag is a hash of.

# A plain tag, as a mirror or an air-gapped registry may not know a digest; BASE=python@sha256:... pins it.
ARG BASE=python:3.11-slim-bookworm

# Packages are installed in a stage of their own, so that neither uv nor a cache is in the image.
FROM ${BASE} AS install
COPY requirements/uv.txt /requirements/uv.txt
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements/uv.txt
COPY requirements/tensorflow.txt /requirements/tensorflow.txt
# Bytecode is written now: in a read-only container it never is, and every start would compile its imports anew.
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
# Kubeflow's launcher puts artifacts into these folders; older backends mount no volume there, and the user is not root.
# The base's pip has nothing to install here.
RUN mkdir -m 1777 /gcs /s3 /minio && \
    find /usr \( -path '*/bin/pip*' -o -path '*-packages/pip' -o -path '*-packages/pip-*' -o -name ensurepip -o -name python-wheels \) \
    -prune -exec rm -rf {} +
COPY --from=install /opt/venv /opt/venv
# A number, which is what Kubernetes needs to see that a user is not root. On Vertex AI it is root: see VARIANTS in images.py.
ARG USER=10001:10001
USER ${USER}
# Last, so that a change of code rebuilds this layer alone.
COPY components /opt/verdelta/components
