"""The matcher holds its bars on public tables of two systems, on none of which a weight was fitted."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.matching.scores import match_pair, score
from bench.matching.truth import SYSTEMS, load_pairs

MATERIAL = Path(__file__).parents[4] / "shared" / "data" / "saas"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not MATERIAL.is_dir(), reason="the public tables of ../shared/data are not here")]


def test_exports_are_matched_to_their_staging_tables() -> None:
    """F1 is 0.80 or more, recall at 3 0.92, and the calibration error at most 0.05 over ten bins of at least 30."""
    found = score([pair for system in SYSTEMS for pair in load_pairs(MATERIAL, system)], match_pair)
    assert found.f1 >= 0.80
    assert found.recall_at_3 >= 0.92
    assert found.smallest_bin >= 30
    assert found.calibration_error <= 0.05
