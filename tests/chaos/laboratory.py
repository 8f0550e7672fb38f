"""A laboratory with a robot in real time: two commands, their certificates, and who stands by.

The robot is a served quadruped that nobody kills. `robosac actor` drives it, `robosac learner`
learns; both are what a user starts, with keys, over TLS. A thread is the person beside the robot:
it sets the robot on its feet when the actor asks for that, and lets go of it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from robosac.link.keys import issue, make_authority
from robosac.link.peers import Peer, Role
from robosac.operator import STAND
from robosac.rehearsal.files import write_robot
from sim.served import ServedTwin, ServeError

ROBOSAC: Final = (sys.executable, "-c", "from robosac.cli import main; main()")
LET_GO: Final = "Let go"
"""In what an actor asks once the robot stands."""
TAIL: Final = 4000
"""Characters of what was said last that are kept."""
END_S: Final = 60.0


class Standby(threading.Thread):
    """The person beside the robot, for as long as one actor lives.

    Args:
        actor: with pipes.
        log: where what it says is kept.
        twin: the robot.
        hands: only one person touches the robot at a time.
        seed: of where the robot is put down.
    """

    def __init__(
        self,
        actor: subprocess.Popen[bytes],
        log: Path,
        twin: ServedTwin,
        hands: threading.Lock,
        seed: int,
    ) -> None:
        super().__init__(name="standby", daemon=True)
        self._actor, self._log, self._seed = actor, log, seed
        self._twin, self._hands = twin, hands
        self.said = ""
        """The last of what the actor said."""
        self.placed = 0

    def run(self) -> None:
        """Answer until the actor is silent for ever."""
        assert self._actor.stdout is not None
        unanswered = ""
        while data := os.read(self._actor.stdout.fileno(), 4096):
            with self._log.open("ab") as log:
                log.write(data)
            text = data.decode(errors="replace")
            self.said = (self.said + text)[-TAIL:]
            unanswered += text
            while (end := unanswered.find("press Enter: ")) >= 0:
                question, unanswered = unanswered[:end], unanswered[end + len("press Enter: ") :]
                self._answer(question)
            unanswered = unanswered[-TAIL:]

    def _answer(self, question: str) -> None:
        assert self._actor.stdin is not None
        try:
            with self._hands:
                if STAND in question:
                    self.placed += 1
                    self._twin.ask(f"place {self._seed + self.placed}")
                elif LET_GO in question:
                    self._twin.ask("release")
            self._actor.stdin.write(b"\n")
            self._actor.stdin.flush()
        except (BrokenPipeError, ServeError):
            # It was killed between its question and the answer, or everything is over.
            return


class Laboratory:
    """Both ends, started and killed one by one.

    Args:
        place: an empty folder; both run folders come to lie in it.
        twin: served in real time, its camera too.
        settings: flags of both commands, such as `--sac.random-steps=1000`.
    """

    def __init__(self, place: Path, twin: ServedTwin, settings: Sequence[str]) -> None:
        self._place, self._twin, self._settings = place, twin, tuple(settings)
        self.runs = {"actor": place / "actor", "learner": place / "learner"}
        robot, measured = write_robot(place, "minitaur", twin.ports)
        make_authority(place / "keys")
        keys = {
            "actor": issue(place / "keys", Peer(Role.ROBOT, "dog")),
            "learner": issue(place / "keys", Peer(Role.LEARNER, "desk")),
        }
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        at = {"actor": "--learner", "learner": "--listen"}
        self._always = {who: (f"--keys={keys[who]}", f"{at[who]}={address}") for who in keys}
        self._robot = (
            "--robot.address=serial",
            f"--robot.file={robot}",
            f"--robot.calibration={measured}",
            f"--stop.state-folder={place / 'state'}",
            "--stop.console-key=false",
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._hands = threading.Lock()
        self._standby: Standby | None = None
        self._placed = 0

    def start(self, who: str) -> None:
        """Start `actor` or `learner`; one that was there before goes on with its run."""
        run = self.runs[who]
        if (run / "config.yaml").exists():
            arguments = [f"--resume={run}"]
        else:
            robot = self._robot if who == "actor" else ()
            arguments = ["minitaur", f"--run={run}", *self._settings, *robot]
        command = [*ROBOSAC, who, *arguments, *self._always[who]]
        if who == "learner":
            with (self._place / "learner.log").open("ab") as log:
                self._processes[who] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            return
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._processes[who] = process
        if self._standby is not None:
            self._placed += self._standby.placed
        log = self._place / "actor.log"
        self._standby = Standby(process, log, self._twin, self._hands, self._placed)
        self._standby.start()

    def ended(self, who: str) -> int | None:
        """Its exit code; None while it lives."""
        return self._processes[who].poll()

    def said(self) -> str:
        """The last of what the actor said."""
        return "" if self._standby is None else self._standby.said

    def learner_said(self) -> str:
        """The last of what the learner said."""
        return (self._place / "learner.log").read_text(errors="replace")[-TAIL:]

    def kill(self, who: str) -> None:
        """SIGKILL; returns once it has gone."""
        self._processes[who].kill()
        self._processes[who].wait()

    def end(self) -> None:
        """End both in good order."""
        for who, number in (("actor", signal.SIGINT), ("learner", signal.SIGTERM)):
            process = self._processes.get(who)
            if process is None or process.poll() is not None:
                continue
            process.send_signal(number)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
