"""Says how large a number of bytes is. Only the environment of this application has this version of humanize."""

import humanize
from ray import serve
from starlette.requests import Request


# A tenth of a processor, so that both applications fit on a machine with one.
@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Sizes:
    async def __call__(self, request: Request) -> dict:
        size = int(request.query_params.get("bytes", "0"))
        return {"text": humanize.naturalsize(size), "humanize": humanize.__version__}


app = Sizes.bind()
