# The gate for any CI that runs containers: Linux, CPU, not root. How to use and extend it: docs/other-ci.md.
# The index of all platforms of this tag; renewed by dependabot.
ARG BASE=python:3.12.14-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254

# What changes seldom: torch and everything else that is not ours, in one virtual environment.
FROM ${BASE} AS dependencies
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY constraints.txt ./
COPY locks locks
RUN python3 -m venv /opt/gate \
 # PyPI's wheel brings two gigabytes of CUDA; the other packages must not come from the index of torch.
 && /opt/gate/bin/pip install --no-deps --constraint constraints.txt --index-url "${TORCH_INDEX}" torch \
 && /opt/gate/bin/pip install --no-deps --require-hashes --requirement locks/measure.txt

# What changes with every commit: our own wheel, a few hundred kilobytes. A release names the published one
# (WHEEL=coreml-gate==1.2.3), so that image and package index hold the same file.
FROM ${BASE} AS wheel
ARG WHEEL=.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --wheel-dir /dist "${WHEEL}"

FROM ${BASE}
LABEL org.opencontainers.image.source=https://github.com/coreml-gate/coreml-gate \
      org.opencontainers.image.licenses=MIT
# Debian keeps no older versions to pin, and a stable release only gets repairs.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --home-dir /tmp gate \
 # A mounted work tree belongs to whoever checked it out; the gate runs that tree's code in any case.
 && git config --system --add safe.directory '*'
COPY --from=dependencies /opt/gate /opt/gate
RUN --mount=type=bind,from=wheel,source=/dist,target=/dist \
    /opt/gate/bin/pip install --no-cache-dir --no-deps --no-index /dist/*.whl
# With `docker run --user` there is no account to take a name and a home from.
ENV PATH=/opt/gate/bin:${PATH} HOME=/tmp USER=gate LOGNAME=gate PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["coreml-gate"]
CMD ["--help"]
