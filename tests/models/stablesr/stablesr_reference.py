"""StableSR's computation once more, formula by formula on the authors' names, to compare the adapter with.

Functions of a dict of weights in the latent-diffusion layout, in float32; no block of diffusers or transformers, and
nothing of the adapter is used. `p` is the beginning of the names that a function reads.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import (
    conv1d,
    conv2d,
    gelu,
    group_norm,
    interpolate,
    layer_norm,
    leaky_relu,
    linear,
    relu,
    silu,
)

GROUPS = 4  # of the tiny checkpoints; 32 in the authors'


def norm(w, p, h, eps=1e-5):
    return group_norm(h, GROUPS, w[p + ".weight"], w[p + ".bias"], eps)


def conv(w, p, h, stride=1):
    weight = w[p + ".weight"]
    return conv2d(h, weight, w[p + ".bias"], stride, weight.shape[-1] // 2)


def dense(w, p, h):
    return linear(h, w[p + ".weight"], w.get(p + ".bias"))


def attend(q, k, v):
    """softmax(q k^T / sqrt(d)) v over the last two axes, (..., places, d)."""
    return (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v


def embedded_time(w, p, time, width):
    """The transformer's sinusoids, cosines first, through two layers."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(width // 2) / (width // 2))
    angles = float(time) * frequencies
    sines = torch.cat([angles.cos(), angles.sin()])[None]
    return dense(w, p + "time_embed.2", silu(dense(w, p + "time_embed.0", sines)))


def spade(w, p, h, maps):
    seen = relu(conv(w, p + ".mlp_shared.0", maps))
    return norm(w, p + ".param_free_norm", h) * (1 + conv(w, p + ".mlp_gamma", seen)) + conv(w, p + ".mlp_beta", seen)


def resnet(w, p, x, time, maps=None):
    h = conv(w, p + ".in_layers.2", silu(norm(w, p + ".in_layers.0", x)))
    h = h + dense(w, p + ".emb_layers.1", silu(time))[..., None, None]
    h = conv(w, p + ".out_layers.3", silu(norm(w, p + ".out_layers.0", h)))
    if maps is not None:
        h = spade(w, p + ".spade", h, next(each for each in maps if each.shape[-1] == h.shape[-1]))
    return (conv(w, p + ".skip_connection", x) if p + ".skip_connection.weight" in w else x) + h


def attention(w, p, x, heads=4):
    """The structure encoder's: each head's q, k and v follow each other in the convolution's channels."""
    n, c, rows, columns = x.shape
    qkv = conv1d(norm(w, p + ".norm", x).reshape(n, c, -1), w[p + ".qkv.weight"], w[p + ".qkv.bias"])
    size, out = c // heads, []
    for head in range(heads):
        q, k, v = (qkv[:, (3 * head + part) * size : (3 * head + part + 1) * size] for part in range(3))
        out.append(attend(*(each.transpose(1, 2) for each in (q, k, v))).transpose(1, 2))
    h = conv1d(torch.cat(out, 1), w[p + ".proj_out.weight"], w[p + ".proj_out.bias"])
    return x + h.reshape(n, c, rows, columns)


