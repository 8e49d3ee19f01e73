"""What the programs in docs/learned-codecs.md call of their authors' code, with the same names and arguments."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

# A picture as a byte of its mean, in the authors' shapes: what a stand-in's decoder makes of it can be told in advance
STAND_INS = {
    "NeuralCompression": {
        "hubconf.py": """
import collections, torch
dependencies = ["torch"]
Sent = collections.namedtuple("Sent", "latent_strings hyper_latent_strings image_size padded_size")
class Model(torch.nn.Module):
    def __init__(self, quality):
        super().__init__()
        self.quality, self.ready = quality, []
    def update(self): self.ready.append("update")
    def update_tensor_devices(self, operation): self.ready.append(operation)
    def compress(self, image, force_cpu=True):
        assert self.ready == ["update", "compress"] and not force_cpu and not self.training
        height, width = image.shape[-2:]
        padded = height + -height % 64, width + -width % 64
        latent = bytes([int(image.mean() * 255 + 0.5)])
        return Sent([latent], [bytes([side // 64 for side in padded]) * self.quality], (height, width), padded)
    def decompress(self, sent, force_cpu=True):
        assert self.ready == ["update", "compress"] and not force_cpu
        assert sent.hyper_latent_strings == [bytes([side // 64 for side in sent.padded_size]) * self.quality]
        return torch.full((1, 3, *sent.image_size), sent.latent_strings[0][0] / 255)
def msillm_quality_3(pretrained=True): return Model(3)
""",
    },
    "StableCodec": {
        "src/compress_utils.py": """
import struct
def write_body(fd, shape, strings):
    fd.write(struct.pack(">3I", *shape, len(strings)))
    for (each,) in strings: fd.write(struct.pack(">I", len(each)) + each)
def read_body(fd):
    *shape, count = struct.unpack(">3I", fd.read(12))
    return [[fd.read(struct.unpack(">I", fd.read(4))[0])] for _ in range(count)], tuple(shape)
""",
        "src/my_utils/testing_utils.py": """
import argparse
def parse_args_testing(input_args=None):
    options = argparse.ArgumentParser()
    for name in ("sd_path", "elic_path", "codec_path"): options.add_argument("--" + name)
    return options.parse_args(input_args)
""",
        "src/StableCodec.py": """
import torch
class StableCodec(torch.nn.Module):
    def __init__(self, sd_path=None, args=None):
        super().__init__()
        assert sd_path == args.sd_path and args.codec_path.endswith("weights/stablecodec_ft8.pkl") and args.elic_path
        self.codec = torch.nn.Identity()
        self.codec.update = lambda force: setattr(self, "updated", force)
    def compress(self, x):
        assert self.updated and not any(side % 256 for side in x.shape[-2:]) and x.min() >= -1
        mean, shape = bytes([int(x.mean() * 127.5 + 128)]), tuple(side // 256 for side in x.shape[-2:])
        return {"strings": [[mean], [b"z"]], "shape": shape}
    def decompress(self, strings, shape, prompt):
        assert prompt == [1] and strings[1] == [b"z"]
        return torch.full((1, 3, *(256 * side for side in shape)), strings[0][0][0] / 127.5 - 1)
""",
    },
    "PerCo": {
        "src/config.py": """
class ConfigPerco:
    blip_model, max_number_tokens, target_rate, num_inference_steps, guidance_scale = "blip2", 32, 0.125, 20, 3.0
""",
        "src/compression_utils.py": """
import zlib, torch
from config import ConfigPerco as cfg_perco
def compress_hyper_latent(indices):
    assert cfg_perco.target_rate == 0.0313
    return bytes(indices.flatten().tolist())
def decompress_hyper_latent(data, shape):
    assert shape == (512, 512)
    return torch.tensor(list(data)).reshape(1, 1, 1)
def compress_text(text): return zlib.compress(text.encode(), level=9)
def decompress_text(data): return zlib.decompress(data).decode()
""",
        "src/pipeline_sd_perco.py": """
import torch
from types import SimpleNamespace as Some
from PIL import Image
class StableDiffusionPipelinePerco:
    @classmethod
    def from_pretrained(cls, path, safety_checker, requires_safety_checker):
        assert path.endswith("weights/0.0313")
        return cls()
    def to(self, device):
        latents = lambda x: Some(latent_dist=Some(sample=lambda: x))
        self.vae = Some(encode=latents, config=Some(scaling_factor=0.5))
        quantizer = torch.nn.Identity()
        quantizer.get_output_from_indices = lambda indices: indices[..., None].float()
        class Hyper:
            def __call__(self, z): return Some(indices=(z.mean() * 255 + 128).round().long().reshape(1, 1, 1))
        self.hyper_enc = Hyper()
        self.hyper_enc.quantizer = quantizer
        return self
    def __call__(self, text, z, height, width, num_inference_steps, guidance_scale, generator):
        assert text == "a red barn" and (num_inference_steps, guidance_scale) == (20, 3.0) and z.shape == (1, 1, 1, 1)
        assert generator.initial_seed() == 42
        return Some(images=[Image.new("RGB", (width, height), (int(z),) * 3)])
""",
        "src/transformers.py": """
class Inputs(dict):
    def to(self, device): return self
class Blip2Processor:
    @classmethod
    def from_pretrained(cls, name): return cls()
    def __call__(self, images, return_tensors): return Inputs(pixels=images)
    def batch_decode(self, ids, skip_special_tokens): return [" a red barn\\n"]
class Blip2ForConditionalGeneration:
    @classmethod
    def from_pretrained(cls, name): return cls()
    def to(self, device): return self
    def generate(self, pixels, max_length):
        assert 1 < pixels.max() <= 255 and max_length == 32
        return [[1]]
""",
    },
    "GenCodec/CoD": {
        "cod/models/autoencoder.py": """
import torch
def fp2uint8(x): return torch.clip((x + 1) * 127.5 + 0.5, 0, 255).to(torch.uint8)
""",
        "cod/inference.py": """
import torch
from types import SimpleNamespace as Some
class Denoiser:
    def compress(self, cond): return [int(cond.mean() * 255 + 0.5)]
    def decompress(self, bitstream, H, W, device, uncond=None):
        assert uncond is not None
        return torch.full((1, 3, H, W), bitstream[0] / 127.5 - 1)
def load_pipeline(config_path, ckpt_path):
    assert (config_path, ckpt_path) == ("CoD_latent_vpred.yaml", "CoD_latent_vpred.pt")
    return Some(vae=Some(decode=lambda x: x), denoiser=Denoiser(), conditioner=lambda y: (y, y * 0), latent=True)
def create_sampler(sampler, step, cfg):
    assert (sampler, step, cfg) == ("adam2", 25, 1.25)
    def sample(denoiser, xT, cond, uncond, codec_cond):
        assert xT.shape == (1, 4, codec_cond.shape[2] // 8, codec_cond.shape[3] // 8) and 0.5 < xT.std() < 1.5
        return codec_cond
    return sample
""",
    },
    "VVCSoftware_VTM": {
        "cfg/encoder_intra_vtm.cfg": "",
        "bin/EncoderAppStatic": """
import pathlib, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert options["-q"] == "42" and {"--InputBitDepth=10", "--InputChromaFormat=444"} < set(sys.argv)
size = pathlib.Path(options["-i"]).stat().st_size
assert size == 6 * int(options["-wdt"]) * int(options["-hgt"]), size
pathlib.Path(options["-b"]).write_bytes(pathlib.Path(options["-i"]).read_bytes())
""",
        "bin/DecoderAppStatic": """
import pathlib, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert options["-d"] == "10"
pathlib.Path(options["-o"]).write_bytes(pathlib.Path(options["-b"]).read_bytes())
""",
    },
}


def clone(folder: Path, name: str) -> None:
    """A folder that looks like the authors' repository with the environment that the page makes in it."""
    python = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'
    for file, text in {**STAND_INS[name], ".venv/bin/python": python}.items():
        path = folder / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        program = "/bin/" in f"/{file}"
        path.write_text(text if not program or text == python else f"#!{sys.executable}\n{text}", encoding="utf-8")
        if program:
            path.chmod(0o755)
