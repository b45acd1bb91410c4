"""A simulation, event by event, of how a scheduler gives specs to workers that differ in speed and that die.

The rules are those of a run on a cluster (``runner.cluster_dispatch``): one spec a worker at a time, in the order of
the queue; two rounds of a lottery are never at work at once; a round goes to the worker that did the one before, if
that one is idle, and otherwise to another, which trains the rounds before again; what a dead worker was at is done
from its beginning by another.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .work import Preparation, Work

#: Seconds of the one who starts the run for each spec, to send it and to keep its record; and more for each record that
#: is in its file already, which is read before. Measured by ``benchmarks/cluster.py`` with two workers on the same two
#: cores, which were busy with other work.
OVERHEAD, READING = 0.02, 4e-5
#: Seconds until a new worker takes the place of a dead one. An assumption.
RESTART = 120.0
#: A spec of which so many workers have died is left out: dask allows one fewer.
DEATHS = 4


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is assumed of workers and of the one who starts the run.

    Attributes:
        failures: mean seconds at work until a worker dies, at any moment with equal probability; infinite for never.
        spread: standard deviation of the logarithm of a worker's speed, whose median is 1.
        overhead: seconds of the one who starts the run for each spec, one after another.
        reading: likewise for each record that is in the spec's file already.
        restart: seconds until a new worker, which has kept nothing, takes the place of a dead one.
    """

    failures: float = math.inf
    spread: float = 0.0
    overhead: float = 0.0
    reading: float = 0.0
    restart: float = RESTART


