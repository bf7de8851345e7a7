#!/bin/bash
# prepares the data folder, then becomes the program of the image
set -e
if [ "$(id -u)" = "0" ]; then
  chown -R app:app /data
fi
if [ -z "$SECRET_KEY" ]; then
  SECRET_KEY=$(head -c 24 /dev/urandom | base64)
  export SECRET_KEY
fi
python manage.py migrate --noinput
python manage.py collectstatic --noinput
exec gosu app gunicorn app.wsgi:application --bind 0.0.0.0:8000 --workers "${WORKERS:-2}"
