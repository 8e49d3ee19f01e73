"""Every decoder by its name: the tiny checkpoint of its architecture, its modes, a job for it."""

from __future__ import annotations

from diffusion_jobs import job

ALL = {"full", "image", "pixel", "text"}
EDIT = {"full", "image", "text"}
# name on the command line -> tiny checkpoint, modes, the size that comes out for ODD
ODD = (150, 100)
DECODERS = {
    "real": ("sdxl", ALL, (128, 96)),
    "sdxl": ("sdxl", ALL, (128, 96)),
    "sd15": ("sd15", ALL, (128, 96)),
    "instructpix": ("instructpix", {"full", "image"}, (128, 96)),
    "ssd1b": ("ssd1b", ALL, (128, 96)),
    "pg20": ("sdxl", ALL, (128, 96)),
    "pg25": ("pg25", ALL, (128, 96)),
    "dreamlike": ("sd15", ALL, (128, 96)),
    "animate": ("sdxl", ALL, (128, 96)),
    "animatediff": ("motion_adapter", ALL, (128, 96)),
    "sd3": ("sd3", ALL, (128, 96)),
    "flux": ("flux", ALL, (128, 96)),
    "flux-kontext": ("flux_kontext", EDIT, (128, 96)),
    "flux2": ("flux2", EDIT, (128, 96)),
    "qwen-image": ("qwen_image", ALL, (144, 96)),
    "qwen-image-edit": ("qwen_image_edit_plus", {"full", "image"}, (144, 96)),
    "z-image": ("z_image", ALL, (128, 96)),
    "kandinsky3": ("kandinsky3", ALL, (128, 64)),
    "pixart": ("pixart", {"text"}, (128, 96)),
    "sana": ("sana", {"text"}, (128, 96)),
}
GUIDED = [name for name, (_, modes, _) in DECODERS.items() if "full" in modes]
TEXT = [name for name, (_, modes, _) in DECODERS.items() if "text" in modes]
CASES = [(name, text) for name in DECODERS for text in (False, True) if name in (TEXT if text else GUIDED)]


def task(model, seed=1, text=False, **other):
    strength = 0.5 if model.accepts_strength and not text else None
    return job(seed, text=text, **{"size": ODD, "steps": 4, "strength": strength, **other})
