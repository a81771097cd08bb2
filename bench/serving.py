"""What an answer costs: the pyfunc of a registered version beside Keras's `predict` and MLflow's own pyfunc.

`python -m bench.serving` takes the course's CNN for MNIST, whose weights do not matter here, asks it for one image at
a time in this process, then over HTTP from 1, 8 and 32 clients of `mlflow models serve`. The ways take turns in one
run, because machines are noisy; ratios are medians of the rounds'.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CLIENTS = (1, 8, 32)
ASKED = 50
"""Answers of one round, in this process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each round over HTTP")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        network, samples = course_cnn()
        paths = {"miar": ours(network, samples, Path(folder)), "stock": stock(network, samples, Path(folder))}
        print(latency(network, samples, paths, asked.rounds), flush=True)
        with served(paths["miar"]) as mine, served(paths["stock"]) as theirs:
            print(throughput({"miar": mine, "stock": theirs}, samples, asked.rounds, asked.seconds), flush=True)


def course_cnn() -> tuple[Any, np.ndarray]:
    """The network of the recipe cnn_mnist before training, and images (32, 28, 28, 1) of noise."""
    import models
    from models.spec import Input, Spec
    from tasks import trainer

    trainer.start_over(0)
    spec = Spec({"image": Input((28, 28, 1), "uint8")}, tuple("0123456789"), None)
    network, _ = trainer.build(models.load("cnn"), spec, {})
    return network, np.random.default_rng(0).integers(0, 256, (32, 28, 28, 1), dtype=np.uint8)


def ours(network: Any, samples: np.ndarray, folder: Path) -> Path:
    """The network's folder as register stores it."""
    import mlflow

    from tasks.outside import serving

    signature = mlflow.models.infer_signature(samples[:2], network.predict(samples[:2], verbose=0))
    model = mlflow.models.Model()
    requirements = ["numpy", "onnxruntime"]
    serving.save_model(
        str(folder / "miar"), model, network=network, samples=samples, signature=signature, requirements=requirements
    )
    return folder / "miar"


def stock(network: Any, samples: np.ndarray, folder: Path) -> Path:
    """The network's folder as MLflow's flavour for Keras stores it."""
    import mlflow.tensorflow

    signature = mlflow.models.infer_signature(samples[:2], network.predict(samples[:2], verbose=0))
    mlflow.tensorflow.save_model(network, str(folder / "stock"), signature=signature, pip_requirements=["tensorflow"])
    return folder / "stock"


def latency(network: Any, samples: np.ndarray, paths: dict[str, Path], rounds: int) -> str:
    """Milliseconds for one image, and how many times as long as the registered pyfunc the others take."""
    import keras
    import mlflow

    keras.utils.disable_interactive_logging()  # MLflow's pyfunc would draw a bar for each answer
    pyfuncs = {name: mlflow.pyfunc.load_model(str(path)) for name, path in paths.items()}
    ways: dict[str, Callable[[np.ndarray], Any]] = {
        "registered pyfunc": pyfuncs["miar"].predict,
        "Keras predict": lambda one: network.predict(one, verbose=0),
        "MLflow's own pyfunc": pyfuncs["stock"].predict,
    }
    for ask in ways.values():
        ask(samples[:1])
    far = np.abs(ways["registered pyfunc"](samples) - ways["Keras predict"](samples)).max()
    times = [{name: milliseconds(ask, samples[:1]) for name, ask in ways.items()} for _ in range(rounds)]
    lines = [f"one image, median of {rounds} rounds of {ASKED}; answers are {far:.1g} apart at most"]
    for name in ways:
        ratio = median(one[name] / one["registered pyfunc"] for one in times)
        lines.append(f"{name:<22}{median(one[name] for one in times):>10.3f} ms{ratio:>8.0f}x")
    return "\n".join(lines)


def milliseconds(ask: Callable[[np.ndarray], Any], sample: np.ndarray) -> float:
    """Median time of an answer."""
    times = []
    for _ in range(ASKED):
        began = time.perf_counter()
        ask(sample)
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


@contextlib.contextmanager
def served(path: Path) -> Iterator[int]:
    """`mlflow models serve` on a free port, which it yields, outside the project's folder."""
    from flows.processes import leashed
    from flows.server import free_port, wait_for

    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(path), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    found = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # for uvicorn
    with (
        (path.parent / f"{path.name}.log").open("w", encoding="utf-8") as log,
        leashed(command, folder=path.parent, environment=found, output=log) as process,
    ):
        wait_for(f"http://127.0.0.1:{port}/ping", process, "the model's server", log.name)
        yield port


def throughput(ports: dict[str, int], samples: np.ndarray, rounds: int, seconds: float) -> str:
    """Requests a second and the slowest hundredth, by clients at once."""
    body = json.dumps({"inputs": samples[:1].tolist()}).encode()
    lines = [f"over HTTP, one image each, median of {rounds} rounds of {seconds:g} s"]
    lines.append(f"{'clients':<10}{'miar /s':>10}{'p99 ms':>9}{'stock /s':>10}{'p99 ms':>9}{'ratio':>8}")
    for clients in CLIENTS:
        found = [{name: load(port, body, clients, seconds) for name, port in ports.items()} for _ in range(rounds)]
        cells = [
            f"{median(one[name][0] for one in found):>10.0f}{median(one[name][1] for one in found):>9.1f}"
            for name in ports
        ]
        ratio = median(one["miar"][0] / one["stock"][0] for one in found)
        lines.append(f"{clients:<10}{''.join(cells)}{ratio:>7.1f}x")
    return "\n".join(lines)


def load(port: int, body: bytes, clients: int, seconds: float) -> tuple[float, float]:
    """Ask from so many clients at once; returns answers a second, and the 99th percentile in milliseconds."""
    end = time.monotonic() + seconds

    def client(_: int) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        times = []
        while time.monotonic() < end:
            began = time.perf_counter()
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                sys.exit(f"the server must answer. Received: {answer.status} {said[:200]!r}")
            times.append(1000 * (time.perf_counter() - began))
        return times

    with ThreadPoolExecutor(clients) as pool:
        times = np.concatenate(list(pool.map(client, range(clients))))
    return len(times) / seconds, float(np.percentile(times, 99))


if __name__ == "__main__":
    main()
