"""Run the benches named, or all of them, one after another: ``python -m bench [NAME ...]``."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

NAMES = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))


def main(*names: str) -> None:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"no bench is called {unknown[0]}; there are: {', '.join(NAMES)}")
    for name in names or NAMES:
        bench = importlib.import_module(f"bench.{name}")
        print(f"## {name}: {(bench.__doc__ or name).splitlines()[0]}")
        began = time.monotonic()
        bench.main()
        print(f"({time.monotonic() - began:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
