"""A clock that jumps by hours, back and forth, loses no outcome, hangs nobody and breaks no deadline."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.fault_runs import VARIANT, fault_cases, finish, outcomes, start, write_project
from tests.loopback import FaultyModel, serving, status

JUMPING = """
import datetime, itertools, time

real, real_time = datetime.datetime, time.time
hours = itertools.cycle([0, 5, -7, 13, -3])

class Alike(type):
    def __instancecheck__(cls, value):
        return isinstance(value, real)

class Jumping(real, metaclass=Alike):
    @classmethod
    def now(cls, tz=None):
        return real.now(tz) + datetime.timedelta(hours=next(hours))

datetime.datetime = Jumping
time.time = lambda: real_time() + 3600 * next(hours)
"""


class Dated(FaultyModel):
    """Refuses every third request once, with a date a second or two ahead of its own clock."""

    def __init__(self):
        super().__init__()
        self.refused = 0
        self.early = 0
        self._until = {}

    async def _answer(self, request):
        body = await request.read()
        if body not in self._until and len(self._until) < 10:
            self.refused += 1
            self._until[body] = time.monotonic() + 1
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
            return await status(429, **{"Retry-After": date})(request)
        self.early += time.monotonic() < self._until.get(body, 0)
        return await super()._answer(request)


def test_a_clock_that_jumps(plain_project):
    root, model = plain_project.root, Dated()
    (root / "jumping.py").write_text(JUMPING)
    with serving(model.routes()) as url:
        write_project(root, fault_cases(40), url)
        for arguments in ((), ("--llmreplay-resume",), ("--llmreplay-record", "none")):
            began = time.monotonic()
            output = finish(process := start(root, "-p", "jumping", *VARIANT, *arguments), 60)
            assert process.returncode == 0, output
            assert "40 passed" in output
            assert time.monotonic() - began < 50
            assert [outcome.status for outcome in outcomes(root)] == ["passed"] * 40
    assert (model.refused, model.early) == (10, 0)
    assert model.answered == 40
