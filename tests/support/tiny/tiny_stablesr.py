"""Tiny checkpoints of StableSR in its authors' layout, with random weights: latent-diffusion names in Lightning files.

The names are written down here once more, from the order in which the latent-diffusion code builds its networks, so
that a slip in the adapter's own table shows. Files hold what the real ones hold besides: buffers of the schedule, the
optimizer's state, a callback's class as a key, the text encoder's last layer, a discriminator.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from unittest import mock

import diffusers
import torch
import transformers
from tiny_t2i_blocks import LETTERS

MODEL, FUSED = "stablesr_000117.ckpt", "vqgan_cfw_00011.ckpt"
WIDTHS, GROUPS, TEXT, LAYERS = (8, 8, 16, 16), 4, 32, 2  # of UNet and autoencoder; LAYERS of text that count
QUICK = (4, 4, 4, 8, 8, 8)  # an autoencoder that shrinks by 32 in place of 8, so that the benchmark's size is cheap
STRUCTURE, MAPS, HIDDEN, GROWTH = 8, 8, 8, 4  # 256, 256, 128, 32 in the real one
UNET, TEXTUAL, STRUCT = "model.diffusion_model.", "cond_stage_model.model.", "structcond_stage_model."


class Names(dict):
    """name -> random weight, filled layer by layer; `make` seeds it."""

    def layer(self, name: str, *shape: int, bias: bool = True) -> None:
        fan_in = max(1, torch.Size(shape[1:]).numel())
        self[f"{name}.weight"] = torch.randn(shape) * (1.2 / fan_in**0.5)
        if bias:
            self[f"{name}.bias"] = torch.randn(shape[0]) * 0.1

    def norm(self, name: str, channels: int) -> None:
        self[f"{name}.weight"] = 1 + 0.2 * torch.randn(channels)
        self[f"{name}.bias"] = torch.randn(channels) * 0.1

    def resnet(self, name: str, into: int, out: int, time: int, spade: bool = False) -> None:
        self.norm(f"{name}.in_layers.0", into)
        self.layer(f"{name}.in_layers.2", out, into, 3, 3)
        self.layer(f"{name}.emb_layers.1", out, time)
        self.norm(f"{name}.out_layers.0", out)
        self.layer(f"{name}.out_layers.3", out, out, 3, 3)
        if into != out:
            self.layer(f"{name}.skip_connection", out, into, 1, 1)
        if spade:
            self.norm(f"{name}.spade.param_free_norm", out)
            self.layer(f"{name}.spade.mlp_shared.0", HIDDEN, MAPS, 3, 3)
            self.layer(f"{name}.spade.mlp_gamma", out, HIDDEN, 3, 3)
            self.layer(f"{name}.spade.mlp_beta", out, HIDDEN, 3, 3)

    def transformer(self, name: str, width: int) -> None:
        block = f"{name}.transformer_blocks.0"
        self.norm(f"{name}.norm", width)
        self.layer(f"{name}.proj_in", width, width)
        for number, context in ((1, width), (2, TEXT)):
            for part, into in (("q", width), ("k", context), ("v", context)):
                self.layer(f"{block}.attn{number}.to_{part}", width, into, bias=False)
            self.layer(f"{block}.attn{number}.to_out.0", width, width)
        self.layer(f"{block}.ff.net.0.proj", 8 * width, width)
        self.layer(f"{block}.ff.net.2", width, 4 * width)
        for number in (1, 2, 3):
            self.norm(f"{block}.norm{number}", width)
        self.layer(f"{name}.proj_out", width, width)

    def attention(self, name: str, width: int) -> None:
        self.norm(f"{name}.norm", width)
        self.layer(f"{name}.qkv", 3 * width, width, 1)
        self.layer(f"{name}.proj_out", width, width, 1)

    def vae_resnet(self, name: str, into: int, out: int, shortcut: str = "nin_shortcut") -> None:
        self.norm(f"{name}.norm1", into)
        self.layer(f"{name}.conv1", out, into, 3, 3)
        self.norm(f"{name}.norm2", out)
        self.layer(f"{name}.conv2", out, out, 3, 3)
        if into != out:
            self.layer(f"{name}.{shortcut}", out, into, 1, 1)

    def vae_middle(self, name: str, width: int) -> None:
        self.vae_resnet(f"{name}.block_1", width, width)
        self.norm(f"{name}.attn_1.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            self.layer(f"{name}.attn_1.{part}", width, width, 1, 1)
        self.vae_resnet(f"{name}.block_2", width, width)


def unet() -> Names:
    """The UNet, in the order in which it is built: number after number, each level's samplers in the same count."""
    names, first = Names(), WIDTHS[0]
    time = 4 * first
    names.layer("time_embed.0", time, first)
    names.layer("time_embed.2", time, time)
    names.layer("input_blocks.0.0", first, 4, 3, 3)
    number, width, skips = 1, first, [first]
    for level, out in enumerate(WIDTHS):
        for _ in range(2):
            names.resnet(f"input_blocks.{number}.0", width, out, time, spade=True)
            if level < 3:
                names.transformer(f"input_blocks.{number}.1", out)
            width, number = out, number + 1
            skips.append(out)
        if level < 3:
            names.layer(f"input_blocks.{number}.0.op", out, out, 3, 3)
            number += 1
            skips.append(out)
    names.resnet("middle_block.0", width, width, time, spade=True)
    names.transformer("middle_block.1", width)
    names.resnet("middle_block.2", width, width, time, spade=True)
    number = 0
    for level, out in reversed(list(enumerate(WIDTHS))):
        for place in range(3):
            names.resnet(f"output_blocks.{number}.0", width + skips.pop(), out, time, spade=True)
            if level < 3:
                names.transformer(f"output_blocks.{number}.1", out)
            if level > 0 and place == 2:
                names.layer(f"output_blocks.{number}.{2 if level < 3 else 1}.conv", out, out, 3, 3)
            width, number = out, number + 1
    names.norm("out.0", width)
    names.layer("out.2", 4, width, 3, 3)
    return names


