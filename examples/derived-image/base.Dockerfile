# The base image: docker build -f examples/derived-image/base.Dockerfile -t page-base .
FROM debian:trixie-slim

COPY --from=ghcr.io/OWNER/svc-super:0.2 / /
COPY examples/derived-image/services.yaml /etc/svc-super/services.yaml
RUN svc-super check --build
HEALTHCHECK CMD ["svc-super", "health"]
ENTRYPOINT ["svc-super"]
