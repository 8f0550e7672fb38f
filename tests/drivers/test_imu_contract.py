import pytest

from tests.drivers.imu_contract import ImuContract
from tests.drivers.imu_rigs import HipnucRig, Rig, VectorNavRig


class TestVectorNav(ImuContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return VectorNavRig()


class TestHipnuc(ImuContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return HipnucRig()
