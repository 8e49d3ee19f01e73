# For machines with NVIDIA GPUs: torch's own wheels bring the CUDA libraries, the driver comes from the host
# (docker run --gpus all). It takes the tested set of packages from constraints.txt.
#
#   docker build -t cmcbench .
#   docker run --gpus all --shm-size 8g -v "$PWD:/data" cmcbench decode --mode full
#
# This file was not built by the project's own tests: they have no Docker.
FROM python:3.11-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends git libglib2.0-0 libgomp1 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/cmcbench
COPY requirements.txt constraints.txt ./
# pyiqa brings two builds of OpenCV into one folder; only the headless one imports where no libGL is installed
RUN pip install --no-cache-dir -r requirements.txt -c constraints.txt \
 && pip install --no-cache-dir --force-reinstall --no-deps -c constraints.txt opencv-python-headless
COPY pyproject.toml README.md ./
COPY cmcbench cmcbench
COPY models models
RUN pip install --no-cache-dir --no-deps .
# GT, Ref, Text, Weight and Result are folders of the working directory
WORKDIR /data
ENTRYPOINT ["cmcbench"]
CMD ["--help"]
