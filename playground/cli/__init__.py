"""The command line: one module per command, plus shared options, error handling and output.

Standard output carries only the result. Errors go to standard error as one sentence, with exit status 2 for
invalid input and 1 for other failures.
"""
