"""Lane specs (``name:key=value,...``): parse, format, describe and list them.

`spec` implements the grammar, `variant` builds a variant from a spec, `recipe` converts specs to and from the
values of the page's controls, `names` provides display names and the list of lanes to choose from, and
`letters` provides the lanes' letters.
"""
