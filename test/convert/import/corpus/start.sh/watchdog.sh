#!/bin/bash
log() { echo "[$(date)] $*"; }
serve() {
  local port=$1
  log "serving on $port"
  exec python -m http.server "$port"
}
serve 8001 &
serve 8002 &
( while true; do sleep 30; curl -sf http://localhost:8001/ || kill $$; done ) &
case "$MODE" in
  debug) tail -f /var/log/debug.log & ;;
esac
[ -f /etc/default/app ] && . /etc/default/app
nginx
wait -n
kill $(jobs -p)
exit 1
