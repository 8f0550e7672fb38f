"""The short form of two sweeps: hidden robots are recovered, mutations refused."""

from tests.sweeps.calibration_mutations import MUTATIONS, own, refusal, resealed, sweep
from tests.sweeps.calibration_recovery import Trap, hand, mirrored, quadruped, rows, traps


def test_a_hidden_quadruped_is_recovered_through_its_bytes() -> None:
    table = rows()
    quadruped(1000, table)
    for name, row in table.items():
        if name.startswith("quadruped"):
            assert row.good, row.line()


def test_hidden_hands_are_recovered_from_samples() -> None:
    table = rows()
    for seed in range(1000, 1003):
        hand(seed, table)
    for name, row in table.items():
        if name.startswith("hand"):
            assert row.good, row.line()


def test_robots_that_leave_it_open_are_refused() -> None:
    table: dict[str, Trap] = {}
    traps(1000, table)
    mirrored(1000, table)
    assert len(table) == 12
    for trap in table.values():
        assert trap.refused == trap.made, trap.name


def test_the_unchanged_pair_is_believed_and_no_mutation_is() -> None:
    assert not refusal(own())
    assert not refusal(resealed())
    made, refused, believed = sweep(120, seed=1000)
    assert not believed
    assert made == refused
    assert set(made) == set(MUTATIONS)
