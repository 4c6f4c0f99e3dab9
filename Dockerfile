# irene on CPUs:  docker build --tag irene .
# irene on CUDA:  docker build --tag irene:cuda --build-arg WHEELS=https://download.pytorch.org/whl/cu128 .
# To use either:  docker run --rm --network none --user "$(id -u)" --volume "$PWD:/work" irene audit model.pt ...
FROM python:3.12-slim

ARG WHEELS=https://download.pytorch.org/whl/cpu
ARG EXTRAS=audio,onnx,sign,text,timm,video
ENV PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --create-home --uid 1000 irene

WORKDIR /opt/irene
COPY constraints constraints
RUN python -m pip install torch torchvision --index-url "$WHEELS" --constraint constraints/cpu.txt
COPY pyproject.toml README.md LICENSE ./
COPY audit audit
COPY sanitizer sanitizer
COPY reports reports
COPY irene irene
RUN python -m pip install ".[$EXTRAS]" --constraint constraints/cpu.txt

USER 1000
WORKDIR /work
ENTRYPOINT ["irene"]
CMD ["--help"]
