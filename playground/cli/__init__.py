"""The command line: one module a command, with their shared options, errors and output beside them.

Standard output carries the answer and nothing else; errors go to standard error in one sentence, with exit
status 2 for bad input and 1 for a failure.
"""
