"""InstructPix2Pix, which edits the reference as the prompt says. It takes no strength and has no text or pixel mode."""

from ._diffusers.edit import Model as Family


class Model(Family):
    default_dir = "timbrooks/instruct-pix2pix"
    parameters = 1.1
