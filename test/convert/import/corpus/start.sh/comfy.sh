#!/bin/sh
umask 022
ulimit -n 65536
. /opt/venv/bin/activate
DATA_DIR=/workspace
VERSION=$(cat /version)
export VERSION

cd "$DATA_DIR/ComfyUI"
cat > extra_model_paths.yaml <<EOF
comfy:
  base_path: $DATA_DIR/models
EOF

python main.py --listen 0.0.0.0 --port 8188 &
sleep 5
if [ "$ENABLE_FILES" = "true" ]; then
  filebrowser -r "$DATA_DIR" -p 8080 &
fi
while true; do
  python /sync.py --once
  sleep 30
done &
wait
