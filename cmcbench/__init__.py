"""CMC-Bench: measures image compression by language and diffusion models. See README.md."""

__version__ = "0.2.0"
