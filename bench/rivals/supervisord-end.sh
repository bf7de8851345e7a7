#!/bin/sh
# Event listener of supervisord: stops it when a program has exited. supervisord then exits with 0, whatever the code was.
echo READY
read -r event
kill -TERM "$PPID"
