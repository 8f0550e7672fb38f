import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu import ImuFault, plausible
from drivers.imu_stream import (
    CLOCK_DRIFT,
    FROZEN_AFTER,
    RATE_WINDOW_NS,
    RESTART_NS,
    SILENT_AFTER_S,
    HostTime,
    StreamMonitor,
)

PERIOD_NS = 5_000_000


@given(
    st.lists(st.floats(0.0, 0.05), min_size=2, max_size=200),
    st.floats(-0.5, 0.5),
    st.floats(-1e6, 1e6),
)
def test_measurements_are_put_where_they_were_made(
    delays: list[float], drift: float, offset: float
) -> None:
    """Device clock off by any amount, its crystal by up to half the drift that is followed."""
    host_time = HostTime()
    skew = 1.0 + drift * CLOCK_DRIFT
    earlier, arrived = -math.inf, -math.inf
    least = math.inf
    for index, delay in enumerate(delays):
        made = 0.005 * index
        # A serial line keeps the order.
        arrived = max(arrived, made + delay)
        least = min(least, arrived - made)
        measured = host_time.measured(made * skew + offset, arrived)
        assert earlier <= measured <= arrived
        # Never later than the least delay so far and what the clocks can have drifted since.
        assert measured <= max(earlier, made + least + 2.0 * CLOCK_DRIFT * made + 1e-6)
        assert measured >= made - CLOCK_DRIFT * made - 1e-6
        earlier = measured


def test_a_slow_crystal_is_followed_for_hours() -> None:
    host_time = HostTime()
    skew = 1.0 - 0.5 * CLOCK_DRIFT
    for second in range(4 * 3600):
        measured = host_time.measured(second * skew, second + 0.002)
        assert measured == pytest.approx(second + 0.002, abs=1e-3)


def test_a_backlog_is_seen_as_old() -> None:
    host_time = HostTime()
    for index in range(100):
        host_time.measured(0.005 * index, 0.005 * index + 0.001)
    # The host was busy: what was made at 0.5 s is read at 0.8 s.
    assert host_time.measured(0.5, 0.8) == pytest.approx(0.501, abs=1e-4)


def stream(monitor: StreamMonitor, first: int, count: int, step: int = PERIOD_NS) -> list[bool]:
    return [
        monitor.accept(
            first * PERIOD_NS + n * step, first + n, (first * PERIOD_NS + n * step) / 1e9
        )
        for n in range(count)
    ]


def begun() -> StreamMonitor:
    monitor = StreamMonitor()
    monitor.begin(PERIOD_NS, 0.0)
    return monitor


def test_a_good_stream_has_no_fault_and_its_rate() -> None:
    monitor = begun()
    assert all(stream(monitor, 0, 500))
    assert monitor.fault(499 * 0.005) is None
    statistics = monitor.statistics(skipped_bytes=7)
    assert statistics.rate_hz == pytest.approx(200.0, rel=0.01)
    assert (statistics.missing, statistics.repeated, statistics.skipped_bytes) == (0, 0, 7)


def test_a_frame_that_is_not_newer_is_not_accepted() -> None:
    monitor = begun()
    stream(monitor, 0, 10)
    assert not monitor.accept(9 * PERIOD_NS, 9, 0.05)
    assert not monitor.accept(3 * PERIOD_NS, 3, 0.05)
    assert monitor.statistics(0).repeated == 2
    assert monitor.fault(0.05) is None
    assert monitor.accept(10 * PERIOD_NS, 10, 0.05)


@pytest.mark.parametrize(("back_ns", "fault"), [(RESTART_NS, None), (RESTART_NS + 1, "restart")])
def test_a_clock_that_falls_back_far_began_anew(back_ns: int, fault: str | None) -> None:
    monitor = begun()
    stream(monitor, 0, 1000)
    assert not monitor.accept(999 * PERIOD_NS - back_ns, "new", 5.0)
    assert (monitor.fault(5.0) is ImuFault.RESTARTED) == bool(fault)
    assert monitor.statistics(0).restarts == bool(fault)


@pytest.mark.parametrize(("equal", "accepted"), [(FROZEN_AFTER - 1, True), (FROZEN_AFTER, False)])
def test_so_many_equal_frames_are_frozen(equal: int, accepted: bool) -> None:
    monitor = begun()
    verdicts = [monitor.accept(n * PERIOD_NS, "same", n * 0.005) for n in range(equal)]
    assert verdicts[-1] is accepted
    assert (monitor.fault(equal * 0.005) is ImuFault.FROZEN) is not accepted
    assert monitor.accept(equal * PERIOD_NS, "other", equal * 0.005)
    assert monitor.fault(equal * 0.005) is None


def test_silence_begins_after_20_ms_or_four_periods() -> None:
    monitor = begun()
    assert monitor.fault(SILENT_AFTER_S) is None
    assert monitor.fault(SILENT_AFTER_S + 1e-6) is ImuFault.SILENT
    monitor.begin(20_000_000, 1.0)
    assert monitor.fault(1.079) is None
    assert monitor.fault(1.081) is ImuFault.SILENT


def test_what_has_not_begun_cannot_be_silent_or_off_its_rate() -> None:
    monitor = StreamMonitor()
    assert monitor.fault(1e9) is None
    stream(monitor, 0, 1000, step=3 * PERIOD_NS)
    assert monitor.fault(1e9) is None
    assert monitor.statistics(0).missing == 0


@pytest.mark.parametrize(("share", "fault"), [(0.8, False), (0.7, True), (1.3, True)])
def test_the_rate_is_judged(share: float, fault: bool) -> None:
    monitor = begun()
    count = int(2.2 * RATE_WINDOW_NS / PERIOD_NS * share)
    stream(monitor, 0, count, step=int(PERIOD_NS / share))
    now = count * PERIOD_NS / share / 1e9
    assert (monitor.fault(now) is ImuFault.OFF_RATE) is fault


def test_gaps_are_counted_in_frames() -> None:
    monitor = begun()
    for index in (0, 1, 5, 6, 8):
        monitor.accept(index * PERIOD_NS + (index % 2) * 1_000_000, index, 0.0)
    assert monitor.statistics(0).missing == 4


def test_beginning_anew_forgets_what_was_wrong() -> None:
    monitor = begun()
    stream(monitor, 1000, 10)
    monitor.accept(0, "restart", 6.0)
    assert monitor.fault(6.0) is ImuFault.RESTARTED
    monitor.begin(PERIOD_NS, 6.0)
    assert monitor.fault(6.0) is None
    assert monitor.accept(PERIOD_NS, "fresh", 6.0)
    assert monitor.statistics(0).restarts == 1


@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.integers(0, 9))
def test_no_value_may_be_without_an_end(value: float, where: int) -> None:
    values = [0.0, 0.0, 0.0, 1.0, 0.1, 0.2, 0.3, 0.0, 0.0, -9.8]
    assert plausible((0.0, 0.0, 0.0, 1.0), (0.1, 0.2, 0.3), (0.0, 0.0, -9.8))
    values[where] = value
    q, w, a = values[:4], values[4:7], values[7:]
    assert not plausible((q[0], q[1], q[2], q[3]), (w[0], w[1], w[2]), (a[0], a[1], a[2]))
