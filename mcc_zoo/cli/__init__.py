"""`mcc-zoo`: an export used from the command line, and datasets checked.

A command ends with status 0 when everything went well, 1 when inputs were refused or a dataset is not complete, 2 when
it was asked for what cannot be done, and 130 after Ctrl-C. Standard output carries results alone; progress, notes and
errors go to standard error.
"""

from mcc_zoo.cli.main import main

__all__ = ["main"]
