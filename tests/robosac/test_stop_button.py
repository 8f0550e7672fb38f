"""The watch over a stop button: open, silent or gone, the robot stops."""

from __future__ import annotations

import threading
import time

import pytest

from robosac.custody import open_button
from robosac.errors import ConfigError
from robosac.estop import EStopGate, Stop
from robosac.stop_button import MAX_AGE_S, ButtonWatch


class Contact:
    """A button to press."""

    def __init__(self) -> None:
        self.is_closed, self.released = True, False

    def closed(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.released = True


class Site:
    def __init__(self) -> None:
        self.time, self.contact, self.gate = 5.0, Contact(), EStopGate()
        self.watch = ButtonWatch(self.contact, "cts:/dev/x", self.gate, lambda: self.time)


def test_a_press_trips_and_stays_tripped() -> None:
    site = Site()
    site.watch.look()
    assert not site.gate.tripped
    site.contact.is_closed = False
    site.watch.look()
    site.contact.is_closed = True
    site.watch.look()
    assert site.gate.reason == "stop button cts:/dev/x is pressed, broken or unplugged"


def test_a_watch_that_no_longer_looks_counts_as_pressed() -> None:
    site = Site()
    site.gate.add(site.watch)
    site.time += MAX_AGE_S
    assert not site.gate.look()
    site.time += 0.01
    assert site.watch.demand().stop is Stop.CUT
    assert site.gate.look()


def test_the_thread_sees_a_press_without_any_tick() -> None:
    contact, gate = Contact(), EStopGate()
    watch = ButtonWatch(contact, "gpio:/dev/gpiochip0:17", gate, time.monotonic).start()
    contact.is_closed = False
    end = time.monotonic() + 20.0
    while not gate.tripped:
        assert time.monotonic() < end
    watch.close()
    assert contact.released
    assert "stop-button" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("text", ["cts:/dev/none", "gpio:/dev/gpiochip99:3"])
def test_a_button_that_is_not_there_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"stop\.button: cannot"):
        open_button(text)
