"""Judgments: a judge is asked about answers whose variants it does not know, and what it says is kept whole.

`candidates` says what is judged, `rubrics` and `fastchat` what is asked, `client` asks, `parse` reads the
reply, `verdicts` puts several replies together, `judging` is a judgment under way, `judges` begins them all.
`reference` judges by a stated rule without any model.
"""
