"""The family of models behind a server that speaks OpenAI's protocol. Adapters subclass `Model`.

client: requests, many at a time. answer: what a server's answer means, also one that is an error.
"""

from .client import KEY, Model

__all__ = ["KEY", "Model"]
