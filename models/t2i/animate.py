"""AnimateDiff's motion module on Stable Diffusion 1.5, one frame. Whether it is the tables' "Animate" is in doubt.

The tables do not say whether "Animate" is AnimateDiff or Animagine, an SDXL. Other motion modules and whole AnimateDiff
pipelines run by --model_dir, and so does Animagine: --model_dir cagliostrolab/animagine-xl-3.1.
"""

from ._diffusers.animatediff import Model as Family


class Model(Family):
    default_dir = "guoyww/animatediff-motion-adapter-v1-5-2"
    base = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # what a motion module alone is put into
    also = (base,)
    parameters = 1.5
