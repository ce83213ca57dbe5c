"""S13 for pydantic-ai: requests of which some are under way at once. Prints the CPU time, the first tokens and the peak."""

import asyncio
import json
import resource
import sys
import time

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

url, tokens, at_once, requests, tool = sys.argv[1], *map(int, sys.argv[2:])
agent = Agent(OpenAIChatModel("bench", provider=OpenAIProvider(base_url=url, api_key="none")), instructions="go")
firsts: list[float] = []

if tool:

    @agent.tool_plain
    def lookup(word: str) -> str:
        """Looks a word up"""
        return f"found {word}"


async def one() -> None:
    asked = time.perf_counter()
    first = None
    said: list[str] = []
    async with agent.run_stream("go") as result:
        async for token in result.stream_text(delta=True, debounce_by=None):
            first = first or time.perf_counter()
            said.append(token)
    if said != [f"t{i} " for i in range(tokens)]:
        raise ValueError(f"{len(said)} of {tokens} tokens came, or not in their order")
    firsts.append(1000 * (first - asked))


async def lane(left: list[None]) -> None:
    while left:
        left.pop()
        await one()


async def main() -> None:
    await asyncio.gather(*(one() for _ in range(min(at_once, 20))))
    firsts.clear()
    left = [None] * requests
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(lane(left) for _ in range(min(at_once, requests))))
    facts = {"wall ms": 1000 * (time.perf_counter() - wall)}
    ms = 1000 * (time.process_time() - cpu)
    firsts.sort()
    for name, part in (("p50", 0.5), ("p95", 0.95)):
        facts[f"first token ms, {name}"] = firsts[min(len(firsts) - 1, int(len(firsts) * part))]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": ms, "peak": peak, "facts": facts}))


asyncio.run(main())
