"""The command line: one module per command, and shared options, errors and output.

Standard output carries only the result; errors go to standard error as one sentence, with exit status 2 for
invalid input and 1 for a failure.
"""
