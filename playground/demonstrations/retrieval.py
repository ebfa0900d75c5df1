"""The demonstrations of a set that lie nearest to a message, by BM25 over their queries.

Lexical, so that it is plain why one was chosen: the words that the two share. Loads `bm25s` (and with it
numpy) only when something is chosen.
"""

from __future__ import annotations

from playground.types import DemoSet, SelectedDemo


def nearest(demos: DemoSet, message: str, k: int) -> list[SelectedDemo]:
    """The `k` demonstrations nearest to a message, the nearest last, where a model heeds it most.

    Scores that are equal keep the set's order. Words are compared in lower case, without the commonest
    English ones ("the", "what").
    """
    import bm25s  # type: ignore[import-untyped]

    def words(texts: list[str]) -> list[list[str]]:
        found: list[list[str]] = bm25s.tokenize(
            texts, stopwords="en_plus", return_ids=False, show_progress=False
        )
        return found

    queries = words([demo.query for demo in demos.demos])
    wanted = words([message])[0]
    scores = [0.0] * len(queries)
    if any(queries):  # an index of no words at all is an error
        index = bm25s.BM25()
        index.index(queries, show_progress=False)
        known = {word for query in queries for word in query}
        if asked := [word for word in wanted if word in known]:
            scores = [float(score) for score in index.get_scores(asked)]
    order = sorted(range(len(scores)), key=lambda at: -scores[at])[:k]
    return [
        SelectedDemo(
            number=at + 1,
            demo=demos.demos[at],
            score=scores[at],
            words=tuple(dict.fromkeys(word for word in wanted if word in queries[at])),
        )
        for at in reversed(order)
    ]
