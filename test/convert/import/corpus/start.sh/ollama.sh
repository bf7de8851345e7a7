#!/usr/bin/env bash
set -euo pipefail

export OLLAMA_HOST=0.0.0.0:11434
export OLLAMA_MODELS="${OLLAMA_MODELS:-/models}"
MODEL=${MODEL:-llama3.2}
mkdir -p "$OLLAMA_MODELS"

ollama serve > /var/log/ollama.log 2>&1 &
OLLAMA_PID=$!

echo "waiting for ollama"
for i in $(seq 1 60); do
  if curl -s http://localhost:11434/api/tags > /dev/null; then
    break
  fi
  sleep 1
done

ollama pull "$MODEL"

cd /app
python web/main.py --port 8080 &
WEB_PID=$!

trap 'kill $OLLAMA_PID $WEB_PID' TERM INT
wait -n $OLLAMA_PID $WEB_PID
exit 0
