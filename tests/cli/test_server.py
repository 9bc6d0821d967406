"""The README's server of predictions, as uvicorn and gunicorn run it."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastnn

from ..conftest import ROOT, copied_cache, in_process

APP = next(
    code for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S) if "FastAPI" in code
)
SERVERS = {
    "uvicorn": ["uvicorn", "app:app", "--workers", "2", "--fd", "{socket}"],
    "gunicorn": [
        "gunicorn",
        "app:app",
        "--preload",
        "-w",
        "2",
        "-k",
        "uvicorn_worker.UvicornWorker",
        "-b",
        "fd://{socket}",
    ],
}


@pytest.fixture
def folder(tmp_path, digits):
    X, y = digits
    (tmp_path / "app.py").write_text(APP)
    fastnn.train(X, y, maxiter=3, progress=False).save(tmp_path / "digits.npz")
    return tmp_path


@pytest.fixture(scope="module")
def warm_cache(tmp_path_factory):
    """A folder for FASTNN_CACHE that `warmup` has filled."""
    folder = copied_cache(tmp_path_factory.mktemp("cache"))
    in_process("import fastnn; fastnn.warmup()", FASTNN_CACHE=str(folder))
    return folder


def posted(port, body):
    """Status and answer of a request; the server may still be starting."""
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("POST", "/predict", json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except ConnectionError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise TimeoutError("the server does not answer")


def files(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="gunicorn forks")
@pytest.mark.parametrize("server", SERVERS)
def test_server_of_the_readme(server, folder, warm_cache, digits):
    """Right answers, one sentence for a wrong request, and nothing compiled after warmup."""
    pytest.importorskip("fastapi")
    pytest.importorskip(server)
    X, _ = digits
    want, before = fastnn.load(folder / "digits.npz").predict(X[::100]).tolist(), files(warm_cache)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        os.set_inheritable(listening.fileno(), True)
        command = [word.format(socket=listening.fileno()) for word in SERVERS[server]]
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=os.environ | {"FASTNN_CACHE": str(warm_cache)},
            pass_fds=[listening.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            port = listening.getsockname()[1]
            assert [posted(port, [row.tolist()]) for row in X[::100]] == [(200, [label]) for label in want]
            assert posted(port, X[::100].tolist()) == (200, want)
            status, answer = posted(port, [[1.0, 2.0]])
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=60)
    assert (status, answer) == (422, {"detail": "X has 2 columns; the network has 400 inputs"})
    assert files(warm_cache) == before
    assert "Traceback" not in output
    assert "compiled anew" not in output
