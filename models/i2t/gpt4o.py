"""GPT-4o by OpenAI's API: the benchmark's GPT-4o row. Its published captions are in gpt4v.csv."""

from ._openai import KEY
from ._openai import Model as Family


class Model(Family):
    default_dir = "gpt-4o"
    key = KEY
    # Standard prices, as public price tables had them. A model that is not listed has no known price, and its cost is
    # not told.
    prices = {
        "gpt-4o": (2.50, 10.00),
        "gpt-4o-2024-11-20": (2.50, 10.00),
        "gpt-4o-2024-08-06": (2.50, 10.00),
        "gpt-4o-2024-05-13": (5.00, 15.00),
        "gpt-4o-mini": (0.15, 0.60),
        "gpt-4o-mini-2024-07-18": (0.15, 0.60),
    }
