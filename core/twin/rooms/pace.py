"""How much is said and how much is heard: a bucket of answers, and a sieve for those who flood."""

from __future__ import annotations

from collections import OrderedDict, deque

MINUTE = 60.0
PEOPLE = 1000
"""Whose last lines are remembered; of more, those who spoke longest ago are forgotten."""


class Pace:
    """A bucket of ``per_minute`` tokens, each of which is back one minute after it was taken.

    So no sixty seconds ever hold more answers than that, bursts included. 0 is no limit, in both. Moments are seconds
    of any clock that never goes back.
    """

    def __init__(self, per_minute: int, min_gap: float) -> None:
        self._per_minute = per_minute
        self._min_gap = min_gap
        self._taken: deque[float] = deque(maxlen=per_minute or 1)

    def ready_at(self) -> float:
        """From when on the next answer may be said."""
        if not self._taken:
            return float("-inf")
        moments = [self._taken[-1] + self._min_gap]
        if self._per_minute and len(self._taken) == self._per_minute:
            moments.append(self._taken[0] + MINUTE)
        return max(moments)

    def take(self, now: float) -> bool:
        """Say one at this moment; False, and nothing taken, where it may not be."""
        if now < self.ready_at():
            return False
        self._taken.append(now)
        return True


class Flood:
    """Lets through ``most`` lines of one person in ``within`` seconds."""

    def __init__(self, most: int, within: float) -> None:
        self._most = most
        self._within = within
        self._heard: OrderedDict[str, deque[float]] = OrderedDict()

    def lets(self, who: str, now: float) -> bool:
        """Whether a line of this person is heard now."""
        lately = self._heard.setdefault(who, deque(maxlen=self._most))
        self._heard.move_to_end(who)
        while len(self._heard) > PEOPLE:
            self._heard.popitem(last=False)
        if len(lately) == self._most and now - lately[0] < self._within:
            return False
        lately.append(now)
        return True