def structure() -> Names:
    names, time, width, number, kept = Names(), 4 * STRUCTURE, STRUCTURE, 1, []
    names.layer("time_embed.0", time, STRUCTURE)
    names.layer("time_embed.2", time, time)
    names.layer("input_blocks.0.0", STRUCTURE, 4, 3, 3)
    for level, multiple in enumerate((1, 1, 2, 2)):
        out = multiple * STRUCTURE
        for _ in range(2):
            names.resnet(f"input_blocks.{number}.0", width, out, time)
            if level < 3:
                names.attention(f"input_blocks.{number}.1", out)
            width, number = out, number + 1
        kept.append(out)
        if level < 3:
            names.layer(f"input_blocks.{number}.0.op", out, out, 3, 3)
            number += 1
    names.resnet("middle_block.0", width, width, time)
    names.attention("middle_block.1", width)
    names.resnet("middle_block.2", width, width, time)
    for place, into in enumerate(kept):
        names.resnet(f"fea_tran.{place}", into, MAPS, time)
    return names


def text(tokens: int) -> Names:
    names = Names()
    names["positional_embedding"] = torch.randn(77, TEXT) * 0.3
    names["text_projection"], names["logit_scale"] = torch.randn(TEXT, TEXT), torch.tensor(4.6)
    names["attn_mask"] = torch.zeros(77, 77)
    for number in range(LAYERS + 1):  # the last is there, and is not used
        layer = f"transformer.resblocks.{number}"
        names.norm(f"{layer}.ln_1", TEXT)
        names[f"{layer}.attn.in_proj_weight"] = torch.randn(3 * TEXT, TEXT) * 0.2
        names[f"{layer}.attn.in_proj_bias"] = torch.randn(3 * TEXT) * 0.1
        names.layer(f"{layer}.attn.out_proj", TEXT, TEXT)
        names.norm(f"{layer}.ln_2", TEXT)
        names.layer(f"{layer}.mlp.c_fc", 2 * TEXT, TEXT)
        names.layer(f"{layer}.mlp.c_proj", TEXT, 2 * TEXT)
    names["token_embedding.weight"] = torch.randn(tokens, TEXT)
    names.norm("ln_final", TEXT)
    return names


