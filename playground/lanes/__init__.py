"""Parse, format, describe and list lane specs (``name:key=value,...``).

`spec` implements the syntax, `variant` builds a variant from a spec, `recipe` converts between specs and the
values of the page's controls, `names` provides display names and the list of lanes to choose from, and
`letters` provides lane letters.
"""
