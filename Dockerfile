# Two images from one file: `app` (API, ingest, worker, scheduler) and `training` (with torch).
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY backend backend
COPY graph graph
COPY migrations migrations
COPY ml ml
COPY workers workers
RUN /opt/venv/bin/pip install --constraint constraints.txt .

FROM build AS build-training
# A wheel folder or a further index with the CPU build of torch saves gigabytes.
ARG PIP_FIND_LINKS=""
ARG PIP_EXTRA_INDEX_URL=""
RUN /opt/venv/bin/pip install --constraint constraints.txt ".[train]"

FROM python:3.11-slim AS runtime
# LightGBM needs the OpenMP library.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /home/shopgraph shopgraph \
    && install --directory --owner shopgraph --group shopgraph \
        /var/lib/shopgraph /var/lib/shopgraph/models /var/lib/shopgraph/metrics
COPY docs/browser /opt/browser
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SHOPGRAPH_HOME=/var/lib/shopgraph \
    SHOPGRAPH_MODEL_STORE=/var/lib/shopgraph/models \
    SHOPGRAPH_BROWSER_FILES=/opt/browser \
    GRANIAN_HOST=0.0.0.0 \
    GRANIAN_PORT=8000 \
    GRANIAN_WORKERS=2 \
    OMP_WAIT_POLICY=PASSIVE \
    PROMETHEUS_MULTIPROC_DIR=/var/lib/shopgraph/metrics
WORKDIR /var/lib/shopgraph
USER shopgraph
VOLUME /var/lib/shopgraph/models
EXPOSE 8000

FROM runtime AS training
COPY --from=build-training /opt/venv /opt/venv

FROM runtime AS app
COPY --from=build /opt/venv /opt/venv
