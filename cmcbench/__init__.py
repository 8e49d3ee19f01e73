"""CMC-Bench: measures image compression by language and diffusion models. See README.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the checkout: scripts, requirements, the user's folders
__version__ = "0.2.0"
