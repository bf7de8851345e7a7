# The derived image: docker build -f examples/derived-image/derived.Dockerfile -t page-with-api .
FROM page-base

COPY examples/derived-image/api.yaml /etc/svc-super/conf.d/
# Checks both files together.
RUN svc-super check --build
