"""Lane specs (``name:key=value,...``): parse, write, describe and list them.

`spec` is the grammar, `variant` builds the variant of a spec, `recipe` converts specs to and from the page's
controls, `names` has display names and the lanes to choose from, `letters` has the lanes' letters.
"""
