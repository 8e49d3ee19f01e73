"""What a forger changes in the files of a submission, and what verify says of it."""

from __future__ import annotations


def first(column, value):
    return lambda rows: rows[0].update({column: value})


def every(column, value):
    return lambda rows: [row.update({column: value}) for row in rows]


def deep(*keys, to):
    """A change of the value at the end of the keys."""

    def change(document):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = to

    return change


def same_files(rows):
    """Image mode hands in full mode's picture and still has other scores."""
    rows[1].update(reconstruction=rows[0]["reconstruction"])


SCORES = {
    "a score raised": (first("topiq_fr", "2.99"), "summary.json.modes.full.metrics.topiq_fr.mean: is "),
    "larger than can be summed": (first("topiq_fr", "1e308"), "row 2: '1e308' is not a finite number, or above 1e+15"),
    "NaN": (first("topiq_fr", "nan"), "scores.csv, row 2: 'nan' is not a finite number"),
    "infinite": (first("topiq_nr", "1e999"), "row 2: '1e999' is not a finite number"),
    "hexadecimal": (first("topiq_nr", "0x10"), "row 2: '0x10' is not a finite number"),
    "digits of another script": (first("topiq_nr", "٣"), "is not a finite number"),
    "a number of a thousand digits": (first("topiq_fr", "1" * 1000), "is not a finite number"),
    "beyond the scale": (
        first("topiq_nr", "9.5"),
        "AIGI_MJ_007.png, mode full: topiq_nr is 9.5, and from -1 to 6 is plausible",
    ),
    "no score": (first("topiq_nr", ""), "AIGI_MJ_007.png, mode full: has no topiq_nr"),
    "the same score everywhere": (
        every("topiq_fr", "2.5"),
        "mode full has 1 different values of topiq_fr for 7 images",
    ),
    "one column twice": (
        lambda rows: [row.update(topiq_nr=row["topiq_fr"]) for row in rows],
        "mode full has the same numbers for topiq_fr and topiq_nr",
    ),
    "other scores of the same files": (
        same_files,
        "mode image: topiq_fr differs from that of the same two files in mode full",
    ),
    "a row left out": (
        lambda rows: rows.pop(),
        "scores.csv: mode text lacks 1 images that another mode has (first: odd.png)",
    ),
    "an image left out": (
        lambda rows: rows.__delitem__(slice(0, 4)),
        "scores.csv: is about 6 images, and the ground truth has 7",
    ),
    "a row twice": (lambda rows: rows.append(rows[0]), "row 30: AIGI_MJ_007.png stands twice in mode full"),
    "a name in other letters": (
        lambda rows: rows[0].update(name="ODD.png", type="other", source=""),
        "'odd.png' and 'ODD.png' are the same name",
    ),
    "a name that leads away": (first("name", "../../etc/passwd"), "row 2: '../../etc/passwd' is not a plain file name"),
    "a mode that there is not": (
        first("mode", "best"),
        "row 2: 'best' is not one of the modes full, image, pixel, text",
    ),
    "another type": (first("type", "NSI"), "row 2: type and source are 'NSI' and 'MJ', the name says 'AIGI' and 'MJ'"),
    "the original handed in": (
        lambda rows: rows[0].update(reconstruction=rows[0]["ground_truth"]),
        "the reconstruction is the ground truth AIGI_MJ_007.png itself",
    ),
    "one picture for two": (
        lambda rows: rows[4].update(reconstruction=rows[0]["reconstruction"]),
        "mode full: the reconstruction is the same file as that of AIGI_MJ_007.png",
    ),
    "another original": (first("ground_truth", "0" * 16), "has another ground truth than in another mode"),
    "a digest that is none": (first("ground_truth", "no"), "ground_truth 'no' is not a digest"),
    "fewer bits": (first("bits", "100"), "100 bits are not the sum of caption, pixels and image"),
    "negative bits": (first("bits", "-100"), "row 2: '-100' is not a whole number from 0 on"),
    "a lower bpp": (first("bpp", "0.001"), "mode full: bpp is 0.001, and "),
    "negative bpp": (first("bpp", "-0.001"), "row 2: bpp is below 0"),
    "bits without bpp": (first("bpp", ""), "of kind, bits and bpp some are given and some are not"),
    "fewer bits of the caption": (first("caption_bits", "8"), "caption_bits are 8, and its caption has "),
    "a measured rate that was nominal": (
        first("kind", "measured"),
        "the rate's kind is measured, in rates.csv 'nominal'",
    ),
    "a kind of rate that there is not": (first("kind", "guessed"), "the rate's kind is 'guessed'"),
    "less memory": (first("peak_memory", "1"), "peak_memory is 1, in rates.csv '1073741824'"),
}
SUMMARY = {
    "a mean raised": (
        deep("modes", "full", "metrics", "topiq_fr", "mean", to=2.99),
        "summary.json.modes.full.metrics.topiq_fr.mean: is 2.99, and scores.csv gives ",
    ),
    "a type's mean": (
        deep("modes", "full", "types", "NSI", "topiq_fr", "mean", to=2.99),
        "summary.json.modes.full.types.NSI.topiq_fr.mean: is 2.99",
    ),
    "a source's mean": (
        deep("modes", "text", "sources", "SCI_game", "topiq_nr", "mean", to=2.99),
        "sources.SCI_game.topiq_nr.mean: is 2.99",
    ),
    "a number of images": (
        deep("modes", "full", "metrics", "topiq_fr", "n", to=1000),
        "metrics.topiq_fr.n: is 1000, and scores.csv gives 7",
    ),
    "a source that there is not": (
        lambda found: found["modes"]["full"]["sources"].update(NSI_ugc={}),
        "summary.json.modes.full.sources: has 'NSI_ugc', and scores.csv gives none",
    ),
    "a type left out": (
        lambda found: found["modes"]["full"]["types"].pop("NSI"),
        "summary.json.modes.full.types: has no NSI, and scores.csv gives it",
    ),
    "a mean over modes": (deep("over_modes", "topiq_nr", to=2.99), "summary.json.over_modes.topiq_nr: is 2.99"),
    "a rate": (deep("modes", "pixel", "rate", "pixel", to=0.001), "summary.json.modes.pixel.rate.pixel: is 0.001"),
    "a compression ratio": (
        deep("modes", "full", "rate", "ratio", to=1e6),
        "summary.json.modes.full.rate.ratio: is 1000000",
    ),
    "a cost": (
        deep("modes", "full", "cost", "decode_seconds", to=0.5),
        "summary.json.modes.full.cost.decode_seconds: is 0.5, and scores.csv gives 1.25",
    ),
    "bpp": (deep("modes", "full", "bpp", "mean", to=0.01), "summary.json.modes.full.bpp.mean: is 0.01"),
    "an interval without its mean": (
        deep("modes", "full", "metrics", "topiq_fr", "low", to=2.9),
        "modes.full.metrics.topiq_fr: the interval from 2.9 to ",
    ),
    "an interval of Overall": (
        deep("overall_interval", "t2i", to=[2.9, 3.0]),
        "summary.json.overall_interval.t2i: the interval from 2.9 to 3.0 does not hold the mean",
    ),
    "another ground truth": (
        deep("ground_truth", "digest", to="0" * 16),
        "summary.json.ground_truth.digest: is '0000000000000000'",
    ),
    "lower is better": (
        deep("metrics", "topiq_fr", "lower_is_better", to=True),
        "topiq_fr is told to be FR, lower is better: True",
    ),
    "other weights": (
        deep("metrics", "topiq_fr", "identity", to="weights 0000000000000000"),
        "topiq_fr was scored with 'weights 0000000000000000', not with the weights of submission.json",
    ),
    "another decoder": (deep("made_by", "t2i", to="ours"), "made_by t2i is 'ours', and manifest.json says 'real'"),
    "another seed": (deep("seed", to=43), "summary.json: seed is 43, and manifest.json gives 42"),
    "another system": (deep("system", to="0" * 16), "system is '0000000000000000', and manifest.json gives '"),
    "a seed that is none": (deep("seed", to="42"), "summary.json: $.seed: type 'integer' does not hold"),
    "a system that is none": (deep("system", to="x"), "summary.json: $.system: pattern"),
    "another target": (deep("target", to="ours"), "target is 'real', and summary.json says 'ours'"),
    "text for a number": (deep("overall", "t2i", to="3"), "summary.json: $.overall.t2i: anyOf"),
    "a metric that no row has": (
        lambda found: found["metrics"].update(x={"kind": "FR", "lower_is_better": False, "identity": ""}),
        "summary.json.over_modes: has no x",
    ),
    "images beyond all bounds": (
        deep("ground_truth", "images", to=10**9),
        "$.ground_truth.images: maximum 20000 does not hold",
    ),
    "a partial mode": (deep("ground_truth", "images", to=1000), "mode full has both scores of 7 of 1000 images"),
}
MANIFEST = {
    "hidden steps": (
        deep("modes", "full", "settings", "steps", to=20),
        "a deviation is not listed: mode full: steps 20, published 40",
    ),
    "a hidden seed": (
        deep("modes", "text", "settings", "seed", to=7),
        "a deviation is not listed: mode text: seed 7, published 42",
    ),
    "hidden strength": (
        deep("modes", "pixel", "settings", "strength", to=0.5),
        "a deviation is not listed: mode pixel: strength 0.5, published 0.8",
    ),
    "strength in text mode": (
        deep("modes", "text", "settings", "strength", to=0.5),
        "mode text: strength 0.5, published none",
    ),
    "steps that nothing tells": (
        lambda found: found["modes"]["full"]["settings"].pop("steps"),
        "mode full: steps is not told, published 40",
    ),
    "True for a seed": (deep("modes", "text", "settings", "seed", to=True), "mode text: seed True, published 42"),
    "a hidden LoRA": (
        deep("modes", "full", "settings", "lora", to="folder:1"),
        "a deviation is not listed: mode full: lora 'folder:1', which the published runs did not use",
    ),
    "two checkpoints": (
        deep("modes", "full", "settings", "checkpoint", to="hub:other/x"),
        "the modes were made by more than one checkpoint: 'hub:SG161222/RealVisXL_V4.0', 'hub:other/x'",
    ),
    "another prompt": (
        deep("modes", "image", "inputs", "odd", "prompt", to="0" * 16),
        "mode image: 1 images were not made with the fixed prompt",
    ),
    "another caption decoded": (
        deep("modes", "text", "inputs", "odd", "prompt", to="0" * 16),
        "odd.png, mode text: was decoded from another caption than that in captions.csv",
    ),
    "no prompt": (
        lambda found: found["modes"]["text"]["inputs"]["odd"].pop("prompt"),
        "odd.png, mode text: manifest.json does not tell from which prompt",
    ),
    "a size that is none": (
        deep("modes", "text", "inputs", "odd", "size", to="0x0"),
        "odd.png, mode text: manifest.json does not tell from which prompt and at which size",
    ),
    "no inputs": (
        lambda found: found["modes"]["text"]["inputs"].pop("odd"),
        "odd.png, mode text: manifest.json does not tell from which prompt",
    ),
    "an environment that is none": (deep("environment", to=[1]), "manifest.json: $.environment: type"),
    "a hidden baseline": (deep("baseline", to=True), "the decoder is a baseline, no generative model"),
    "a codec": (deep("codec", to="vvc"), "the pictures come from 'vvc', not from a decoder of the benchmark"),
    "no modes": (lambda found: found.pop("modes"), "manifest.json: $: required"),
    "settings that are none": (deep("modes", "full", "settings", to=[]), "manifest.json: $.modes.full.settings: type"),
}
SUBMISSION = {
    "Overall": (deep("overall", "t2i", to=3.1), "submission.json: overall is "),
    "a deviation left out": (
        lambda found: found["deviations"].pop(0),
        "submission.json: a deviation is not listed: ground truth of 7 images",
    ),
    "a deviation that is none": (
        lambda found: found["deviations"].append("less is more"),
        "a deviation is listed that the files do not show: 'less is more'",
    ),
    "a name that leads away": (deep("target", to="../x"), "the target '../x' is not a plain name"),
    "something said to be absent": (
        deep("absent", "rates.csv", to="lost"),
        "absent names ['rates.csv'], and [] are not there",
    ),
    "an unknown key": (deep("note", to="please"), "submission.json: $: additionalProperties"),
    "another format": (deep("format", to=2), "submission.json: $.format: const 1 does not hold"),
    "a weight's hash": (deep("weights", "topiq_fr", "sha256", to="0" * 64), "not with the weights of submission.json"),
    "weights of another name": (
        deep("weights", "topiq_fr", "file", to="../x"),
        "$.weights.topiq_fr.file: const 'topiq-fr.pth' does not hold",
    ),
    "images": (deep("images", to=1000), "submission.json: images is 1000, and summary.json says 7"),
}
