"""Can a second process come near the folder of the first, while that one is busy?"""

import os
import subprocess
import time

from crowd import Crowd
from house import binary, free_port
from judge import judge


def test_a_second_process_is_refused_and_the_first_does_not_notice(leadgate, seed):
    crowd = Crowd(leadgate, seed).start()
    for _ in range(3):
        elsewhere = {f"LEADGATE__{room}__LISTEN": f"127.0.0.1:{free_port()}" for room in ("GATEWAY", "DESK")}
        line = [binary(), "run", "--config", leadgate.folder / "leadgate.toml"]
        second = subprocess.run(line, env={**os.environ, **elsewhere}, capture_output=True, text=True, timeout=30)
        assert second.returncode == 1
        last = second.stderr.splitlines()[-1]
        assert last.startswith("leadgate: ") and str(leadgate.data) in last, second.stderr
        time.sleep(0.2)
    crowd.finish()
    judge(leadgate, crowd)
    unanswered = {outcome for outcome in crowd.outcomes if not isinstance(outcome, int)}
    assert not unanswered, f"the first was disturbed: {unanswered}"
