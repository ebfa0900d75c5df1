"""Select the demonstrations nearest to a message, using BM25 on the demonstrations' queries.

Matching is lexical, so each selection can be explained by shared words. `bm25s` is imported only when it is
needed, because it imports numpy.
"""

from __future__ import annotations

from playground.types import DemoSet, SelectedDemo


def nearest(demos: DemoSet, message: str, k: int) -> list[SelectedDemo]:
    """Return the `k` demonstrations nearest to a message.

    The nearest demonstration comes last, where it has the most influence on the model. Demonstrations with
    equal scores keep the order of the set. Matching is case-insensitive and ignores common English words such
    as "the" and "what".
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
    if any(queries):  # bm25s cannot build an index from empty documents
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