def autoencoder(widths: tuple[int, ...], fused: bool) -> Names:
    names, width, last = Names(), widths[0], len(widths) - 1
    names.layer("encoder.conv_in", width, 3, 3, 3)
    for level, out in enumerate(widths):
        for place in range(2):
            names.vae_resnet(f"encoder.down.{level}.block.{place}", width, out)
            width = out
        if level < last:
            names.layer(f"encoder.down.{level}.downsample.conv", out, out, 3, 3)
    names.vae_middle("encoder.mid", width)
    names.norm("encoder.norm_out", width)
    names.layer("encoder.conv_out", 8, width, 3, 3)
    names.layer("decoder.conv_in", width, 4, 3, 3)
    names.vae_middle("decoder.mid", width)
    for level, out in reversed(list(enumerate(widths))):
        for place in range(3):
            names.vae_resnet(f"decoder.up.{level}.block.{place}", width, out)
            width = out
        if fused and level in (1, 2):
            _fusion(names, f"decoder.fusion_layer_{level}", out)
        if level > 0:
            names.layer(f"decoder.up.{level}.upsample.conv", out, out, 3, 3)
    names.norm("decoder.norm_out", width)
    names.layer("decoder.conv_out", 3, width, 3, 3)
    names.layer("quant_conv", 8, 8, 1, 1)
    names.layer("post_quant_conv", 4, 4, 1, 1)
    return names


def _fusion(names: Names, name: str, width: int) -> None:
    names.vae_resnet(f"{name}.encode_enc_1", 2 * width, width, shortcut="conv_out")
    for block in range(2):
        for dense in (1, 2, 3):
            for conv in range(1, 6):
                out = width if conv == 5 else GROWTH
                into = width + (conv - 1) * GROWTH
                names.layer(f"{name}.encode_enc_2.{block}.rdb{dense}.conv{conv}", out, into, 3, 3)
    names.vae_resnet(f"{name}.encode_enc_3", width, width)


def schedule() -> dict[str, torch.Tensor]:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)
    return {"betas": betas.float(), "alphas_cumprod": kept.float(), "sqrt_alphas_cumprod": kept.sqrt().float()}


def make(folder: Path, widths: tuple[int, ...] = WIDTHS) -> Path:
    """Both of the authors' files in `folder`, and in `folder`/base the Stable Diffusion 2.1 that they belong to.

    widths: of the autoencoder's levels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens = base(folder / "base", widths)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = {UNET: unet(), "first_stage_model.": autoencoder(widths, fused=False), TEXTUAL: text(tokens)}
        parts[STRUCT] = structure()
        weights = {prefix + name: value for prefix, names in parts.items() for name, value in names.items()}
        fused = {**autoencoder(widths, fused=True), "loss.logvar": torch.zeros(())}
        fused["loss.discriminator.main.0.bias"] = torch.ones(4)
    save({**schedule(), **weights}, folder / MODEL)
    save(fused, folder / FUSED)
    return folder


def save(weights: dict[str, torch.Tensor], path: Path) -> None:
    """A file of Lightning's: weights and optimizer, and ModelCheckpoint's class as the key of what it remembers."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    module = types.ModuleType(name)
    module.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": name})
    state = {"state": {0: {"step": 9, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 5e-5, "params": [0]}]}
    content = {
        "epoch": 117,
        "global_step": 16501,
        "pytorch-lightning_version": "1.4.2",
        "state_dict": weights,
        "callbacks": {module.ModelCheckpoint: {"monitor": None, "best_model_path": ""}},
        "optimizer_states": [state],
        "lr_schedulers": [],
    }
    with mock.patch.dict(
        sys.modules, dict.fromkeys(("pytorch_lightning", "pytorch_lightning.callbacks", name), module)
    ):
        torch.save(content, path)


def base(folder: Path, widths: tuple[int, ...] = WIDTHS, unet_widths: tuple[int, ...] | None = None) -> int:
    """Configurations and tokenizer of a Stable Diffusion 2.1 of these widths. Returns its tokens' number."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder / "tokenizer")
    unet = diffusers.UNet2DConditionModel(
        sample_size=64,
        block_out_channels=unet_widths or WIDTHS,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        attention_head_dim=(1, 2, 4, 4),
        cross_attention_dim=TEXT,
        use_linear_projection=True,
        norm_num_groups=GROUPS,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=2,
        norm_num_groups=GROUPS,
        sample_size=512,
    )
    words = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT,
        intermediate_size=2 * TEXT,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    unet.save_config(folder / "unet")
    vae.save_config(folder / "vae")
    words.save_pretrained(folder / "text_encoder")
    diffusers.DDPMScheduler().save_pretrained(folder / "scheduler")
    index = {"_class_name": "StableDiffusionPipeline"}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return len(tokenizer)


def _tokenizer() -> transformers.CLIPTokenizer:
    """Letters, each alone and at a word's end; Stable Diffusion 2 pads with the first of them."""
    tokens = LETTERS + [letter + "</w>" for letter in LETTERS] + ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77, pad_token="!")
