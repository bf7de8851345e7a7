#!/bin/sh
A=1 B="two words" first --port 7001 &
nice -n 5 second >/dev/null 2>&1 &
sudo -u nobody third --bind 0.0.0.0:7003 &
wait-for-it.sh localhost:7003 -t 20
fourth && fifth || true
sleep 2
wait -n
