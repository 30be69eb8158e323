"""How long the explore page takes to answer a control, alone and with several visitors at once.

Starts the app, talks to it as a browser does, over its WebSocket, and takes the time from a changed amount of noise to
the end of the page's answer, pictures included. Visitors at the same moment are the worst case; visitors who look at
each picture for some seconds are a class. All go through the same amounts of noise, each from another one on: what one
visitor has looked at is not drawn again for the next.

    python -m benchmarks.explore
    python -m benchmarks.explore --visitors 20

On a machine that was busy with something else meanwhile it says so and exits with 3.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.judged import judged
from benchmarks.served_app import serve_app
from medpriv_core.home import DataHome
from medpriv_core.quiet import paired_ratio

SLIDER = "Your amount of noise"
BETAS = ("0.3", "0.7", "1.5", "3", "6", "12", "25", "100")
VISITORS = 10
PAUSE_S = (1.0, 5.0)  # that somebody looks at a picture


class Visitor:
    """One browser tab on the explore page."""

    def __init__(self, socket: websockets.ClientConnection, size: int) -> None:
        self._socket = socket
        self._state = ClientState(query_string=urlencode({"size": size}))
        self._slider = ""

    async def run(self) -> float:
        """Seconds until the page has answered in full."""
        begun = time.perf_counter()
        await self._socket.send(BackMsg(rerun_script=self._state).SerializeToString())
        while True:
            message = ForwardMsg.FromString(await self._socket.recv())
            slider = message.delta.new_element.slider
            if slider.label.startswith(SLIDER):
                self._slider = slider.id
            if message.WhichOneof("type") == "script_finished":
                return time.perf_counter() - begun

    async def change(self, beta: str) -> float:
        """Seconds until the page has answered another amount of noise."""
        del self._state.widget_states.widgets[:]
        widget = self._state.widget_states.widgets.add(id=self._slider)
        widget.string_array_value.data.append(beta)
        return await self.run()


async def visit(port: int, size: int) -> Visitor:
    """A visitor who has seen the page once, the retina photograph at ``size`` pixels."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    connection = await websockets.connect(address, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
    visitor = Visitor(connection, size)
    await visitor.run()
    return visitor


async def measure(port: int, count: int) -> None:
    print(f"{'':52} {'median':>9} {'worst':>9}")
    for size in (256, 1024):
        visitor = await visit(port, size)
        await visitor.change("2")
        report(f"another β, {size} × {size}, colour", [await visitor.change(beta) for beta in BETAS])
    visitors = [await visit(port, 256) for _ in range(count)]
    alone = [await visitors[0].change(beta) for beta in BETAS]
    report("the same, 256 × 256, one visitor", alone)
    at_once = [
        await asyncio.gather(*(one.change(BETAS[(turn + place) % len(BETAS)]) for place, one in enumerate(visitors)))
        for turn in range(len(BETAS))
    ]
    everybody = [seconds for round_ in at_once for seconds in round_]
    report(f"{count} visitors at the same moment", everybody)
    taken = await asyncio.gather(*(at_leisure(visitor, seed) for seed, visitor in enumerate(visitors)))
    leisure = [seconds for each in taken for seconds in each]
    report(f"{count} visitors, each looking for {PAUSE_S[0]:g} to {PAUSE_S[1]:g} s", leisure)
    # Each change of the control beside the same one of a single visitor.
    together = paired_ratio([statistics.median(round_) for round_ in at_once], alone)
    at_ease = statistics.median(leisure) / statistics.median(alone)
    print(f"against one visitor: {together} at the same moment, {at_ease:.1f} × at leisure")
    slow = [
        statistics.quantiles(seconds, n=20)[-1] / statistics.quantiles(alone, n=20)[-1]
        for seconds in (everybody, leisure)
    ]
    print(
        f"the slowest twentieth against one visitor's: {slow[0]:.1f} × at the same moment, {slow[1]:.1f} × at leisure"
    )


async def at_leisure(visitor: Visitor, seed: int) -> list[float]:
    """Seconds of each change by somebody who looks at the pictures in between."""
    pauses, taken = random.Random(seed), []
    for beta in pauses.sample(BETAS, len(BETAS)):
        await asyncio.sleep(pauses.uniform(*PAUSE_S))
        taken.append(await visitor.change(beta))
    return taken


def report(title: str, seconds: list[float]) -> None:
    print(f"{title:52} {1000 * statistics.median(seconds):6.0f} ms {1000 * max(seconds):6.0f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--visitors", type=int, default=VISITORS)
    count = parser.parse_args().visitors
    with judged(), tempfile.TemporaryDirectory() as folder, serve_app(DataHome(Path(folder))) as app:
        asyncio.run(measure(app.port, count))


if __name__ == "__main__":
    main()
