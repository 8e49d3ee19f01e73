"""Any model behind an OpenAI-compatible server (vLLM, SGLang, LM Studio, Ollama, OpenAI), by --api_base and
--model_dir.
"""

from ._openai import Model as Family


class Model(Family):
    pass