def transformer(w, p, x, text, heads):
    n, c, rows, columns = x.shape
    h = dense(w, p + ".proj_in", norm(w, p + ".norm", x, 1e-6).reshape(n, c, -1).transpose(1, 2))
    b = p + ".transformer_blocks.0"

    def split(each):
        return each.reshape(n, -1, heads, c // heads).transpose(1, 2)

    for number in (1, 2):
        y = layer_norm(h, (c,), w[f"{b}.norm{number}.weight"], w[f"{b}.norm{number}.bias"])
        context = y if number == 1 else text
        q, k, v = (split(dense(w, f"{b}.attn{number}.to_{x}", y if x == "q" else context)) for x in "qkv")
        h = h + dense(w, f"{b}.attn{number}.to_out.0", attend(q, k, v).transpose(1, 2).reshape(n, -1, c))
    y = dense(w, f"{b}.ff.net.0.proj", layer_norm(h, (c,), w[f"{b}.norm3.weight"], w[f"{b}.norm3.bias"]))
    value, gate = y.chunk(2, -1)
    h = h + dense(w, f"{b}.ff.net.2", value * gelu(gate))
    return x + dense(w, p + ".proj_out", h).transpose(1, 2).reshape(x.shape)


def structure(w, latent, time, p="structcond_stage_model."):
    """Four maps, the largest first."""
    t = embedded_time(w, p, time, w[p + "input_blocks.0.0.weight"].shape[0])
    h, kept = conv(w, p + "input_blocks.0.0", latent), []
    for number in range(1, 12):
        if f"{p}input_blocks.{number}.0.op.weight" in w:
            kept.append(h)
            h = conv(w, f"{p}input_blocks.{number}.0.op", h, stride=2)
            continue
        h = resnet(w, f"{p}input_blocks.{number}.0", h, t)
        if f"{p}input_blocks.{number}.1.qkv.weight" in w:
            h = attention(w, f"{p}input_blocks.{number}.1", h)
    h = resnet(w, p + "middle_block.0", h, t)
    h = attention(w, p + "middle_block.1", h)
    kept.append(resnet(w, p + "middle_block.2", h, t))
    return [resnet(w, f"{p}fea_tran.{place}", each, t) for place, each in enumerate(kept)]


def unet(w, noisy, time, text, maps, heads=(1, 2, 4, 4), p="model.diffusion_model."):
    t = embedded_time(w, p, time, w[p + "input_blocks.0.0.weight"].shape[0])
    skips = []
    for number in range(12):
        at = f"{p}input_blocks.{number}"
        if number == 0:
            h = conv(w, at + ".0", noisy)
        elif number % 3 == 0:
            h = conv(w, at + ".0.op", h, stride=2)
        else:
            h = resnet(w, at + ".0", h, t, maps)
            if number < 9:
                h = transformer(w, at + ".1", h, text, heads[(number - 1) // 3])
        skips.append(h)
    h = resnet(w, p + "middle_block.0", h, t, maps)
    h = transformer(w, p + "middle_block.1", h, text, heads[3])
    h = resnet(w, p + "middle_block.2", h, t, maps)
    for number in range(12):
        at = f"{p}output_blocks.{number}"
        h = resnet(w, at + ".0", torch.cat([h, skips.pop()], 1), t, maps)
        if number >= 3:
            h = transformer(w, at + ".1", h, text, heads[3 - number // 3])
        if number % 3 == 2 and number < 11:
            up = interpolate(h, scale_factor=2, mode="nearest")
            h = conv(w, f"{at}.{2 if number >= 3 else 1}.conv", up)
    return conv(w, p + "out.2", silu(norm(w, p + "out.0", h)))


def words(w, tokens, heads=4, p="cond_stage_model.model."):
    """OpenCLIP's text transformer but for its last layer, then the final norm. tokens: (n, 77)."""
    h = w[p + "token_embedding.weight"][tokens] + w[p + "positional_embedding"]
    layers = sum(name.endswith(".ln_1.weight") for name in w)
    n, length, c = h.shape
    mask = torch.full((length, length), -math.inf).triu(1)
    for number in range(layers - 1):
        at = f"{p}transformer.resblocks.{number}"
        y = layer_norm(h, (c,), w[at + ".ln_1.weight"], w[at + ".ln_1.bias"])
        qkv = linear(y, w[at + ".attn.in_proj_weight"], w[at + ".attn.in_proj_bias"])
        q, k, v = (each.reshape(n, length, heads, -1).transpose(1, 2) for each in qkv.chunk(3, -1))
        seen = (q @ k.transpose(-1, -2) / math.sqrt(c // heads) + mask).softmax(-1) @ v
        h = h + dense(w, at + ".attn.out_proj", seen.transpose(1, 2).reshape(n, length, c))
        y = layer_norm(h, (c,), w[at + ".ln_2.weight"], w[at + ".ln_2.bias"])
        h = h + dense(w, at + ".mlp.c_proj", gelu(dense(w, at + ".mlp.c_fc", y)))
    return layer_norm(h, (c,), w[p + "ln_final.weight"], w[p + "ln_final.bias"])


def vae_resnet(w, p, x):
    h = conv(w, p + ".conv1", silu(norm(w, p + ".norm1", x, 1e-6)))
    h = conv(w, p + ".conv2", silu(norm(w, p + ".norm2", h, 1e-6)))
    shortcut = next((each for each in ("nin_shortcut", "conv_out") if f"{p}.{each}.weight" in w), None)
    return (conv(w, f"{p}.{shortcut}", x) if shortcut else x) + h


def vae_middle(w, p, h):
    h = vae_resnet(w, p + ".block_1", h)
    y = norm(w, p + ".attn_1.norm", h, 1e-6)
    q, k, v = (conv(w, f"{p}.attn_1.{each}", y).flatten(2).transpose(1, 2) for each in "qkv")
    seen = attend(q, k, v).transpose(1, 2).reshape(h.shape)
    return vae_resnet(w, p + ".block_2", h + conv(w, p + ".attn_1.proj_out", seen))


def encode(w, picture, levels=4):
    """picture, from -1 to 1, as a distribution's mean and deviation; and level -> what the encoder saw there."""
    h, seen = conv(w, "encoder.conv_in", picture), {}
    for level in range(levels):
        for place in range(2):
            h = vae_resnet(w, f"encoder.down.{level}.block.{place}", h)
        seen[level] = h
        if level < levels - 1:  # the half above and to the left stays without padding
            at = f"encoder.down.{level}.downsample.conv"
            h = conv2d(torch.nn.functional.pad(h, (0, 1, 0, 1)), w[at + ".weight"], w[at + ".bias"], 2)
    h = silu(norm(w, "encoder.norm_out", vae_middle(w, "encoder.mid", h), 1e-6))
    mean, logarithm = conv(w, "quant_conv", conv(w, "encoder.conv_out", h)).chunk(2, 1)
    return mean, (0.5 * logarithm.clamp(-30, 20)).exp(), seen


def dense_block(w, p, h):
    seen = [h]
    for number in range(1, 5):
        seen.append(leaky_relu(conv(w, f"{p}.conv{number}", torch.cat(seen, 1)), 0.2))
    return h + 0.2 * conv(w, p + ".conv5", torch.cat(seen, 1))


def fused(w, p, encoded, decoded, weight):
    h = vae_resnet(w, p + ".encode_enc_1", torch.cat([encoded, decoded], 1))
    for block in range(2):
        inner = h
        for number in (1, 2, 3):
            inner = dense_block(w, f"{p}.encode_enc_2.{block}.rdb{number}", inner)
        h = h + 0.2 * inner
    return decoded + weight * vae_resnet(w, p + ".encode_enc_3", h)


def decode(w, latent, seen, weight=0.5, levels=4):
    h = vae_middle(w, "decoder.mid", conv(w, "decoder.conv_in", conv(w, "post_quant_conv", latent)))
    for level in reversed(range(levels)):
        for place in range(3):
            h = vae_resnet(w, f"decoder.up.{level}.block.{place}", h)
        if level in (1, 2):
            h = fused(w, f"decoder.fusion_layer_{level}", seen[level], h, weight)
        if level > 0:
            h = conv(w, f"decoder.up.{level}.upsample.conv", interpolate(h, scale_factor=2, mode="nearest"))
    return conv(w, "decoder.conv_out", silu(norm(w, "decoder.norm_out", h, 1e-6)))


def schedule(steps):
    """Times, and for each the kept share and its respaced beta, all from the noisiest on (Nichol and Dhariwal 2021)."""
    kept = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)
    times = sorted({round(999 / (steps - 1) * place) for place in range(steps)})
    share = kept[times]
    betas = 1 - share / np.append(1.0, share[:-1])
    return times[::-1], share[::-1], betas[::-1]


def sample(predict, latent, steps, source):
    """Spaced DDPM from `latent` at time 999. predict: (noisy, time) -> noise. source: gives normal noise, in turn."""
    times, share, betas = schedule(steps)
    kept = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)[999]
    x = latent * kept**0.5 + source() * (1 - kept) ** 0.5
    for place, time in enumerate(times):
        a, b = share[place], betas[place]
        before = share[place + 1] if place + 1 < len(times) else 1.0
        start = (x - (1 - a) ** 0.5 * predict(x, time)) / a**0.5
        x = before**0.5 * b / (1 - a) * start + (1 - b) ** 0.5 * (1 - before) / (1 - a) * x
        if time > 0:
            x = x + (b * (1 - before) / (1 - a)) ** 0.5 * source()
    return x


def tiled(predict, noisy, reference, size, stride):
    """`predict(noisy, reference)` in tiles, averaged under the authors' Gaussian, whose centre is off centre."""
    across = np.exp(-(((np.arange(size) - (size - 1) / 2) / size) ** 2) / 0.02)
    down = np.exp(-(((np.arange(size) - size / 2) / size) ** 2) / 0.02)
    bell = torch.tensor(np.outer(down, across), dtype=torch.float32)
    total, weight = torch.zeros_like(noisy), torch.zeros_like(noisy)
    rows, columns = noisy.shape[2:]

    def begins(length):
        return sorted({min(each, length - size) for each in range(0, length, stride)})

    for top in begins(rows):
        for left in begins(columns):
            at = (..., slice(top, top + size), slice(left, left + size))
            total[at] += predict(noisy[at], reference[at]) * bell
            weight[at] += bell
    return total / weight


def adain(picture, colours):
    def figures(each):
        return each.mean((2, 3), keepdim=True), (each.flatten(2).var(2)[..., None, None] + 1e-5).sqrt()

    (mean, deviation), (wanted, spread) = figures(picture), figures(colours)
    return (picture - mean) / deviation * spread + wanted
