"""The safety states once more, written from docs/safety.md and nothing else: times are in ticks."""

from __future__ import annotations

HOLD_AFTER, DAMP_AFTER, STOP_AFTER = 20, 100, 400
REJECTED_HOLD, REJECTED_FAULT = 3, 10
POWERED = ("active", "hold", "damped")


class ReferenceMachine:
    """What the executor is to be after each event; `faults` outlives `restart`."""

    def __init__(self) -> None:
        self.faults: set[str] = set()
        self.motor_fault = False
        self.restart()

    def restart(self) -> None:
        self.state = "fault" if self.faults else "disarmed"
        self.tripped = self.settling = False
        self.silence = self.rejected = 0
        self.waiting: bool | None = None

    def fault(self, name: str) -> None:
        self.faults.add(name)
        self.state = "fault"

    def clear(self, name: str) -> None:
        if name in self.faults and not (name == "estop" and self.tripped):
            self.faults.remove(name)
            self.state = "fault" if self.faults else "disarmed"

    def request(self, good: bool) -> None:
        if self.state in ("active", "hold"):
            self.waiting, self.since = good, 0

    def arm(self, trips: bool) -> None:
        if self.state not in ("disarmed", "damped") or self.tripped or self.settling:
            return
        self.tripped |= trips
        self.silence, self.rejected, self.waiting = 0, 0, None
        self.state = "disarmed" if self.motor_fault else "active"
        self.gate()

    def tick(self, bug: bool = False) -> None:
        self.silence += 1
        self.since = self.since + 1 if self.waiting is not None else 0
        self.gate()
        self.ladder()
        if bug:
            return self.fault("exception")
        if self.state == "active" and self.waiting is not None:
            self.rejected = 0 if self.waiting else self.rejected + 1
            self.silence = self.since if self.waiting else self.silence
            self.waiting = None
        if self.state in POWERED and self.motor_fault:
            self.fault("motor_fault")
        self.gate()
        self.ladder()

    def gate(self) -> None:
        self.tripped |= self.settling and self.state not in POWERED
        if self.tripped:
            self.fault("estop")

    def ladder(self) -> None:
        age = self.silence if self.waiting is None else self.since
        spoilt = self.rejected >= REJECTED_HOLD and self.waiting is None
        if self.state in POWERED and self.rejected >= REJECTED_FAULT:
            self.fault("request_rejected")
        elif self.state in POWERED and age > STOP_AFTER:
            self.state = "disarmed"
        elif self.state in POWERED and (age > DAMP_AFTER or self.settling):
            self.state = "damped"
        elif self.state in ("active", "hold"):
            self.state = "hold" if age > HOLD_AFTER or spoilt else "active"
