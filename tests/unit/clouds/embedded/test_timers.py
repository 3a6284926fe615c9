"""Timers on the loop that the embedded cloud runs on: 10.4 ms are what uvloop would round down."""

import asyncio
import time

import uvloop

from rallyflow.clouds.embedded.timers import call_at, wait_until

DELAY = 0.0104


def test_a_wait_is_never_too_short():
    async def late() -> float:
        moment = time.monotonic() + DELAY
        await wait_until(moment)
        return time.monotonic() - moment

    assert all(uvloop.run(late()) >= 0 for _ in range(10))


def test_a_call_never_comes_too_early():
    async def late() -> float:
        loop = asyncio.get_running_loop()
        came = loop.create_future()
        moment = time.monotonic() + DELAY
        call_at(loop.call_later, moment, lambda sent: came.set_result((sent, time.monotonic())), "word")
        word, now = await came
        assert word == "word"
        return now - moment

    assert all(uvloop.run(late()) >= 0 for _ in range(10))


def test_a_call_for_a_moment_that_has_passed_comes_when_the_caller_has_gone_on():
    async def order() -> list[str]:
        loop, called, words = asyncio.get_running_loop(), asyncio.Event(), []
        call_at(loop.call_later, time.monotonic() - 1, lambda: (words.append("called"), called.set()))
        words.append("returned")
        await called.wait()
        return words

    assert uvloop.run(order()) == ["returned", "called"]