#: What is assumed unless something else is said: a death in six weeks of work, and speeds a tenth apart.
USUAL = Conditions(failures=1000 * 3600.0, spread=0.1, overhead=OVERHEAD, reading=READING)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one simulated run.

    Attributes:
        seconds: from its beginning to its end.
        computed: seconds of work that was finished, as a worker of speed 1 takes them.
        lost: seconds of work that died with a worker, likewise.
        busy: seconds that all workers together were at work, by the clock.
        deaths: how many workers died.
        left_out: how many specs were left out, since too many workers had died of them.
    """

    seconds: float
    computed: float
    lost: float
    busy: float
    deaths: int
    left_out: int


def simulate(
    stages: Iterable[Sequence[Work]], workers: int, conditions: Conditions, generator: random.Random
) -> Outcome:
    """Simulate one run.

    Args:
        stages: what is run, in this order; a stage begins when the one before has ended.
        workers: how many there are.
        conditions: what is assumed of them.
        generator: draws speeds and deaths.

    >>> spec = Work(name="a trial", seconds=10.0)
    >>> simulate([[spec] * 8], 4, Conditions(), random.Random(0)).seconds
    20.0
    """
    simulation = _Simulation(workers, conditions, generator)
    for stage in stages:
        simulation.run(stage)
    return simulation.outcome()


@dataclass(eq=False)
class _Worker:
    """A worker, and what it has kept: by key, how many steps on disk; what it has in memory.

    Attributes:
        speed: what it does in a second, in seconds of a worker of speed 1.
        on_disk: by the key of a preparation, how many of its steps are kept.
        in_memory: the key of the preparation that was used last.
    """

    speed: float
    on_disk: Counter[str] = field(default_factory=Counter)
    in_memory: str = ""

    def seconds_for(self, work: Work) -> float:
        """Return how long the work takes with what is kept, as a worker of speed 1 takes it."""
        return work.seconds + sum(sum(each.steps[self._kept(each) :]) for each in work.preparations)

    def keep(self, work: Work) -> None:
        """Keep what finished work has made."""
        for each in work.preparations:
            if each.on_disk:
                self.on_disk[each.key] = max(self.on_disk[each.key], len(each.steps))
            else:
                self.in_memory = each.key
        if work.lottery:
            self.on_disk[work.lottery] = max(self.on_disk[work.lottery], work.steps_kept)

    def _kept(self, preparation: Preparation) -> int:
        if preparation.on_disk:
            return self.on_disk[preparation.key]
        return len(preparation.steps) if preparation.key == self.in_memory else 0


@dataclass(eq=False)
class _Waiting:
    """Work that waits for a worker.

    Attributes:
        work: the work.
        done: of work that resumes, the seconds that are done.
        deaths: how many workers have died of it.
    """

    work: Work
    done: float = 0.0
    deaths: int = 0


@dataclass(eq=False)
class _Flight:
    """Work that a worker is at.

    Attributes:
        waiting: the work, to be put back if the worker dies.
        worker: the worker.
        seconds: what of it gets done until the flight ends, as a worker of speed 1 takes it.
        dies: whether the worker dies before the work is finished.
    """

    waiting: _Waiting
    worker: _Worker
    seconds: float
    dies: bool


class _Simulation:
    """The state of one simulated run, and the queue of what happens next."""

    def __init__(self, workers: int, conditions: Conditions, generator: random.Random) -> None:
        self._conditions, self._generator = conditions, generator
        speeds = (generator.lognormvariate(0.0, conditions.spread) for _ in range(workers))
        self._idle = dict.fromkeys(_Worker(speed=speed) for speed in speeds)  # in the order in which they became idle
        self._waiting: deque[_Waiting] = deque()
        self._events: list[tuple[float, int, _Flight | _Worker]] = []
        self._numbers = 0
        self._now = self._sender_free = 0.0
        self._under_way: set[str] = set()  # lotteries
        self._last_worker: dict[str, _Worker] = {}  # of each lottery
        self._records: Counter[str] = Counter()  # by file
        self._computed = self._lost = self._busy = 0.0
        self._deaths = self._left_out = 0

    def run(self, stage: Sequence[Work]) -> None:
        """Run one stage to its end."""
        self._waiting.extend(_Waiting(work) for work in stage)
        flights = self._send_waiting()
        while flights or self._waiting:
            self._now, _, event = heapq.heappop(self._events)
            if isinstance(event, _Worker):  # a new one, in the place of a dead one
                self._idle[event] = None
            else:
                flights -= 1
                self._end(event)
            flights += self._send_waiting()

    def outcome(self) -> Outcome:
        """Return what has come of the stages so far."""
        return Outcome(
            seconds=self._now,
            computed=self._computed,
            lost=self._lost,
            busy=self._busy,
            deaths=self._deaths,
            left_out=self._left_out,
        )

    def _send_waiting(self) -> int:
        """Send work to idle workers; return how much was sent."""
        sent = 0
        while self._idle and (waiting := self._next()):
            preferred = self._last_worker.get(waiting.work.lottery)
            worker = preferred if preferred in self._idle else next(iter(self._idle))
            assert worker is not None
            del self._idle[worker]
            self._send(waiting, worker)
            sent += 1
        return sent

    def _next(self) -> _Waiting | None:
        """Take the first work whose lottery has no round under way; None if there is none."""
        for number, waiting in enumerate(self._waiting):
            if waiting.work.lottery not in self._under_way:
                del self._waiting[number]
                return waiting
        return None

    def _send(self, waiting: _Waiting, worker: _Worker) -> None:
        """Let a worker begin, and draw whether it lives to the end."""
        if waiting.work.lottery:
            self._under_way.add(waiting.work.lottery)
        reading = self._conditions.reading * self._records[waiting.work.file]
        self._sender_free = max(self._now, self._sender_free) + self._conditions.overhead + reading
        seconds = worker.seconds_for(waiting.work) - waiting.done
        lifetime = math.inf
        if self._conditions.failures < math.inf:
            lifetime = self._generator.expovariate(1 / self._conditions.failures)
        dies = lifetime * worker.speed < seconds
        flight = _Flight(waiting, worker, min(seconds, lifetime * worker.speed), dies)
        self._at(self._sender_free + flight.seconds / worker.speed, flight)

    def _end(self, flight: _Flight) -> None:
        """Take note of the end of a flight: of the work's, or of the worker's."""
        work, worker = flight.waiting.work, flight.worker
        self._under_way.discard(work.lottery)
        self._busy += flight.seconds / worker.speed
        if not flight.dies:
            self._computed += flight.seconds
            self._records[work.file] += 1
            worker.keep(work)
            self._idle[worker] = None
            if work.lottery:
                self._last_worker[work.lottery] = worker
            return
        self._deaths += 1
        self._at(self._now + self._conditions.restart, _Worker(speed=worker.speed))
        if work.resumes:
            self._computed += flight.seconds
            self._waiting.appendleft(_Waiting(work, done=flight.waiting.done + flight.seconds))
            return
        self._lost += flight.seconds
        deaths = flight.waiting.deaths + 1
        if deaths < DEATHS:
            self._waiting.appendleft(_Waiting(work, deaths=deaths))
        else:
            self._left_out += 1

    def _at(self, time: float, event: _Flight | _Worker) -> None:
        """Let something happen; of what happens at one time, first what was told first."""
        self._numbers += 1
        heapq.heappush(self._events, (time, self._numbers, event))
