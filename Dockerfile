# One image for every process; docker-compose.yml says which one a container runs.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/pilothouse
RUN python -m venv /opt/venv
COPY requirements.txt ./
RUN /opt/venv/bin/pip install --quiet -r requirements.txt
COPY pyproject.toml README.md ./
COPY app app
COPY api api
COPY core core
COPY pages pages
# The root is read-only later: what is not compiled here, each process and each check compiles anew.
RUN /opt/venv/bin/pip install --quiet --no-deps --editable . \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash app api core pages

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    PILOTHOUSE_ENV=production \
    PILOTHOUSE_HOME=/data \
    PILOTHOUSE_LOG_DIR=/data/logs
# LightGBM counts on the system's OpenMP; everything else brings its own.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin pilothouse \
    && install -d -o pilothouse -g pilothouse /data
WORKDIR /srv/pilothouse
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/pilothouse ./
COPY config config
COPY ops ops
COPY specs specs
USER 10001
VOLUME ["/data"]
EXPOSE 5000 8000 8501
STOPSIGNAL SIGTERM
ENTRYPOINT ["pilothouse"]
CMD ["serve", "api"]
