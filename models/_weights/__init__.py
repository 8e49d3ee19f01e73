"""The authors' weight files, read into a module of ours.

    module = empty(lambda: Network(config))
    fill(module, read(find(folder)), renames=[(r"transformer\\.h\\.", "layers.")], source=folder)

files: found, told apart and read, one tensor at a time, no pickled code. filling: every name is used, dropped by name,
or refused.
"""

from .files import digest, find, read
from .filling import empty, fill

__all__ = ["digest", "empty", "fill", "find", "read"]
