"""S1 for the Python original: so many calls of an agent that replies with one token. Prints the milliseconds as JSON."""

import json
import sys
import time

from miniagents import InteractionContext, MiniAgents, miniagent


@miniagent
async def one(ctx: InteractionContext) -> None:
    ctx.reply("t0 ")


async def calls(count: int) -> None:
    for _ in range(count):
        replies = [str(await promise) async for promise in one.trigger()]
        if replies != ["t0 "]:
            raise ValueError(f"replied {replies}")


async def main() -> None:
    count = int(sys.argv[1])
    await calls(min(count, 100))
    start = time.perf_counter()
    await calls(count)
    print(json.dumps({"ms": 1000 * (time.perf_counter() - start)}))


MiniAgents().run(main())
