# The image of the server: OpenVINO computes, FastAPI answers. Neither TensorFlow nor Keras is in it.
# What all the images have alike is explained in data.Dockerfile.

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS install
COPY requirements/uv.txt /requirements/uv.txt
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements/uv.txt
COPY requirements/serve.txt /requirements/serve.txt
# Of OpenVINO stays what computes on a CPU: other devices' plugins, headers and readers of other formats are 80 MB, and one
# package counts its users on a server.
RUN --mount=type=cache,target=/var/cache/uv \
    python -m venv --without-pip /opt/venv && \
    UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python \
    --require-hashes --build-constraints /requirements/uv.txt --compile-bytecode --requirement /requirements/serve.txt && \
    cd /opt/venv/lib/python3.*/site-packages/openvino && rm -rf include libs/*_gpu_plugin.so libs/*_npu_*.so libs/cache.json \
    libs/*_frontend.so* ../openvino_telemetry* && rm -f /opt/venv/.lock

FROM ${BASE}
LABEL org.opencontainers.image.title="verdelta-serve" \
      org.opencontainers.image.description="Answers how many days lie between two photos of a plant: a page, KServe's and Vertex AI's protocols." \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/verdelta PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN find /usr \( -path '*/bin/pip*' -o -path '*-packages/pip' -o -path '*-packages/pip-*' -o -name ensurepip -o -name python-wheels \) \
    -prune -exec rm -rf {} +
COPY --from=install /opt/venv /opt/venv
ARG USER=10001:10001
USER ${USER}
COPY components /opt/verdelta/components
EXPOSE 8080
CMD ["python", "-m", "components.serve"]
