"""Whether recall that fails on purpose in training pays: bits per token of the held-out answers.

In a copy of a workspace that has run ``simulee demo`` in full (``python -m bench.distraction [WORKSPACE]``; without
one, the demo is run first, which takes its 20 minutes): the same questions are frozen with a share of them shown
nothing, or memories of something else, and the same training is run on each; one with the workspace's own share is the
demo's adapter. What differs is the share alone. Each adapter is then shown nothing, its own memories, all that was
retrieved, and memories of another question.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from bench.recall_pays import Ladder, Shown, first, shuffled
from core.dataset.build import build
from core.journey import demo
from core.runs.control import run_to_end
from core.runs.journal import list_runs
from core.store.adapters import AdapterRow, list_adapters
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace

SHARES = (0.0, 0.2, 0.5)


def trained(workspace: Workspace, share: float) -> AdapterRow:
    """The adapter of a training on a dataset with so much failed recall; the one that is there, where there is one."""
    how = workspace.settings.dataset.model_copy(update={"failed_recall": share})
    params = sft_params(workspace, build(workspace, how=how).hash, use=False)
    same = {"dataset": params["dataset"], "settings": params["settings"]}
    done = {run.id for run in list_runs(workspace.runs) if run.state == "done" and same.items() <= run.params.items()}
    found = [each for each in list_adapters(workspace.database) if each.run_id in done]
    if not found:
        name = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)["adapter"]
        found = [each for each in list_adapters(workspace.database) if each.name == name]
    return found[-1]


def report(workspace: Workspace) -> None:
    adapters = {share: trained(workspace, share) for share in SHARES}
    ladder = Ladder(workspace)
    judged = ladder.chosen(lambda _, some: first(some))
    rows: dict[str, Shown] = {
        "nothing": {},
        "judged, of 2": judged,
        "all retrieved": dict(ladder.candidates),
        "of another question": shuffled(judged),
    }
    print(f"{'failed recall':15}{'memories shown':22}{'bits/token':>11}{'per interview':>30}")
    for share, adapter in adapters.items():
        name = f"failed {share}"
        ladder.model.load_adapter(name, workspace.root / adapter.path, adapter.hash)
        for shown, memories in rows.items():
            bits = ladder.bits(name, memories)
            each = "".join(f"{float(value):10.3f}" for value in bits.numerator / bits.denominator)
            print(f"{share:<15}{shown:22}{bits.interval().value:11.3f}{each:>30}", flush=True)


def main(folder: str = "") -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "copy"
        if folder:
            shutil.copytree(folder, root)
        else:
            demo(root, False, lambda _stage, _event: None)
        report(Workspace.open(root))


if __name__ == "__main__":
    main(*sys.argv[1:])
