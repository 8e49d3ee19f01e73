"""Florence-2, converted for transformers: 0.8 billion parameters, a captioner that a CPU can run.

It follows no instructions. Its three caption tasks differ in length, so the word count that is asked for chooses one,
and the prompt's hints are not read: up to 10 words <CAPTION> (one short sentence), up to 20 <DETAILED_CAPTION> (one or
two sentences), above that <MORE_DETAILED_CAPTION> (a paragraph).
"""

from ._transformers import Model as Family

TASKS = ((10, "<CAPTION>"), (20, "<DETAILED_CAPTION>"))  # most words, task
LONGEST = "<MORE_DETAILED_CAPTION>"


class Model(Family):
    default_dir = "florence-community/Florence-2-large"
    parameters = 0.8

    def _request(self, prompt: str, words: int) -> str:
        return next((task for most, task in TASKS if words <= most), LONGEST)
