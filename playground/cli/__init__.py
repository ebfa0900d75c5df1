"""The command-line interface: one module per command, plus shared options, error handling and output.

Only results are printed on standard output. Errors are printed on standard error as one sentence, with exit
status 2 for invalid input and 1 for other failures.
"""
