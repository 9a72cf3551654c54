"""What both of OpenAI's APIs share: the client, and the check that it is within reach."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from krins.interfaces import Clock
from krins.models.providers.faults import sdk_boundary
from krins.models.providers.http import http_client
from krins.models.spec import ModelSpec

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_CHECK_SECONDS = 20.0


def open_client(spec: ModelSpec, key: str) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    client = http_client(spec.settings.connect_timeout_seconds)
    return AsyncOpenAI(base_url=spec.base_url, api_key=key, http_client=client, max_retries=0, timeout=client.timeout)


async def check_models(client: AsyncOpenAI, spec: ModelSpec, clock: Clock) -> None:
    """Ask for the list of models, which costs nothing; a server without one passes.

    Raises:
        ModelFault: the server is out of reach, or refuses the key.
    """
    import openai

    with sdk_boundary(spec, clock), suppress(openai.NotFoundError):
        await client.with_options(timeout=_CHECK_SECONDS).models.list()
