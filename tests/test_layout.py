"""The four top-level names are ours: PyPI has a package called `drivers` that would hide it."""

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["robosac", "drivers", "sim", "calibration"])
def test_no_other_distribution_provides_our_packages(name: str) -> None:
    owners = set(packages_distributions().get(name, []))
    assert owners <= {"robosac"}, (
        f"{name} is also installed by {owners - {'robosac'}}; uninstall that, then robosac, and"
        " install robosac again"
    )
