"""What a diffusers checkpoint can do, read before it is loaded, and what is no checkpoint."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading

import pytest
from diffusion_jobs import ALL

from models.base import ModelError
from models.t2i import instructpix
from models.t2i._diffusers.model import Model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    "name, modes, strength",
    [
        ("sd15", ALL, True),
        ("sdxl", ALL, True),
        ("sd3", ALL, True),
        ("flux", ALL, True),
        ("pixart", {"text"}, True),
        ("instructpix", {"full", "image"}, False),
        ("sdxl_instructpix", {"full", "image"}, False),
    ],
)
def test_inspect_reads_the_modes(checkpoint, name, modes, strength):
    model = Model()
    model.inspect(str(checkpoint(name)))
    assert (model.modes, model.accepts_strength, model.max_batch) == (modes, strength, None)


@pytest.mark.parametrize(
    "config, modes, strength, batch",
    [
        ({"_class_name": "QwenImagePipeline"}, ALL, True, None),
        ({"_class_name": "SanaPipeline"}, {"text"}, True, None),
        ({"_class_name": "FluxKontextPipeline"}, {"full", "image", "text"}, False, 1),
        ({"_class_name": "QwenImageEditPlusPipeline"}, {"full", "image"}, False, 1),
        (  # SDXL's refiner
            {"_class_name": "StableDiffusionXLImg2ImgPipeline", "requires_aesthetics_score": True},
            {"full", "image", "pixel"},
            True,
            None,
        ),
    ],
)
def test_inspect_needs_the_index_only(tmp_path, config, modes, strength, batch):
    (tmp_path / "model_index.json").write_text(json.dumps(config))
    model = Model()
    model.inspect(str(tmp_path))
    assert (model.modes, model.accepts_strength, model.max_batch) == (modes, strength, batch)


@pytest.mark.parametrize(
    "files, words",
    [
        ({}, "no diffusers checkpoint"),
        ({"config.json": "{}"}, "I2T model"),
        ({"model_index.json": "{broken"}, "damaged"),
        ({"model_index.json": "[]"}, "damaged"),
        ({"model_index.json": '{"vae": []}'}, "damaged"),
        ({"model_index.json": '{"_class_name": ["pipeline", "Mine"]}'}, "code of its own"),
        ({"model_index.json": '{"_class_name": "NoSuchPipeline"}'}, "needs an adapter"),
        ({"model_index.json": '{"_class_name": "StableDiffusionInpaintPipeline"}'}, "needs an adapter"),
        ({"model_index.json": '{"_class_name": "StableDiffusionControlNetPipeline"}'}, "needs an adapter"),
    ],
)
def test_inspect_refuses_what_is_no_checkpoint(tmp_path, files, words):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=words) as caught:
        Model().inspect(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["/no/such/folder", "./org/name", "org/name/", "realvis", "a/b/c", "org/na me"])
def test_a_path_is_not_looked_up_on_the_hub(name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_hub_url", None)
    with pytest.raises(ModelError, match="no folder"):
        Model().inspect(name)


def test_no_checkpoint_named():
    with pytest.raises(ModelError, match="--model_dir"):
        Model().inspect(None)


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def test_a_misspelt_hub_name(monkeypatch, online):
    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda name, file: f"{address}/{name}/resolve/main/{file}")
        with pytest.raises(ModelError, match="no folder 'org/misspelt' here.*log in"):
            Model().inspect("org/misspelt")
        server.shutdown()


def test_an_unreachable_hub(monkeypatch, online):
    monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_: "http://127.0.0.1:1/closed")
    with pytest.raises(ModelError, match="network"):
        Model().inspect("org/name")


def test_the_index_in_the_cache_serves_without_network(checkpoint, monkeypatch):
    import huggingface_hub

    def cached(name, file, local_files_only=False):
        assert local_files_only
        return str(checkpoint("pixart") / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *_: "http://127.0.0.1:1/closed")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", cached)
    model = Model()
    model.inspect("org/name")
    assert model.modes == {"text"}


def test_importing_an_adapter_imports_no_library():
    code = "import sys, models.t2i.real, models.t2i.instructpix as i; print({'torch', 'diffusers'} & set(sys.modules))"
    code += "; print(sorted(i.Model().modes))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("set()\n['full', 'image']\n", "")


def test_instructpix_refuses_another_model(checkpoint):
    with pytest.raises(ModelError, match="edit model"):
        instructpix.Model().inspect(str(checkpoint("sd15")))
    model = instructpix.Model()
    model.inspect(str(checkpoint("instructpix")))
    assert model.modes == {"full", "image"} and not model.accepts_strength
