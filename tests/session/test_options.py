"""The options as they are declared, and settings that are mistakes."""

from typing import get_args

import pytest

from pytest_llmreplay.providers.recorded import RecordMode
from pytest_llmreplay.session.options import OPTIONS
from tests.session.conftest import CASES


def test_the_record_modes_offered_are_those_there_are():
    assert OPTIONS["--llmreplay-record"]["choices"] == get_args(RecordMode)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("llmreplay_trials", "inf", "*--llmreplay-trials is 'inf'; allowed: a whole number from 1*"),
        ("llmreplay_trials", "1.5", "*--llmreplay-trials is '1.5'; allowed: a whole number from 1*"),
        ("llmreplay_max_cost", "much", "*--llmreplay-max-cost is 'much'; allowed: US dollars, such as 2.5*"),
        ("llmreplay_wait", "soon", "*--llmreplay-wait is 'soon'; allowed: a time such as 90s, 20m or 1h*"),
        ("llmreplay_record", "some", "*llmreplay_record is 'some'; allowed: none, once, new_episodes, all*"),
    ],
)
def test_a_mistake_in_an_ini_key_is_one_sentence(plain_project, key, value, sentence):
    plain_project.golden(CASES[2])
    result = plain_project.run("golden", "-o", f"{key}={value}")
    assert result.ret != 0
    (result.stderr if result.ret == pytest.ExitCode.USAGE_ERROR else result.stdout).fnmatch_lines([sentence])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
