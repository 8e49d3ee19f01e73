"""CLIPSIM: the cosine of the image embeddings of a tiny CLIP, and what is no CLIP checkpoint."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from paper_scores import summary
from PIL import Image, ImageFilter

from cmcbench.errors import RunFailed
from cmcbench.score.metrics.clipsim import Clipsim


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A tiny random CLIP checkpoint, as the hub's are."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(3)
    part = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**part, "vocab_size": 50, "max_position_embeddings": 8},
        vision_config={**part, "image_size": 48, "patch_size": 16},
        projection_dim=24,
    )
    folder = tmp_path_factory.mktemp("clip")
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 48}, crop_size={"height": 48, "width": 48}).save_pretrained(folder)
    return folder


def test_clipsim_is_the_cosine_of_image_embeddings(clip, small_truth):
    from torchvision.transforms.v2 import functional as change
    from transformers import CLIPModel

    whole = CLIPModel.from_pretrained(clip).eval()

    def embedding(image):
        pixels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())
        pixels = change.center_crop(
            change.resize(pixels, [48], interpolation=change.InterpolationMode.BICUBIC, antialias=True), [48, 48]
        )
        mean, spread = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
        with torch.no_grad():
            tokens = {"input_ids": torch.ones(1, 2, dtype=torch.long)}
            return whole(
                pixel_values=change.normalize(pixels.float() / 255, mean, spread)[None], **tokens
            ).image_embeds[0]

    metric = Clipsim(str(clip))
    metric.load("cpu")
    truth = Image.open(sorted(small_truth.iterdir())[1]).convert("RGB")
    pictures = [truth.filter(ImageFilter.GaussianBlur(2)), Image.new("RGB", truth.size, "red"), truth]
    found = metric.score(truth, pictures)
    expected = [float(torch.cosine_similarity(embedding(truth), embedding(each), dim=0)) for each in pictures]
    assert found == pytest.approx(expected, abs=1e-5) and found[2] == pytest.approx(1, abs=1e-6)
    assert found[0] > found[1] and metric.needs_truth and not metric.lower_is_better
    assert metric.identity.startswith("CLIP folder:") and Clipsim().identity == "CLIP hub:openai/clip-vit-base-patch32"


def test_what_is_no_clip_checkpoint(clip, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(clip, tmp_path / "broken")
    state = load_file(broken / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, broken / "model.safetensors", {"format": "pt"})
    pickled = shutil.copytree(clip, tmp_path / "pickled")
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    (tmp_path / "empty").mkdir()
    for folder, reason in (
        (broken, "lacks 1 tensors, visual_projection.weight"),
        (pickled, "cannot be made ready"),
        (tmp_path / "empty", "--clip_model"),
    ):
        with pytest.raises(RunFailed, match=reason):
            Clipsim(str(folder)).load("cpu")


def test_clipsim_by_the_script(ready, clip):
    ready.score("--metrics", "clipsim,psnr", "--clip_model", clip, "--no_report")
    assert summary(ready)["modes"]["full"]["metrics"]["clipsim"]["n"] == 4
    assert summary(ready)["metrics"]["clipsim"]["kind"] == "FR"
