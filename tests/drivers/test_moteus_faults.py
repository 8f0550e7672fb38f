"""Codes are those of moteus docs/protocol/registers.md, register 0x00f."""

import pytest

from drivers.moteus import FAULTS, FaultCode, describe, is_limit


def test_every_documented_code_is_in_words() -> None:
    documented = {*range(32, 51), *range(96, 104)}
    assert {int(code) for code in FAULTS} == documented == set(map(int, FaultCode)) - {0}
    assert all(info.meaning and info.remedy for info in FAULTS.values())
    assert len({info.meaning for info in FAULTS.values()}) == len(FAULTS)


@pytest.mark.parametrize(("code", "limit"), [(0, False), (33, False), (50, False), (96, True)])
def test_limits_are_told_from_faults(code: int, limit: bool) -> None:
    assert is_limit(code) is limit


def test_descriptions_name_number_meaning_and_remedy() -> None:
    text = describe(39)
    assert text.startswith("39 (outside limit): ")
    assert "servopos.position_min" in text
    assert "stop" in text
    assert describe(0) == "0: no fault"
    assert "77" in describe(77)
    assert "registers.md" in describe(77)
