"""The hand's provenance tables: every number of the model stands there, with source and grade."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from sim.claw_plant import MODEL_PATH
from sim.claw_randomisation import ClawRandomisation
from sim.claw_servo import IDENTIFIED, ROBEL, back_emf_damping_nm_s_rad
from sim.engine import mujoco
from sim.servo_joint import MOTORS

TEXT = MODEL_PATH.with_suffix(".md").read_text()
NUMBER = re.compile(r"(?<![A-Za-z_\d])-?\d*\.?\d+(?:e-?\d+)?(?![A-Za-z_\d])")
PUBLISHED = (
    "size", "pos", "mass", "range", "friction", "solref", "damping", "armature", "timestep",
    "impratio", "fovy", "priority", "condim",
)  # fmt: skip
"""Attributes whose numbers are somebody's; axes, turns and colours are conventions or drawn."""


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: by its first cell, the others."""
    section = TEXT.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells if not set(row[0]) <= {"-", " "}}


def first(cell: str) -> float:
    """The first number of a cell."""
    found = NUMBER.search(cell)
    assert found, cell
    return float(found.group())


def untold(model: ET.Element, text: str) -> list[str]:
    """Numbers of a model that a text does not name; what is drawn for the eye is left out."""
    told = {abs(float(number)) for number in NUMBER.findall(text)}
    found = []
    for element in model.iter():
        if element.get("class") == "stand":
            continue
        for name in PUBLISHED:
            for number in NUMBER.findall(element.get(name, "")):
                value = abs(float(number))
                if value and not np.isclose(value, list(told), atol=1e-9).any():
                    found.append(f"{element.tag} {element.get('name')} {name} {number}")
    return found


def test_every_number_of_the_model_stands_in_its_tables() -> None:
    root = ET.parse(MODEL_PATH).getroot()
    assert untold(root, TEXT) == []


def test_a_number_that_nobody_has_told_is_found() -> None:
    root = ET.parse(MODEL_PATH).getroot()
    pad = next(element for element in root.iter() if element.get("mass") == "0.018")
    pad.set("mass", "0.0181")
    assert untold(root, TEXT) == ["geom None mass 0.0181"]


def test_capsules_have_the_published_radius_length_and_place() -> None:
    model = mujoco.MjModel.from_xml_path(str(MODEL_PATH))
    table = rows("Geometry")
    radius, half, along = map(float, re.findall(r"\.\d+", table["tip pad"][0]))
    for finger in range(3):
        pad = model.geom(f"tip_{finger}_pad")
        np.testing.assert_allclose(pad.size[:2], [radius, half], atol=1e-9)
        np.testing.assert_allclose(pad.pos, [0.0, 0.0, along], atol=1e-9)
    numbers = re.findall(r"\.\d+", table["lobes, 3 at 120 degrees"][0])
    radius, half, centre, height = map(float, numbers)
    for lobe in range(3):
        geom = model.geom(f"lobe_{lobe}")
        np.testing.assert_allclose(geom.size[:2], [radius, half], atol=1e-6)
        angle = np.pi / 2 + lobe * 2 * np.pi / 3
        place = [centre * np.cos(angle), centre * np.sin(angle), height]
        np.testing.assert_allclose(geom.pos, place, atol=1e-6)


@pytest.mark.parametrize(("column", "preset"), [(0, ROBEL), (1, IDENTIFIED)])
def test_both_presets_are_those_of_the_servos_table(column: int, preset: object) -> None:
    table = rows("The servo (`sim/claw_servo.py`)")
    assert list(table["number"][:2]) == ["`robel`", "`identified`"]
    names = {
        "stiffness": "stiffness_nm_rad",
        "damping, all of it": "damping_nm_s_rad",
        "armature": "armature_kg_m2",
        "frictionloss": "frictionloss_nm",
        "valve: frictionloss": "valve_frictionloss_nm",
    }
    for row, name in names.items():
        assert first(table[row][column]) == getattr(preset, name), row
    damping, armature = map(float, table["valve: damping; armature"][column].split(";"))
    assert damping == ROBEL.valve_damping_nm_s_rad == IDENTIFIED.valve_damping_nm_s_rad
    assert armature == ROBEL.valve_armature_kg_m2 == IDENTIFIED.valve_armature_kg_m2


def test_what_is_derived_follows_from_what_is_published() -> None:
    table = rows("The servo (`sim/claw_servo.py`)")
    motor = MOTORS[1050]
    emf = back_emf_damping_nm_s_rad(motor)
    assert first(table["of which back-EMF, XH430-V210"][1]) == pytest.approx(emf, abs=5e-4)
    passive = IDENTIFIED.passive_damping_nm_s_rad(1050)
    assert first(table["of which passive"][1]) == pytest.approx(passive, abs=5e-4)
    stall = first(table["most torque at a shaft"][0])
    assert stall == pytest.approx(motor.stall_torque_nm)


def test_randomisation_is_that_of_its_table() -> None:
    table, drawn = rows("Randomisation (`sim/claw_randomisation.py`, `robel`)"), ClawRandomisation
    names = {
        "motor strength (stiffness)": "motor_strength",
        "friction of plastic": "friction_scale",
        "passive damping": "damping_scale",
        "frictionloss": "frictionloss_scale",
    }
    for row, name in names.items():
        span = tuple(float(number) for number in NUMBER.findall(table[row][0]))
        assert span == getattr(drawn.robel(), name), row
    assert drawn.robel().mount_shift_m == (-0.01, 0.01)
    assert table["mount"][0].startswith("±10 mm")
    assert drawn.robel().valve_radius_shift_m == (-0.003, 0.003)
    assert table["lobe radius"][0].startswith("±3 mm")


@pytest.mark.parametrize(
    "heading",
    ["Geometry", "Masses", "The servo (`sim/claw_servo.py`)", "Contact and solver",
     "Randomisation (`sim/claw_randomisation.py`, `robel`)"],
)  # fmt: skip
def test_every_row_has_a_source_and_a_grade(heading: str) -> None:
    table = rows(heading)
    assert len(table) > 4
    for name, cells in table.items():
        if name in ("number", "part", "property"):
            continue
        *_, source, grade = cells
        assert source or cells[0], name
        assert re.fullmatch(r"[PDC](, (P|D|C|rounded))*", grade), (name, grade)


def test_the_model_names_its_tables() -> None:
    assert "claw.md" in Path(MODEL_PATH).read_text()
