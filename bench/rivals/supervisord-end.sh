#!/bin/sh
# Event listener of supervisord: ends it when a program has ended. supervisord then exits with 0, whatever the code was.
echo READY
read -r event
kill -TERM "$PPID"
