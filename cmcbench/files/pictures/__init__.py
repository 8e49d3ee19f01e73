"""One picture of any origin as 8-bit sRGB, upright, within bounds: what every reader of the benchmark sees.

Use what is handed on here; the other files serve it. A picture is a stranger's file: its format is one of a list
(formats), its structure is bounded before it is decoded (bounds), and what is not PNG, JPEG or BMP is decoded by a
process that may be ended (worker).
"""

from .bare import bare_copy
from .formats import ENDINGS, form_of
from .read import image_size, picture_bytes, read_rgb

__all__ = ["ENDINGS", "bare_copy", "form_of", "image_size", "picture_bytes", "read_rgb"]
