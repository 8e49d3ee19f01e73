"""Animagine XL 3.1, an SDXL of drawings: taken for the tables' "Animate", which nothing says for certain.

Neither the paper nor the published script says whether "Animate" is Animagine or AnimateDiff. For Animagine speak:
- The script loads what it does not name with diffusers' auto pipeline and files of the variant fp16. That loads an
  SDXL, and not AnimateDiff, which has no such files and is in no auto mapping.
- The table's Image-FR (2.25) lies below that of SDXL (2.35) and SD15 (2.42), as a style of drawings would have it.
The version is a guess: the script's time knew Linaqruf/animagine-xl too, which has fp16 files (--model_dir).
AnimateDiff is --model_name animatediff.
"""

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "cagliostrolab/animagine-xl-3.1"
    parameters = 3.5
