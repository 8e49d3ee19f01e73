"""AnimateDiff: a motion module on Stable Diffusion 1.5, one frame. The tables' "Animate" is more likely Animagine.

Neither is established; models/t2i/animate.py says what speaks for Animagine. Other motion modules and whole AnimateDiff
pipelines run by --model_dir, another Stable Diffusion 1.5 by --base.
"""

from ._diffusers.animatediff import Model as Family


class Model(Family):
    default_dir = "guoyww/animatediff-motion-adapter-v1-5-2"
    base = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # what a motion module alone is put into
    also = (base,)
    parameters = 1.5
