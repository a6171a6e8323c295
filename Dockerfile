# hubsync in a container: not root, a root file system that may be read-only, and one volume, /data. It is the folder that
# `hubsync init` makes: .env, rules/ and the database stand in it. scripts/deploy/README.md says how to run it.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE .env.example ./
COPY rules rules
COPY hubsync hubsync
RUN python -m venv /opt/hubsync \
    && /opt/hubsync/bin/pip install --constraint constraints.txt ".[postgres]"

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 hubsync \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin hubsync \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/hubsync /opt/hubsync
ENV PATH=/opt/hubsync/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HUBSYNC_LOG_FORMAT=json
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["hubsync"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
