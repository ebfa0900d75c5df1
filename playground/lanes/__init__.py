"""Lane specs (``name:key=value,...``): the one place that reads, writes, describes and offers them.

`spec` is the grammar, `variant` builds what a spec means, `recipe` holds a spec as the page's controls do,
`names` says what lanes are called and which ones people can choose from, `letters` has the lanes' letters.
"""
