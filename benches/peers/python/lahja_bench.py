"""One process of the benchmark, with the lahja of Python: its producer, or one of its consumers.

    lahja_bench.py asyncio|trio SHAPE COUNT PAYLOAD CONSUMERS AT_ONCE PER_SECOND DIRECTORY [INDEX]

SHAPE is "there" or "there-and-back". It says "ready" on its standard output when it is connected. The
producer, which is the one without INDEX, begins when "go" comes on its standard input. Both print what
they have measured as a line of JSON, and end when their standard input does.
"""

import json
import os
from pathlib import Path
import sys
import threading
import time

from lahja import (
    AsyncioEndpoint,
    BaseEvent,
    BaseRequestResponseEvent,
    ConnectionConfig,
    TrioEndpoint,
)


class Event(BaseEvent):
    def __init__(self, seq, sent_ns, payload):
        self.seq = seq
        self.sent_ns = sent_ns
        self.payload = payload


class Answer(Event):
    pass


class Question(BaseRequestResponseEvent[Answer]):
    def __init__(self, seq, sent_ns, payload):
        self.seq = seq
        self.sent_ns = sent_ns
        self.payload = payload

    @staticmethod
    def expected_response_type():
        return Answer


class Asyncio:
    Endpoint = AsyncioEndpoint

    def __init__(self):
        import asyncio

        self.run = lambda work, *args: asyncio.run(work(*args))
        self.sleep = asyncio.sleep
        self.in_thread = lambda call: asyncio.get_running_loop().run_in_executor(None, call)
        self.together = lambda works: asyncio.gather(*(work() for work in works))


class Trio:
    Endpoint = TrioEndpoint

    def __init__(self):
        import trio

        async def together(works):
            async with trio.open_nursery() as nursery:
                for work in works:
                    nursery.start_soon(work)

        self.run = trio.run
        self.sleep = trio.sleep
        self.in_thread = trio.to_thread.run_sync
        self.together = together


class Case:
    def __init__(self, shape, count, payload, consumers, at_once, per_second, directory):
        self.kind = {"there": Event, "there-and-back": Question}[shape]
        self.count = int(count)
        self.payload = int(payload)
        self.names = [f"consumer-{index}" for index in range(int(consumers))]
        self.at_once = int(at_once)
        self.per_second = int(per_second)
        self.directory = Path(directory)

    def config(self, name):
        return ConnectionConfig(name, self.directory / f"{name}.ipc")

    def event(self, seq):
        return self.kind(seq, time.monotonic_ns(), bytes(self.payload))


def say(what):
    print(what, flush=True)


async def produce(backend, case, go, end):
    async with backend.Endpoint.serve(case.config("producer")) as endpoint:
        say("ready")
        await backend.in_thread(go.wait)
        for name in case.names:
            await endpoint.wait_until_connected_to(name)
            await endpoint.wait_until_endpoint_subscribed_to(name, case.kind)
        latencies = []
        cpu_ns = time.process_time_ns()
        start_ns = time.monotonic_ns()
        if case.kind is Question:
            await ask(backend, case, endpoint, latencies)
        else:
            await tell(backend, case, endpoint, start_ns)
        end_ns = time.monotonic_ns()
        say(json.dumps({
            "start_ns": start_ns,
            "end_ns": end_ns,
            "cpu_ns": time.process_time_ns() - cpu_ns,
            "latencies_ns": latencies if case.at_once == 1 else [],
        }))
        await backend.in_thread(end.wait)


async def tell(backend, case, endpoint, start_ns):
    for seq in range(case.count):
        if case.per_second:
            due_ns = start_ns + seq * 1_000_000_000 // case.per_second
            await backend.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        await endpoint.broadcast(case.event(seq))


async def ask(backend, case, endpoint, latencies):
    seqs = iter(range(case.count))

    async def asker():
        for seq in seqs:
            start_ns = time.monotonic_ns()
            answer = await endpoint.request(case.event(seq))
            assert answer.seq == seq
            latencies.append(time.monotonic_ns() - start_ns)

    await backend.together([asker] * case.at_once)


async def consume(backend, case, index, end):
    name = case.names[index]
    latencies = []
    received = 0
    async with backend.Endpoint.serve(case.config(name)) as endpoint:
        await endpoint.connect_to_endpoints(case.config("producer"))
        say("ready")
        async for event in endpoint.stream(case.kind, num_events=case.count):
            assert event.seq == received, "an event is lost, or came twice, or out of order"
            assert len(event.payload) == case.payload
            if case.per_second:
                latencies.append(time.monotonic_ns() - event.sent_ns)
            if received == 0:
                cpu_ns = time.process_time_ns()
            received += 1
            if case.kind is Question:
                answer = Answer(event.seq, event.sent_ns, event.payload)
                await endpoint.broadcast(answer, event.broadcast_config())
        say(json.dumps({
            "received": received,
            "end_ns": time.monotonic_ns(),
            "cpu_ns": time.process_time_ns() - cpu_ns,
            "latencies_ns": latencies,
        }))
        await backend.in_thread(end.wait)


def main():
    backend = {"asyncio": Asyncio, "trio": Trio}[sys.argv[1]]()
    case = Case(*sys.argv[2:9])
    go, end = threading.Event(), threading.Event()

    def listen():
        # Whoever started this has gone, or wants no more of it.
        if sys.stdin.readline() == "go\n":
            go.set()
            sys.stdin.read()
        end.set()
        time.sleep(2)
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    if len(sys.argv) > 9:
        backend.run(consume, backend, case, int(sys.argv[9]), end)
    else:
        backend.run(produce, backend, case, go, end)


main()
