"""The benchmark, as small as it gets: every case is there, and our rows are the limit's."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_case_shows_the_rows_of_the_limit(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/run.py", "--transactions=2000", "--rounds=1"]
    command += ["--warm=1", "--requests=1", "--no-throughput", "--peers", "limit", "us"]
    run = subprocess.run(
        [*command, f"--json={tmp_path / 'figures.json'}"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    cases = json.loads((tmp_path / "figures.json").read_text())["cases"]
    assert len(cases) > 40
    for name, cells in cases.items():
        assert cells["limit"]["p50_ms"] > 0, name
        assert cells["us"]["p50_ms"] > 0, name
        assert f"| {name} " in run.stdout
