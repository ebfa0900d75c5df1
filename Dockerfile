# syntax=docker/dockerfile:1
# Tandem's web UI on port 7860. The builder stage makes a virtual environment, which the final stage copies.
#
#   docker build -t tandem .                          for CPUs
#   docker build --build-arg TORCH=cu130 -t tandem .  for NVIDIA GPUs (a name under download.pytorch.org/whl)
#   docker run -p 127.0.0.1:7860:7860 -v tandem:/data tandem
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS builder
ARG TORCH=cpu
WORKDIR /build
COPY requirements.txt ./
RUN python -m venv /opt/venv
# First and by itself, because this index has only torch and what torch requires.
RUN /opt/venv/bin/pip install --no-cache-dir --index-url https://download.pytorch.org/whl/${TORCH} \
    "$(grep '^torch==' requirements.txt)"
RUN /opt/venv/bin/pip install --no-cache-dir -r requirements.txt

FROM python:${PYTHON}-slim
RUN useradd --uid 10001 --create-home tandem && mkdir /data && chown tandem:tandem /data
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY LICENSE app.py pyproject.toml ./
COPY models models
COPY prompts prompts
COPY adapters adapters
COPY playground playground
# The user cannot write in /app, so that Python would compile every module again at each start.
RUN /opt/venv/bin/python -m compileall -q playground
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/data/huggingface \
    TANDEM_DATA_DIR=/data \
    TANDEM_HOST=0.0.0.0 \
    TANDEM_NO_BROWSER=1 \
    TANDEM_PORT=7860
USER tandem
VOLUME /data
EXPOSE 7860
# Unhealthy until the model is loaded; failures within the start period do not count.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15m \
    CMD ["python", "-c", "import os, urllib.request as r; print(r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['TANDEM_PORT'] + '/healthz', timeout=4).read().decode())"]
CMD ["python", "app.py"]
