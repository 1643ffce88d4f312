"""`mcc-zoo`: use models from the command line, and check datasets.

A command ends with status 0 if all went well, 1 if inputs were refused or a check failed, 2 if it cannot be carried
out, and 130 after Ctrl-C. Standard output carries results only; progress, notes and errors go to standard error.
TensorFlow is imported by the commands that need it, so that the others start at once.
"""

from mcc_zoo.cli.main import main

__all__ = ["main"]
