"""Runs valentine's matchers over pairs: reads JSON from a file, writes JSON to another. Runs in the environment of the peers."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

# COMA looks values over without English function words. Its own list is fetched from the network at run time; this one stands in for it.
FUNCTION_WORDS = """
a an the and or but nor if then than that this these those of at by for with about against between into through during before after above below to from up
down in out on off over under again further once here there when where why how all any both each few more most other some such no not only own same so too very
can will just should now i me my we our you your he him his she her it its they them their what which who whom am is are was were be been being have has had
having do does did doing as until while because
"""


def main(given: Path, wanted: Path) -> None:
    """Write, for each matcher, its seconds and for each pair its scored matches (source, target, score)."""
    warnings.simplefilter("ignore")
    import nltk
    import pandas

    nltk.download = lambda *_args, **_kwargs: False  # one of the matchers asks for word lists at each call; nothing is fetched here
    from valentine import valentine_match
    from valentine.algorithms.coma.similarity import tfidf

    tfidf._english_stopwords = lambda: frozenset(FUNCTION_WORDS.split())
    from valentine.algorithms import Coma, DistributionBased, JaccardDistanceMatcher, SimilarityFlooding

    matchers = {
        "COMA (names)": Coma,
        "COMA (names and values)": lambda: Coma(use_instances=True),
        "similarity flooding": SimilarityFlooding,
        "Jaccard": JaccardDistanceMatcher,
        "distribution": DistributionBased,
    }
    pairs = json.loads(given.read_text(encoding="utf-8"))
    found = {}
    for name, make in matchers.items():
        began = time.perf_counter()
        answers, failed = [], 0
        for pair in pairs:
            frames = [pandas.DataFrame({key: pandas.Series(values, dtype="str") for key, values in pair[side].items()}) for side in ("source", "target")]
            try:
                matches = valentine_match(frames, make(), df_names=["source", "target"])
            except Exception:  # a matcher that cannot take a pair has no answers for it
                failed += 1
                answers.append([])
                continue
            answers.append([[each.source_column, each.target_column, float(score)] for each, score in matches.items()])
        found[name] = {"seconds": time.perf_counter() - began, "failed": failed, "answers": answers}
    wanted.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
