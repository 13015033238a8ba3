"""In which order the nodes of a graph are worked on: each as soon as all that it needs is done."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from runtime.builder.graph import Graph


def run(
    graph: Graph, result: int, work: Callable[[int], None], *, workers: int, stop: Callable[[], None]
) -> None:
    """Call `work` for each node that `result` needs, up to `workers` at a time, in threads.

    When one fails, or an interrupt comes, no other is begun, `stop` ends those that are at work, and the
    exception is raised once they have ended.
    """
    left = {number: set(graph.nodes[number].inputs) for number in sorted(graph.needed(result))}
    running: dict[Future[None], int] = {}
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            while left or running:
                for number in [number for number, inputs in left.items() if not inputs]:
                    del left[number]
                    running[pool.submit(work, number)] = number
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for each in ended:
                    each.result()
                    _done(left, running.pop(each))
        except BaseException:
            # The pool's end waits for its threads, and those for their commands.
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


def _done(left: dict[int, set[int]], number: int) -> None:
    for inputs in left.values():
        inputs.discard(number)
