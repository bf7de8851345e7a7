#!/bin/bash
redis-server --port 6379 &
until redis-cli ping; do sleep 0.1; done
while ! nc -z localhost 6379; do sleep 1; done
(cd /srv/api && exec node server.js) &
cd /srv/worker && ./worker --queue default 2>&1 | tee /var/log/worker.log &
timeout 60 bash -c 'until curl -sf http://127.0.0.1:3000/health; do sleep 1; done'
exec "$@"
