"""The family of models behind a server that speaks OpenAI's protocol. Adapters subclass `Model`.

client: requests, many at a time. address: --api_base and proxies. answer: what a server's answer means, also one that
is an error. complaint: which parameter a server refuses. probe: whether it sees images.
"""

from .client import KEY, Model

__all__ = ["KEY", "Model"]
