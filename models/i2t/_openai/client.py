"""Every captioner behind an OpenAI-compatible server: OpenAI itself, vLLM, SGLang, LM Studio, Ollama, ...

A call asks for its images at the same time, at most `concurrency` of them. What may mend itself (rate limits, a busy
server, broken connections, half an answer) is asked again, within bounds; what cannot (a wrong key, an empty account)
stops the run. The key comes from the environment only and is cut out of whatever a server says.
"""

from __future__ import annotations

import base64
import io
import os
import queue
import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ...base import Caption, I2TModel, ModelError
from .._budget import Budget, no_caption
from . import address, answer, probe
from .address import OPENAI

if TYPE_CHECKING:
    import torch
    from PIL import Image

KEY = "OPENAI_API_KEY"
FRUITLESS = 10  # images in a row without any answer, after which the server is given up
UNASKED = "was not asked for, because the run stops"
JPEG_QUALITY = 92  # of pictures that are made smaller


class Model(I2TModel):
    """A captioner on a server. `--model_dir` is the model's id there, not a folder; device and dtype are the
    server's.
    """

    runs_on = "server"
    batch_size = 32  # enough to keep `concurrency` busy
    prices: dict[str, tuple[float, float]] = {}  # at OpenAI, model id -> US dollars for 1e6 tokens (input, output)

    timeout = 300.0  # s without a byte; a local server may have a long queue
    attempts = 7  # to get one caption
    first_wait, longest_wait = 1.0, 120.0  # s; doubled from one to the other, unless the server says how long
    patience = 900.0  # s for one caption, all attempts together

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, **options: Any) -> None:
        """Connect, then prove that images arrive. Options used: api_base (str or None), concurrency (int), seed (int),
        max_tokens (int or None), image_max (px or None), no_probe (bool). Raises ModelError.
        """
        try:
            import openai
        except ImportError as error:
            raise ModelError(
                f"this encoder needs the package 'openai' ({error}). Install it: pip install openai"
            ) from error
        given = options.get("api_base")
        base = given or os.environ.get("OPENAI_BASE_URL") or OPENAI
        self._address = address.parse(base, "--api_base" if given else "the environment variable OPENAI_BASE_URL")
        required = bool(self.key) or self._address.bases[0] == OPENAI
        self._secrets = answer.Secrets(address.key_from_environment(KEY, required), base)
        self._concurrency = int(options.get("concurrency") or 1)
        self._image_max = options.get("image_max")
        self._parameters = {"max_tokens": 0, "temperature": 0, "seed": int(options.get("seed") or 0)}
        self._budget = Budget(options.get("max_tokens"))
        self._lock, self._halt, self._fruitless = threading.Lock(), threading.Event(), 0
        self._where = self._secrets.cut(self._address.bases[0])
        timeout = openai.Timeout(self.timeout, connect=min(self.timeout, 20.0))
        # A base that turns out to hold no API is left behind for the next one
        self._clients = [
            address.connect(self._address, base, self._secrets.key, timeout) for base in self._address.bases
        ]
        self._name = model_dir or self.default_dir or self._only_model()
        self.identity = {"server": self._secrets.cut(self._address.host), "server_model": self._secrets.cut(self._name)}
        self._price = self.prices.get(self._name) if self._address.bases[0] == OPENAI else None
        if not options.get("no_probe"):
            self._prove_sight()

    def caption(self, images: list[Image.Image], prompt: str, words: int) -> list[Caption | ModelError]:
        """Captions in order. usage: input_tokens, output_tokens and, where the price is known, usd (US dollars)."""
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Caption | ModelError]] = queue.SimpleQueue()
        for place in range(len(images)):
            todo.put(place)

        def work() -> None:
            while True:
                try:
                    place = todo.get_nowait()
                except queue.Empty:
                    return
                done.put((place, self._one(images[place], prompt, words)))

        # Daemons, so that Ctrl-C ends the program although they still wait for a server
        for _ in range(min(self._concurrency, len(images))):
            threading.Thread(target=work, daemon=True).start()
        answers: list[Caption | ModelError] = [ModelError("the server never ended its answer") for _ in images]
        for _ in images:
            try:
                place, answers[place] = done.get(timeout=self.patience + self.timeout)
                self.on_answer(place, answers[place])  # it is paid for
            except queue.Empty:
                self._stop(f"{self._where} keeps its answers open and never ends them. Look at the server.")
                break
        return answers

    def _one(self, image: Image.Image, prompt: str, words: int) -> Caption | ModelError:
        """The caption of an image or why there is none. Never raises: after a raised error the whole batch would be
        asked for again.
        """
        if self._halt.is_set():
            return ModelError(UNASKED)
        try:
            caption = self._patiently(_message(image, prompt, self._image_max), words)
        except answer.Declined as problem:
            return ModelError(self._secrets.cut(str(problem)))
        except answer.Hopeless as problem:
            self._stop(str(problem))
            return ModelError(self._secrets.cut(str(problem)))
        except answer.Fruitless as problem:
            self._count_fruitless()
            return ModelError(self._secrets.cut(str(problem)))
        except Exception as error:
            return ModelError(self._secrets.quote(f"the request failed ({type(error).__name__}: {error})"))
        with self._lock:
            self._fruitless = 0
        return caption

    def _patiently(self, message: dict[str, Any], words: int) -> Caption | ModelError:
        """Ask until there is an answer, at most `attempts` times and for `patience` seconds."""
        deadline, wait, why = time.monotonic() + self.patience, self.first_wait, ""
        attempt = 0
        while attempt < self.attempts:
            budget, client = self._budget.tokens(words), self._clients[0]
            try:
                caption = answer.read(self._ask(client, message, budget), self._price, self._secrets)
                self._budget.answered()
                return caption
            except answer.Spent as problem:
                if self._budget.spent(words, budget):
                    continue  # with more tokens it is another question
                if problem.caption is not None:
                    self._budget.answered()
                    return problem.caption
                if self._budget.stop:
                    self._stop(self._budget.stop)
                return no_caption(budget)
            except answer.Missing as problem:
                if not self._elsewhere(client):
                    raise answer.Hopeless(str(problem)) from problem
                continue
            except answer.Refused as problem:
                if not self._adapt(problem):
                    raise answer.Fruitless(str(problem)) from problem
                continue  # with other parameters it is another question
            except answer.Later as problem:
                why, told = str(problem), problem.wait
            attempt += 1
            if told is not None and told > self.longest_wait:
                raise answer.Hopeless(
                    f"{why}; the server asks to wait for {told:.0f} s. Run the same command again then."
                )
            pause = told if told is not None else wait * random.uniform(0.75, 1)
            if attempt == self.attempts or time.monotonic() + pause > deadline:
                break
            if self._halt.wait(pause):
                return ModelError(UNASKED)
            wait = min(2 * wait, self.longest_wait)
        raise answer.Fruitless(f"no caption in {attempt} attempts; the last: {why}")

    def _ask(self, client: Any, message: dict[str, Any], budget: int) -> str:
        """One request: the body of the answer. Raises the problems of answer.py."""
        import openai

        with self._lock:
            sent = dict(self._parameters)
        for name in ("max_tokens", "max_completion_tokens"):
            if name in sent:
                sent[name] = budget
        try:
            # By the raw answer: some servers label JSON as text, or leave out what the client's classes rely on
            create = client.chat.completions.with_raw_response.create
            reply = create(model=self._name, messages=[message], **sent)
            return str(reply.http_response.text)
        except openai.APIStatusError as error:
            raise answer.judged(error, self._name, self._where, sent, self._secrets) from error
        except openai.APITimeoutError as error:
            raise answer.Later(f"no answer from {self._where} within {self.timeout:g} s") from error
        except openai.APIConnectionError as error:
            why = self._secrets.quote(str(error.__cause__ or error))
            raise answer.Later(f"no connection to {self._where} ({why}{address.through(self._address)})") from error

    def _elsewhere(self, client: Any) -> bool:
        """Go to the next address that the API may be at. False: there is none."""
        with self._lock:
            if client is self._clients[0] and len(self._clients) > 1:
                self._clients.pop(0)
                return True
            return client is not self._clients[0]  # another thread was told the same

    def _adapt(self, refused: answer.Refused) -> bool:
        """Send other parameters from now on if the server refused one. False: there is nothing to change."""
        if refused.room:
            self._budget.limit(refused.room)
            return True
        if not refused.parameter:
            return False
        with self._lock:
            if refused.parameter not in self._parameters:  # another thread was told the same and has mended it
                return True
            del self._parameters[refused.parameter]
            if refused.parameter == "max_tokens":
                self._parameters["max_completion_tokens"] = 0
                return True
        if refused.parameter in ("temperature", "seed"):
            print(
                f"note: {self._name} takes no '{refused.parameter}'; its captions may differ from run to run.",
                file=sys.stderr,
            )
        return True

    def _prove_sight(self) -> None:
        """Raise ModelError unless the server answers differently for two different images."""
        problem = probe.blindness(lambda image: self._one(image, probe.QUESTION, probe.WORDS))
        if self.stopped:
            raise ModelError(self.stopped)
        if problem:
            raise ModelError(
                f"{self._where} does not see images with the model '{self._name}': {problem} Check that it is a vision "
                "model and that the server was started with its image part; --no_probe skips this test."
            )

    def _only_model(self) -> str:
        """The model that the server has, if it is one."""
        import openai

        try:
            names = self._names()
        except (openai.OpenAIError, AttributeError, TypeError, ValueError) as error:
            why = self._secrets.quote(str(error.__cause__ or error)) + address.through(self._address)
            raise ModelError(f"{self._where} does not list its models ({why}). Name one with --model_dir.") from error
        if len(names) != 1:
            listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
            raise ModelError(
                f"--model_dir is missing: {self._where} has {len(names)} models. Name one:"
                f" {self._secrets.quote(listed)}"
            )
        return names[0]

    def _names(self) -> list[str]:
        import openai

        while True:
            try:
                return [str(model.id) for model in self._clients[0].models.list()]
            except (openai.NotFoundError, AttributeError, TypeError):
                if not self._elsewhere(self._clients[0]):
                    raise

    def _stop(self, why: str) -> None:
        with self._lock:
            self.stopped = self.stopped or self._secrets.cut(why)
        self._halt.set()

    def _count_fruitless(self) -> None:
        with self._lock:
            self._fruitless += 1
            many = self._fruitless >= FRUITLESS
        if many:
            self._stop(
                f"{self._where} gave {FRUITLESS} images in a row no answer (see the failures). Look at the server."
            )


def _message(image: Image.Image, prompt: str, image_max: int | None) -> dict[str, Any]:
    """The user's message: the image, losslessly or, at most `image_max` px long, as a JPEG; then the prompt."""
    file, image, kind = io.BytesIO(), image.convert("RGB"), "png"
    if image_max:
        if max(image.size) > image_max:
            image.thumbnail((image_max, image_max))
        kind = "jpeg"
    image.save(file, kind, **({"quality": JPEG_QUALITY} if image_max else {}))
    url = f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
    return {"role": "user", "content": parts}
