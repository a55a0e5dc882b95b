"""arq: ``arq examples.tasks.arq_worker.Worker``. Jobs are coroutines, on one event loop."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any

from arq.connections import RedisSettings
from arq.worker import Retry

from asyncflask import current_app

from .app import REDIS_URL, app

#: Seconds that a page takes.
PAGE = float(os.environ.get("PAGE_SECONDS", "0.1"))


async def make_report(ctx: dict[str, Any], name: str, pages: int) -> int:
    """A job may be done twice: when its worker is killed, another one begins it again."""
    async with app.app_context():
        publish = current_app.channels.publish
        await publish(f"report:{name}", {"try": ctx["job_try"], "by": os.getpid()})
        if pages == 0:
            if ctx["job_try"] < 3:
                raise Retry(defer=0.1)  # what it needs is not there yet
            await publish(f"report:{name}", {"gave": "up"})
            return 0
        for page in range(1, pages + 1):
            await asyncio.sleep(PAGE)
            await publish(f"report:{name}", {"page": page})
        await publish(f"report:{name}", {"done": pages})
    return pages


async def startup(ctx: dict[str, Any]) -> None:
    """What is there while the application is served is there in the worker, too."""
    ctx["stack"] = stack = AsyncExitStack()
    await stack.enter_async_context(app.lifespan(app))


async def shutdown(ctx: dict[str, Any]) -> None:
    await ctx["stack"].aclose()


class Worker:
    functions = [make_report]
    on_startup = startup
    on_shutdown = shutdown
    redis_settings = RedisSettings.from_dsn(REDIS_URL)
    # A job whose worker has been killed is begun again after so long: longer than any takes.
    job_timeout = float(os.environ.get("JOB_SECONDS", "60"))
    poll_delay = 0.1
