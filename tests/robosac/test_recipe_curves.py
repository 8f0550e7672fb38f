"""One recipe beside another."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robosac.curves import TURNING, WALKING, Curve, to_csv
from robosac.errors import RunFolderError
from robosac.recipe_curves import TASKS, main, picture

COLUMNS = {"walk": WALKING, "claw": TURNING, "claw-pixels": TURNING}


def written(path: Path, names: tuple[str, ...], minutes: float, value: float) -> Path:
    columns = {name: np.linspace(0.0, value, 4) for name in names}
    columns["robot_min"] = np.linspace(1.0, minutes, 4)
    path.write_text(to_csv(Curve("x", columns)))
    return path


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_its_picture(task: str, tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.csv", COLUMNS[task], 10.0 * n, 0.5) for n in (1, 2, 3)]
    out = tmp_path / "out.png"
    arguments = ["--series", "fast", *map(str, files[:2]), "--series", "paper", str(files[2])]
    assert main([task, *arguments, "--out", str(out)]) == 0
    with Image.open(out) as image:
        assert image.width > 1000
    assert out.read_bytes() == picture(task, {"fast": files[:2], "paper": files[2:]})
    alone = Image.open(io.BytesIO(picture(task, {"fast": files[:2]})))
    assert alone.tobytes() != Image.open(out).tobytes()


def test_a_curve_of_another_task_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "a.csv", WALKING, 5.0, 0.5)
    with pytest.raises(RunFolderError, match="not of task claw: no within_0_1_rad"):
        picture("claw", {"fast": [file]})
    out = str(tmp_path / "o.png")
    assert main(["claw", "--series", "fast", str(file), "--out", out]) == 2
    assert main(["walk", "--series", "fast", "--out", out]) == 2
    assert main(["walk", "--series", "fast", str(tmp_path / "none.csv"), "--out", out]) == 2
    said = capsys.readouterr().err
    assert "not of task claw" in said
    assert "at least one file" in said
    assert "none.csv" in said
