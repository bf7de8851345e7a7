"""Says how long a number of seconds is. Only the environment of this application has this version of humanize."""

from datetime import timedelta

import humanize
from ray import serve
from starlette.requests import Request


# A tenth of a processor, so that both applications fit on a machine with one.
@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Times:
    async def __call__(self, request: Request) -> dict:
        seconds = int(request.query_params.get("seconds", "0"))
        return {"text": humanize.precisedelta(timedelta(seconds=seconds)), "humanize": humanize.__version__}


app = Times.bind()
