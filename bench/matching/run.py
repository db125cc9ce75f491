"""Measures ``treaty match`` beside valentine's matchers, on the same pairs in the same run, and writes ``docs/matching-scores.md``."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.matching.scores import Scores, match_pair, score
from bench.matching.truth import SYSTEMS, Pair, load_pairs

from treaty.matching.assigning import assign
from treaty.matching.matcher import Alternative, Correspondence

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "saas"
PAGE = ROOT / "docs" / "matching-scores.md"
THRESHOLDS = [each / 20 for each in range(20)]


def without_values(pairs: Sequence[Pair], *, both: bool) -> list[Pair]:
    """Return the pairs as a data contract would have them: no values on the target's side, or on neither."""
    return [
        replace(pair, target=dict.fromkeys(pair.target, ()), source=dict.fromkeys(pair.source, ()) if both else pair.source) for pair in pairs
    ]


def run_peers(pairs: Sequence[Pair], python: Path) -> dict[str, Any]:
    """Run valentine over the pairs in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        given, wanted = Path(folder) / "pairs.json", Path(folder) / "answers.json"
        given.write_text(json.dumps([{"source": pair.source, "target": pair.target} for pair in pairs]), encoding="utf-8")
        subprocess.run([python, Path(__file__).parent / "peers.py", given, wanted], check=True)
        found: dict[str, Any] = json.loads(wanted.read_text(encoding="utf-8"))
        return found


def score_peer(pairs: Sequence[Pair], answers: Sequence[Sequence[Sequence[Any]]]) -> Scores:
    """Return a peer's best scores: one-to-one by the same assignment as ours, and the threshold that suits this truth best (we take ours as it is)."""
    by_name = {f"{pair.system}.{pair.name}": each for pair, each in zip(pairs, answers, strict=True)}
    return max((score(pairs, lambda pair, least=least: _as_ours(pair, by_name, least)) for least in THRESHOLDS), key=lambda each: each.f1)


def _as_ours(pair: Pair, by_name: dict[str, Sequence[Sequence[Any]]], least: float) -> list[Correspondence]:
    import numpy as np

    rows, columns = list(pair.source), list(pair.target)
    scores = np.zeros((len(rows), len(columns)))
    for source, target, value in by_name[f"{pair.system}.{pair.name}"]:
        scores[rows.index(source), columns.index(target)] = value
    found = []
    for row, column in enumerate(assign(np.where(scores >= least, scores, 0.0))):
        order = [int(each) for each in np.argsort(-scores[row], kind="stable") if scores[row, each] > 0 and each != column][:3]
        others = tuple(Alternative(columns[each], float(scores[row, each])) for each in order)
        chosen = columns[column] if column is not None else None
        found.append(Correspondence(rows[row], chosen, float(scores[row, column]) if column is not None else 0.0, (), others))
    return found


def measure(pairs: Sequence[Pair], python: Path | None) -> list[tuple[str, Scores, float]]:
    """Return (matcher, scores, seconds), ours first, then the peers by F1."""
    began = time.perf_counter()
    ours = score(pairs, match_pair)
    found = [("Treaty", ours, time.perf_counter() - began)]
    peers = run_peers(pairs, python) if python is not None else {}
    others = [(name, score_peer(pairs, each["answers"]), each["seconds"]) for name, each in peers.items()]
    return found + sorted(others, key=lambda each: -each[1].f1)


def render(title: str, rows: Sequence[tuple[str, Scores, float]]) -> str:
    """Return a table of the page."""
    lines = [f"### {title}", "", "| Matcher | F1 | Precision | Recall | Recall at 3 | Calibration error | Seconds |", "|---|---|---|---|---|---|---|"]
    for name, each, seconds in rows:
        error = f"{each.calibration_error:.3f}" if name.startswith("Treaty") else ""
        lines.append(f"| {name} | {each.f1:.3f} | {each.precision:.3f} | {each.recall:.3f} | {each.recall_at_3:.3f} | {error} | {seconds:.1f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-match" / "bin" / "python", help="the environment of the peers")
    python = parser.parse_args().python
    pairs = [pair for system in SYSTEMS for pair in load_pairs(DATA, system)]
    fields = sum(len(pair.source) for pair in pairs)
    true = sum(target is not None for pair in pairs for target in pair.truth.values())
    parts = [
        f"<!-- written by `make bench-match` -->\n# Scores of the matcher\n\n{len(pairs)} pairs of tables, {fields} source columns, {true} of them with a "
        "counterpart. [How it works, and how to read this](matching.md).\n",
        render("Values on both sides", measure(pairs, python)),
        render("Values on the source's side alone, as against a data contract", measure(without_values(pairs, both=False), python)),
        render("Names alone", measure(without_values(pairs, both=True), python)),
    ]
    for system in SYSTEMS:
        own = [pair for pair in pairs if pair.system == system]
        parts.append(render(f"{system.capitalize()} alone, values on both sides", measure(own, None)))
    from bench.matching.apideck import measure_apideck

    parts.append(measure_apideck())
    page = "\n".join(parts)
    PAGE.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
