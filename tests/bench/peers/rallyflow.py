"""rallyflow: intents and outcomes are in a SQLite file; with `workers` as third word, steps are in other processes."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from bench_engine import cost
from peers.timing import COUNT, SHAPE
from shapes import SHAPES, in_workers

if __name__ == "__main__":
    plan = SHAPES[SHAPE](COUNT)
    print(json.dumps(asdict(cost(in_workers(plan) if "workers" in sys.argv[3:] else plan))))
