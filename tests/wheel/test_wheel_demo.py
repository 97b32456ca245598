"""The demo as somebody runs it who has installed the wheel, in a folder of his own."""

import subprocess

from tests.support.terminal import QUIET

DEMO_S = 120
VARIABLES = {name: text for name, text in QUIET.items() if text is not None}


def test_the_demo_is_exact_in_a_folder_full_of_clashing_names(environment, project):
    for name in ("queue", "moto", "sitecustomize", "tally"):
        (project / f"{name}.py").write_text("raise SystemExit('a file of the stranger')")
    command = [environment("local").tally, "demo", "--events", "1000", "--counters", "10"]
    said = subprocess.run(  # noqa: S603 (our own command)
        command,
        cwd=project,
        env=environment("local").variables | VARIABLES,
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        check=False,
    )
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, "10 of 10 counters exact")
