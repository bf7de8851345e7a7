#!/bin/bash
export HF_HOME=/models

vllm serve "$MODEL" \
  --served-model-name chat \
  --port 9000 &

until curl -sf localhost:9000/v1/models
do sleep 5; done

export OPENAI_API_BASE_URL=\
http://127.0.0.1:9000/v1
open-webui serve --port 8000 &

wait -n
exit $?
