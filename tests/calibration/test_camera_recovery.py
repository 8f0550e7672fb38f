"""The short form of the cameras' sweep: one hidden hand camera, from its pictures."""

from tests.sweeps.camera_recovery import hand_camera, rows


def test_a_hidden_camera_is_recovered_from_its_pictures() -> None:
    table = rows()
    hand_camera(1001, table)
    found = [row for name, row in table.items() if name.startswith("hand")]
    assert len(found) == 4
    for row in found:
        assert row.good, row.line()
