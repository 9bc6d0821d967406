"""Progress bars: a widget in a notebook that can show one, and no word of it in any other."""

from contextlib import nullcontext
from importlib.util import find_spec

import pytest

from fastnn.runtime import notice

from ..conftest import in_process

# Code that makes a process look like the kernel of a notebook.
KERNEL = """
import sys, types
shell = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = lambda: shell
"""

WIDGETS = find_spec("ipywidgets") is not None


def test_bar_outside_a_notebook_is_a_line():
    code = "from fastnn.runtime import notice; print(notice.bars_are_widgets(), 'asyncio' in __import__('sys').modules)"
    assert in_process(code, PYTHONWARNINGS="error").stdout == "False False\n"


@pytest.mark.slow
def test_bar_in_a_notebook_without_ipywidgets_warns_of_nothing():
    code = (
        f"{KERNEL}\nsys.modules['ipywidgets'] = None\nfrom fastnn.runtime import notice\n"
        "with notice.progress_bar(total=1, disable=None) as bar: print(notice.bars_are_widgets(), type(bar).__module__)"
    )
    done = in_process(code, PYTHONWARNINGS="error")
    assert (done.stdout, done.stderr) == ("False tqdm.std\n", "")


@pytest.mark.slow
def test_bars_of_a_real_notebook():
    """Widgets where ipywidgets is installed, and nothing on standard error."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    code = "import warnings; warnings.simplefilter('error')\nimport fastnn, numpy as np\n"
    code += "fastnn.train(np.eye(4), [0, 1, 0, 1], 2, maxiter=2).outcome.iterations"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    outputs = notebook.cells[0].outputs
    assert [output.output_type for output in outputs if output.output_type != "display_data"] == ["execute_result"]
    assert outputs[-1].data["text/plain"] == "2"
    bars = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert bool(bars) == WIDGETS


def test_compilation_inside_another_one_has_no_bar_of_its_own(monkeypatch):
    disabled = []
    monkeypatch.setattr(notice, "bars_are_widgets", lambda: True)
    monkeypatch.setattr(notice, "progress_bar", lambda **options: disabled.append(options["disable"]) or nullcontext())
    for _ in range(2):
        with notice.compiling(kept=True), notice.compiling(kept=True):
            pass
    assert disabled == [False, True] * 2
