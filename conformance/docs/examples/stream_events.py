"""Stream an answer as typed events, over whichever endpoint works for the model."""

import asyncio

from conformance.provider import LiteLLMProvider
from conformance.provider.stream import Done, Error, Start, TextDelta


async def main() -> None:
    """Print each piece of the answer as it comes."""
    async with LiteLLMProvider.from_env() as provider:
        await provider.amodels()  # the list tells what serves each model, and which LiteLLM it is
        messages = [{"role": "user", "content": "hi"}]
        async for event in provider.stream("claude-haiku-4-5", messages, session_id="session-7"):
            match event:
                case Start(endpoint=endpoint, dropped=dropped):
                    print("asked on", endpoint, "without", *dropped)
                case TextDelta(text):
                    print(text)
                case Done(stop_reason=reason) | Error(text=reason):
                    print("ended:", reason)


asyncio.run(main())
