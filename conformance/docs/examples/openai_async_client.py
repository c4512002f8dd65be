"""Use the OpenAI SDK with asyncio, and be told when a refused request was mended and sent again."""

import asyncio

from openai import AsyncOpenAI

from conformance.provider import RequestFilter, async_http_client


async def main() -> None:
    """Stream an answer of a model that no table knows."""
    async with AsyncOpenAI(http_client=async_http_client(RequestFilter(on_repair=print))) as client:
        chunks = await client.chat.completions.create(
            model="house-model-7", messages=[{"role": "user", "content": "hi"}], temperature=0.5, stream=True
        )
        async for chunk in chunks:
            for choice in chunk.choices:
                print(choice.delta.content or "", end="")
        print()


asyncio.run(main())
