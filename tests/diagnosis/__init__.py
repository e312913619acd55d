"""The old app's faults, reproduced over HTTP: `run.py` measures, docs/diagnosis.md explains."""
