"""The command line, as a person meets it."""

import csv
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import fastnn
from fastnn import files
from fastnn.cli import bench, main, parser

from ..conftest import COURSE


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = np.repeat([3, 5], 20)
    X = np.where(y == 3, 1.0, -1.0)[:, None] + 0.3 * rng.standard_normal((40, 4))
    np.savez("data.npz", X=X, y=y)
    np.savez("one-label.npz", X=X, y=np.ones(40, int))
    np.savetxt("unlabelled.csv", X, delimiter=",")
    Path("text.csv").write_text("a,b,c\n1,2,1.50\n3,4,2e3\n5,6,x\n")
    Path("missing-number.csv").write_text("1,2,1.50\n3,4,\n")
    np.savez("text.npz", X=X, y=y.astype(str))
    return tmp_path


def test_main_job(here, capsys):
    assert main(["train"]) == 0
    out = capsys.readouterr().out
    for line in ("network      400-25-10, lmbda 1, on 5,000 examples", "cost  ", "accuracy  ", "iterations   50"):
        assert line in out
    for line in ("evaluations  ", "seconds  ", "ended        stopped at the limit", "saved        fastnn-model.npz"):
        assert line in out
    model = fastnn.load("fastnn-model.npz")
    assert f"accuracy     {100 * model.score(*fastnn.load_digits()):.2f} % of the 5,000 trained on\n" in out
    assert f"cost         {model.outcome.cost:.6f}" in out
    assert main(["predict", "fastnn-model.npz"]) == 0
    assert capsys.readouterr().err.endswith(" of 5,000 examples (the model may have been trained on them)\n")


def test_what_was_taken_from_a_file_is_printed(here, capsys):
    rows = ["5.1,3.5,04", "4.9,3.0,4", "7.0,3.2,04", "6.4,3.2,04"]
    Path("a.csv").write_text("\n".join(["width,height,kind", *rows]))
    Path("b.csv").write_text("\n".join(row.replace(",", ";").replace(".", ",") for row in rows))
    Path("c.csv").write_text("\n".join(f"{label},{row[:7]}" for label, row in zip("xyxy", rows, strict=True)))
    Path("e.csv").write_text("kind,a,b\n" + Path("c.csv").read_text())
    Path("d.csv").write_text("\n".join(["0,1,2", *(row.replace("04", "4") for row in rows[:3]), "6.4,3.2,5"]))
    for options, taken, classes in [
        ("a.csv", "2 inputs, header yes, split at ',', labels from column 3 ('kind')", "04 (3), 4 (1)"),
        ("e.csv --label kind", "2 inputs, header yes, split at ',', labels from column 1 ('kind')", "x (2), y (2)"),
        ("b.csv", "2 inputs, header no, split at ';', labels from column 3", "04 (3), 4 (1)"),
        ("c.csv --label 0", "2 inputs, header no, split at ',', labels from column 1", "x (2), y (2)"),
        ("d.csv", "4 examples of 2 inputs, header yes", "4 (3), 5 (1)"),
        ("d.csv --no-header", "5 examples of 2 inputs, header no", "2 (1), 4 (3), 5 (1)"),
        ("data.npz", "40 examples of 4 inputs\n", "3 (20), 5 (20)"),
    ]:
        assert main(["train", "--hidden", "2", "--maxiter", "1", "--data", *options.split()]) == 0
        out = capsys.readouterr().out
        assert f"data         {options.split()[0]}: " in out
        assert taken in out
        assert classes in out
    main(["train", "--hidden", "2", "--maxiter", "1", "--data", "d.csv"])
    assert capsys.readouterr().err == (
        "fastnn train: --data d.csv: row 1 counts, 0, 1, 2; it is taken for a header. "
        "With --no-header it is an example\n"
    )


@pytest.mark.parametrize("index", [True, False])
def test_a_model_of_a_frame_predicts_frames_written_alike(here, capsys, index):
    pandas = pytest.importorskip("pandas")
    with np.load("data.npz") as data:
        frame = pandas.DataFrame(data["X"][:, :2]).assign(**{"2": data["y"]})
    frame.columns = range(3)
    frame.to_csv("all.csv", index=index)
    frame.iloc[30:, :2].to_csv("new.csv", index=index)
    frame.iloc[:1, :2].to_csv("one.csv", index=index)
    assert main("train --data all.csv --hidden 3 --quiet".split()) == 0
    word = "column 1 ('') is an unnamed row index" if index else "row 1 counts, 0, 1, 2"
    assert capsys.readouterr().err.startswith(f"fastnn train: --data all.csv: {word}")
    for name, want in [("all.csv", [3] * 20 + [5] * 20), ("new.csv", [5] * 10), ("one.csv", [3])]:
        assert main(f"predict fastnn-model.npz --data {name} --quiet".split()) == 0
        assert [int(line) for line in capsys.readouterr().out.split()] == want


def test_predictions_are_printed_as_labels_stand_in_the_file(here, capsys):
    labels = ["007", "7", "naïve", "a b"]
    Path("a.csv").write_text("".join(f"{i // 10},{i % 2},{labels[i // 10]}\n" for i in range(40)))
    assert main(["train", "--data", "a.csv", "--hidden", "4", "--lmbda", "0"]) == 0
    assert "007 (10), 7 (10), a b (10), naïve (10)" in capsys.readouterr().out
    assert main(["predict", "fastnn-model.npz", "--data", "a.csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [label for label in labels for _ in range(10)]


def test_columns_of_a_table_are_checked_by_name(here, capsys):
    """A table with a header is as a frame: what the model was trained on, in that order."""
    rows = "".join(f"{i % 7},{i % 5 / 4},{'ab'[i % 2]}\n" for i in range(20))
    Path("a.csv").write_text(f"width,height,kind\n{rows}")
    Path("swapped.csv").write_text(f"height,width,kind\n{rows}")
    Path("other.csv").write_text(f"width,depth,kind\n{rows}")
    Path("bare.csv").write_text(rows)
    Path("unlabelled.csv").write_text("width,height\n1,0.5\n")
    assert main(["train", "--data", "a.csv", "--hidden", "2", "--maxiter", "2"]) == 0
    assert fastnn.load("fastnn-model.npz").feature_names == ("width", "height")
    for name in ("a.csv", "bare.csv", "unlabelled.csv"):
        assert main(["predict", "fastnn-model.npz", "--data", name]) == 0
    capsys.readouterr()
    for name, message in [
        ("swapped.csv", "--data has column 'height' where the model was trained on 'width'"),
        ("other.csv", "--data lacks 'height' and has 'depth', which the model does not know"),
    ]:
        assert main(["predict", "fastnn-model.npz", "--data", name]) == 2
        shown = capsys.readouterr()
        assert shown.err.startswith(f"fastnn predict: {message}")
        assert shown.out == ""
        assert main(["check", "--model", "fastnn-model.npz", "--data", name]) == 2
        assert message in capsys.readouterr().err
    assert main(["check", "--model", "fastnn-model.npz", "--data", "unlabelled.csv"]) == 2
    assert capsys.readouterr().err == "fastnn check: --data has no labels; one for every example is wanted\n"


def test_many_classes_are_cut_short(here, capsys):
    np.savez("many.npz", X=np.eye(30), y=np.arange(30))
    assert main(["train", "--data", "many.npz", "--hidden", "2", "--maxiter", "1"]) == 0
    assert "18 (1), 19 (1) and 10 more\n" in capsys.readouterr().out


def test_a_model_of_something_else_is_kept(here, capsys):
    """Without --out, train moves it to a name of its own; the same command again leaves one file."""
    X, _ = fastnn.read_data("data.npz")
    Path("flowers.csv").write_text("a,b,kind\n" + "".join(f"{a},{b},{'xy'[int(a > 0)]}\n" for a, b in X[:, :2]))
    trained = {}
    for number, line in enumerate(["--hidden 3", "--data flowers.csv --hidden 3", "--data flowers.csv --hidden 4"]):
        data = "" if "--data" in line else " --data data.npz"
        for again in (False, True):
            got = told(capsys, f"train {line}{data} --maxiter 2")
            assert got["saved"] == "fastnn-model.npz"
            assert got["moved"] == (f"fastnn-model-{number}.npz" if number and not again else None)
            assert got["replaced"] is False
        trained[number] = Path("fastnn-model.npz").read_bytes()
        model = fastnn.load("fastnn-model.npz")
        if number:
            kept = fastnn.load(f"fastnn-model-{number}.npz")
            assert [kept.sizes, model.sizes] == [[(4, 3, 2), (2, 3, 2)], [(2, 3, 2), (2, 4, 2)]][number - 1]
            assert Path(f"fastnn-model-{number}.npz").read_bytes() == trained[number - 1]
    assert main("train --data flowers.csv --hidden 4 --maxiter 3".split()) == 0
    assert capsys.readouterr().out.endswith(
        "saved        fastnn-model.npz\nreplaced     a model of the same layers and labels in fastnn-model.npz\n"
    )
    Path("fastnn-model.npz").write_text("notes")
    assert main("train --data flowers.csv --hidden 4 --maxiter 3".split()) == 0
    assert capsys.readouterr().out.endswith("moved        the file that was fastnn-model.npz to fastnn-model-3.npz\n")
    assert Path("fastnn-model-3.npz").read_text() == "notes"
    assert main("train --data data.npz --hidden 3 --maxiter 2 --out fastnn-model.npz --quiet".split()) == 0
    assert not Path("fastnn-model-4.npz").exists()  # it was named


def test_train_options(here, capsys):
    options = "--data data.npz --hidden 3,2 --lmbda 0.1 --maxiter 7 --solver l-bfgs --seed 4 --out my.mat"
    assert main(["train", *options.split()]) == 0
    assert "4-3-2-2, lmbda 0.1, on 40 examples" in capsys.readouterr().out
    model = fastnn.load("my.mat")
    want = fastnn.train(*fastnn.read_data("data.npz"), (3, 2), 0.1, maxiter=7, solver="l-bfgs", seed=4)
    assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(want.weights))
    assert model.classes.tolist() == [3, 5]
    assert main(["train", "--data", "data.npz", "--weights", "my.mat", "--lmbda", "0.1", "--maxiter", "1"]) == 0
    assert fastnn.load("fastnn-model.npz").history.cost[0] == model.outcome.cost


def test_ctrl_c_saves_the_best_weights(here, capsys, monkeypatch):
    from fastnn.objective import Objective

    evaluate = Objective.evaluate

    def interrupted(self, theta):
        if self.evaluations == 20:
            raise KeyboardInterrupt
        return evaluate(self, theta)

    monkeypatch.setattr(Objective, "evaluate", interrupted)
    assert main(["train", "--data", "data.npz", "--hidden", "3", "--lmbda", "0.1"]) == 130
    out = capsys.readouterr().out
    assert "ended        interrupted" in out
    assert "saved        fastnn-model.npz" in out
    model = fastnn.load("fastnn-model.npz")
    assert model.outcome.status == "interrupted"
    assert model.outcome.evaluations == 20


def test_labels_never_seen_are_named_with_the_accuracy(here, capsys):
    main(["train", "--data", "data.npz", "--hidden", "3", "--out", "m.npz"])
    capsys.readouterr()
    with np.load("data.npz") as data:
        np.savez("more.npz", X=data["X"], y=np.where(np.arange(40) < 4, 9, data["y"]))
    with pytest.warns(UserWarning, match="labels that the model has never seen, 9: 4 of 40 examples, which count"):
        assert main(["predict", "m.npz", "--data", "more.npz"]) == 0
    assert capsys.readouterr().err == "accuracy 90.00 % of 40 examples\n"


def test_the_family(here, capsys):
    options = "--data data.npz --hidden 3 --activation tanh --output softmax"
    assert main(["train", *options.split(), "--maxiter", "5"]) == 0
    model = fastnn.load("fastnn-model.npz")
    assert (model.activation, model.output) == ("tanh", "softmax")
    assert main(["check", *options.split()]) == 0
    assert main(["predict", "fastnn-model.npz", "--data", "data.npz"]) == 0
    assert main(["train", "--activation", "swish"]) == 2
    message = "activation is 'swish'; one of 'sigmoid', 'tanh', 'relu', 'identity', 'logistic' is wanted"
    assert message in capsys.readouterr().err


def test_predict(here, capsys):
    main(["train", "--data", "data.npz", "--hidden", "3", "--out", "m.npz"])
    capsys.readouterr()
    assert main(["predict", "m.npz", "--data", "data.npz"]) == 0
    shown = capsys.readouterr()
    assert shown.out.split() == ["3"] * 20 + ["5"] * 20
    assert shown.err == "accuracy 100.00 % of 40 examples\n"
    assert main(["predict", "m.npz", "--data", "unlabelled.csv"]) == 0
    again = capsys.readouterr()
    assert again.out == shown.out
    assert again.err == ""


@pytest.mark.parametrize("name", ["ex5data1.mat", "ex5data1.npz", "ex5data1.h5"])
def test_arrays_of_other_names(here, capsys, name):
    """Named arrays, as the data of the course's fifth exercise have them."""
    X, y = fastnn.read_data("data.npz")
    arrays = {"X": X[::2], "y": y[::2], "Xval": X[1::4], "yval": y[1::4], "Xtest": X[3::4], "ytest": y[3::4]}
    Path("a.csv").write_text("1,2,0\n3,7,1\n" * 5)
    if name.endswith(".h5"):
        with pytest.importorskip("h5py").File(name, "w") as file:
            file.update(arrays)
    else:
        files.write_arrays(Path(name), arrays)
    assert main(f"train --data {name} --hidden 3 --validation Xval,yval".split()) == 0
    out = capsys.readouterr().out
    model = fastnn.train(X[::2], y[::2], 3, validation=(X[1::4], y[1::4]))
    assert f"of the 10 held out, cost {model.history.validation_cost[model.history.cost.argmin()]:.6f}" in out
    assert main(f"predict fastnn-model.npz --data {name} --inputs Xtest --label ytest".split()) == 0
    shown = capsys.readouterr()
    assert [int(line) for line in shown.out.split()] == model.predict(X[3::4]).tolist()
    assert shown.err == "accuracy 100.00 % of 10 examples\n"
    assert main(f"predict fastnn-model.npz --data {name} --inputs Xtest".split()) == 0
    assert capsys.readouterr().err == ""
    for command, message in [
        (f"train --data {name} --inputs Xtrain", "inputs must name an array in "),
        (f"train --data {name} --validation Xval,yv", "label must name an array in "),
        (f"train --data {name} --validation X,y", "--validation must name other arrays than those trained on, got 'X'"),
        (
            "train --data a.csv --validation my,val.csv",
            "--validation must be a fraction or a file that exists, got 'my",
        ),
        (f"train --data {name} --validation Xval", "that exists, or two arrays of --data, as Xval,yval, got 'Xval'"),
        (f"train --data {name} --validation {name}", "--validation must hold other examples than --data, got the same"),
        ("train --inputs Xval", "--inputs is given without --data; both are wanted"),
        ("predict fastnn-model.npz --label kind", "--label is given without --data; both are wanted"),
    ]:
        assert main(command.split()) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_weights_of_the_course_are_a_model(here, capsys, monkeypatch):
    """Labels 1..10, where the shipped digits have 0 for 10; a digit's pixels make the unit that is drawn."""
    seen = titles(monkeypatch)
    X, y = fastnn.load_digits()
    trained = fastnn.train(X, np.where(y == 0, 10, y), maxiter=20)
    savemat("ex4weights.mat", {"Theta1": trained.weights[0], "Theta2": trained.weights[1]})
    right = f"accuracy {100 * trained.score(X, np.where(y == 0, 10, y)):.2f} % of 5,000 examples"
    assert main(["predict", "ex4weights.mat"]) == 0
    shown = capsys.readouterr()
    assert [int(line) for line in shown.out.split()] == trained.predict(X).tolist()
    assert shown.err.splitlines() == [
        "fastnn predict: ex4weights.mat: weights alone; labels are 1..10, as in the course; 10 is the digit 0",
        f"{right} (the model may have been trained on them)",
    ]
    savemat("ex4data1.mat", {"X": X, "y": np.where(y == 0, 10, y)[:, None]})
    assert main(["predict", "ex4weights.mat", "--data", "ex4data1.mat"]) == 0
    assert capsys.readouterr().err.endswith(f"{right}\n")
    assert main("show units --model ex4weights.mat".split()) == 0
    assert Path("hidden-units.png").read_bytes().startswith(b"\x89PNG")
    assert main("show errors --model ex4weights.mat".split()) == 0
    assert seen()[-1].startswith(f"{(trained.predict(X) != np.where(y == 0, 10, y)).sum()} of 5,000 wrong")
    assert main("show history --model ex4weights.mat".split()) == 2
    assert "trainings must have a history" in capsys.readouterr().err
    assert main("check --model ex4weights.mat --quick --examples 50 --quiet".split()) == 0
    assert main("export ex4weights.mat digits.h".split()) == 0
    capsys.readouterr()


def test_accuracy_of_the_courses_own_file(course, capsys):
    assert main(["predict", str(COURSE / "ex4weights.mat")]) == 0
    assert "accuracy 97.52 % of 5,000 examples (the model" in capsys.readouterr().err


def test_check(here, capsys):
    assert main(["check", "--data", "data.npz", "--hidden", "3"]) == 0
    assert "gradient check passed: 23 parameters on 40 examples" in capsys.readouterr().out
    main(["train", "--data", "data.npz", "--hidden", "3", "--maxiter", "2"])
    assert main(["check", "--data", "data.npz", "--weights", "fastnn-model.npz", "--examples", "7"]) == 0
    assert "23 parameters on 7 examples" in capsys.readouterr().out
    assert main(["check", "--data", "data.npz", "--hidden", "3", "--quick"]) == 0
    assert "23 parameters along 10 random directions on 40 examples" in capsys.readouterr().out


def test_check_at_a_model(here, capsys):
    """Its activations and lmbda, and its classes: data with fewer of them will do."""
    main("train --data data.npz --hidden 3 --activation tanh --output softmax --lmbda 0.3 --maxiter 2".split())
    model = fastnn.load("fastnn-model.npz")
    X, y = fastnn.read_data("data.npz")
    np.savez("fives.npz", X=X[y == 5], y=y[y == 5])
    np.savez("sixes.npz", X=X[y == 5], y=y[y == 5] + 1)
    capsys.readouterr()
    assert main(["check", "--model", "fastnn-model.npz", "--data", "fives.npz"]) == 0
    family = {"activation": "tanh", "output": "softmax"}
    want = fastnn.check_gradient(model.weights, X[y == 5], np.ones(20, int), 0.3, **family)
    assert capsys.readouterr().out == f"{want}\n"
    assert main(["check", "--model", "fastnn-model.npz", "--data", "sixes.npz"]) == 2
    assert "--data: y holds 6, a label that the network has no output for; 3, 5 are wanted" in capsys.readouterr().err
    assert main(["check", "--model", "fastnn-model.npz", "--weights", "fastnn-model.npz"]) == 2
    assert "--model and --weights are both given" in capsys.readouterr().err


def test_failed_check_is_status_1(here, capsys, monkeypatch):
    from fastnn.objective import Objective

    right = Objective.evaluate
    monkeypatch.setattr(Objective, "evaluate", lambda self, theta: (0.0, 1.001 * right(self, theta)[1]))
    assert main(["check", "--data", "data.npz", "--hidden", "3"]) == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.slow
def test_show(here, capsys):
    """Every picture of the data and of the model that `fastnn train` has saved here."""
    assert main(["show", "--data", "data.npz"]) == 0
    main(["train", "--data", "data.npz", "--hidden", "3", "--validation", "0.2"])
    capsys.readouterr()
    for what, name in [
        ("digits", "digits"),
        ("errors", "errors"),
        ("units", "hidden-units"),
        ("history", "history"),
        ("confusion", "confusion"),
    ]:
        assert main(["show", what, "--data", "data.npz"]) == 0
        unseen = " (the model may have been trained on these examples)" * (what in ("errors", "confusion"))
        assert capsys.readouterr().out == f"saved {name}.png{unseen}\n"
        assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert main(["show", "--model", "fastnn-model.npz", "--order", "C", "--out", "units.png"]) == 0
    assert Path("units.png").read_bytes() != Path("hidden-units.png").read_bytes()
    assert main("show history --over seconds --model fastnn-model.npz --model fastnn-model.npz".split()) == 0


def titles(monkeypatch):
    """Of the figures that are saved from now on."""
    from fastnn import plot

    found, save = [], plot.save
    monkeypatch.setattr(plot, "save", lambda figure, path: found.append(figure) or save(figure, path))
    return lambda: [figure.axes[0].get_title(loc="left") for figure in found]


@pytest.mark.slow
def test_what_is_shown_is_the_models(here, monkeypatch):
    seen = titles(monkeypatch)
    main("train --data data.npz --hidden 3 --maxiter 9 --plot training.png".split())
    model = fastnn.load("fastnn-model.npz")
    main("show digits --data data.npz --model fastnn-model.npz".split())
    main("show digits --data unlabelled.csv --model fastnn-model.npz".split())
    main("show errors --data data.npz".split())
    main("show confusion --data data.npz".split())
    assert Path("training.png").exists()
    training, *others = seen()
    assert training.startswith(f"Cost {model.history.cost[0]:.3g} to {model.outcome.cost:.3g} in ")
    assert others == [
        "0 of 40 wrong",
        "What the model says of 40 examples",
        "0 of 40 wrong (0.00 %)",
        "100.00 % of 40 right",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_resumed_training_is_drawn_too(here, capsys, form):
    main("train --data data.npz --hidden 3 --maxiter 2 --checkpoint c.npz".split())
    capsys.readouterr()
    assert main(["resume", "c.npz", "--data", "data.npz", "--maxiter", "4", "--plot", *form]) == 0
    out = capsys.readouterr().out
    assert read_json(out)["plot"] == "history.png" if form else "drawn        history.png" in out
    assert Path("history.png").exists()


def test_predict_with_probabilities(here, capsys):
    main("train --data data.npz --hidden 3".split())
    capsys.readouterr()
    model = fastnn.load("fastnn-model.npz")
    X, _ = fastnn.read_data("data.npz")
    labels, A = model.predict(X).tolist(), model.predict_proba(X).tolist()
    assert main("predict fastnn-model.npz --data data.npz --proba".split()) == 0
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert [(int(row[0]), [*map(float, row[1:])]) for row in rows] == [*zip(labels, A, strict=True)]
    warned = "each probability is of one class against all others: a row need not sum to 1\n"
    assert shown.err == f"{warned}accuracy 100.00 % of 40 examples\n"
    assert main("predict fastnn-model.npz --data data.npz --proba --output csv --quiet".split()) == 0
    shown = capsys.readouterr()
    header, *rows = csv.reader(shown.out.splitlines())
    assert header == ["prediction", "P(3)", "P(5)"]
    assert [(int(row[0]), [*map(float, row[1:])]) for row in rows] == [*zip(labels, A, strict=True)]
    assert shown.err == ""
    got = told(capsys, "predict fastnn-model.npz --data data.npz --proba")
    assert (got["predictions"], got["classes"], got["probabilities"]) == (labels, [3, 5], A)
    main("train --data data.npz --hidden 3 --output softmax --maxiter 5".split())
    assert main("predict fastnn-model.npz --data data.npz --proba".split()) == 0
    assert warned not in capsys.readouterr().err


def test_csv_of_labels_that_need_quotes_and_of_numbers(here, capsys):
    np.savez("a.npz", X=np.eye(2).repeat(10, axis=0), y=np.array(['a,"b"', "c"]).repeat(10))
    main("train --data a.npz --hidden 2 --lmbda 0".split())
    np.savez("several.npz", X=np.eye(4), y=np.arange(8.0).reshape(4, 2))
    main("train --data several.npz --hidden 2 --regression --out numbers.npz".split())
    capsys.readouterr()
    assert main("predict fastnn-model.npz --data a.npz --output csv".split()) == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header == ["prediction"]
    assert [row for (row,) in rows] == ['a,"b"'] * 10 + ["c"] * 10
    assert main("predict numbers.npz --data several.npz --output csv".split()) == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header == ["prediction 0", "prediction 1"]
    assert np.array_equal(np.array(rows, float), fastnn.load("numbers.npz").predict(np.eye(4)))
    assert main("predict numbers.npz --data several.npz --proba".split()) == 2
    assert "the model predicts numbers, without probabilities" in capsys.readouterr().err


@pytest.mark.slow
def test_predict_of_an_image(tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    seen = titles(monkeypatch)
    X, y = fastnn.load_digits()
    model = fastnn.train(X * 255.0, y, scale=1 / 255, maxiter=60)
    model.save("m.npz")
    ink = X[3500].reshape(20, 20).T.clip(0.0, 1.0).repeat(15, axis=0).repeat(15, axis=1)  # a seven
    Image.fromarray((255.0 * (1.0 - np.pad(ink, 100))).astype(np.uint8)).save("seven.png")
    assert main(["predict", "m.npz", "seven.png"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "7\n"
    (title,) = seen()
    assert title.startswith("The network sees 7 (")
    assert shown.err == f"{title.removeprefix('The network sees ')}; what the network saw: seen.png\n"
    assert Path("seen.png").read_bytes().startswith(b"\x89PNG")
    got = told(capsys, "predict m.npz seven.png --proba --out other.png")
    assert (got["predictions"], got["saved"]) == ([7], "other.png")
    assert np.argmax(got["probabilities"]) == 7


def test_quiet(here, capsys):
    """Nothing but files, an exit status and what was asked for."""
    for line in [
        "train --data data.npz --hidden 3 --checkpoint c.npz --plot",
        "resume c.npz --data data.npz --maxiter 3",
        "check --data data.npz --hidden 3",
        "show --data data.npz",
    ]:
        assert main([*line.split(), "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")
    assert main("predict fastnn-model.npz --data data.npz --quiet".split()) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 40
    assert shown.err == ""
    assert main(["info", "--quiet"]) == 0
    assert "numpy" in capsys.readouterr().out


def test_quiet_says_what_is_wrong(here, capsys, monkeypatch):
    from fastnn.objective import Objective

    right = Objective.evaluate
    monkeypatch.setattr(Objective, "evaluate", lambda self, theta: (0.0, 2.0 * right(self, theta)[1]))
    assert main("check --data data.npz --hidden 3 --quiet".split()) == 1
    assert "gradient check FAILED" in capsys.readouterr().out


def test_every_module_of_a_command_is_listed():
    modules = {
        path.stem for path in Path(parser.__file__).parent.glob("*.py") if "def add_options(" in path.read_text()
    }
    assert modules == {*parser.COMMANDS}


def test_the_command_line_loads_nothing_before_it_watches_for_signals():
    code = "import fastnn.cli, fastnn.cli.shell, sys; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", parser.COMMANDS)
def test_the_example_of_every_command_is_one(name):
    whole = parser.build()
    command = whole._subparsers._group_actions[0].choices[name]
    program, *words = command.epilog.removeprefix("example: ").split()
    assert program == "fastnn"
    assert whole.parse_args(words).command == name


@pytest.mark.parametrize(
    "line",
    [
        *(f"train {option}" for option in "--data --labels --weights --out --checkpoint --plot --validation".split()),
        *("resume", *(f"resume c.npz {option}" for option in "--data --out --plot --validation".split())),
        *("predict", "predict m.npz", "predict m.npz --data", "predict m.npz --out", "predict m.npz --labels"),
        *("check --model", "check --weights", "check --data", "show --model", "show --out", "show --data"),
        *("bench --data", "bench --out", "convert", "convert a.csv", "export", "export m.npz"),
    ],
)
def test_empty_names_of_files_are_refused(here, capsys, line):
    """An unset shell variable gives an empty name; without this check it would mean the shipped digits."""
    more = [""] * (2 if line in ("convert", "export") else 1)
    with pytest.raises(SystemExit) as ended:
        main([*line.split(), *more])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(": must be the name of a file, got ''\n")


def test_completion(capsys):
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", "bash"])
    assert ended.value.code == 0
    script = capsys.readouterr().out
    assert all(name in script for name in parser.COMMANDS)
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


@pytest.fixture
def quick_bench(monkeypatch):
    from fastnn.benchmark import ladder, timing

    monkeypatch.setattr(ladder, "ROUNDS", 1)
    monkeypatch.setattr(ladder, "CHECK_SECONDS", 1e9)
    monkeypatch.setattr(ladder, "TRAINING_SECONDS", 1e9)
    monkeypatch.setattr(timing, "REST", 0.0)
    monkeypatch.setattr(timing, "BLOCK", 1e-3)
    monkeypatch.setattr(timing, "busy", lambda: None)


@pytest.mark.slow
def test_bench(here, capsys, monkeypatch, quick_bench):
    from fastnn.benchmark import comparison, timing

    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")  # too late for NumPy, which is loaded
    monkeypatch.setattr(timing, "busy", lambda: "The machine is busy.")
    assert main(["bench", "--data", "data.npz", "--hidden", "3,2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"The machine is busy.\n{timing.forced_kernels('Haswell')}\n")
    for words in ("forward, 40 x 4-3-2-2, float64", "cost and gradient, 40", "gradient check, 40", "50 iterations, 40"):
        assert words in out
    for rung in comparison.RUNGS.values():
        assert out.count(f".  {rung} ") == 4
    assert "cost and gradient, 40 x 4-3-2-2, float64: fused takes" in out
    assert "saved ladder.png" in out
    assert (here / "ladder.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_bench_of_sizes_without_matplotlib(here, capsys, monkeypatch, quick_bench):
    from fastnn.benchmark import timing

    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert main(["bench", "--sizes", "5,4,3", "--examples", "30", "--lmbda", "0.5"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(timing.machine()["cpu"])
    assert "cost and gradient, 30 x 5-4-3, float64" in shown.out
    assert "drawing ladder.png needs matplotlib: python -m pip install matplotlib\n" in shown.err
    assert not (here / "ladder.png").exists()


def test_bench_takes_no_more_than_a_minute_allows(here, capsys, monkeypatch):
    from fastnn.benchmark import ladder

    monkeypatch.setattr(ladder, "EVALUATION_LIMIT", 4 * 9 * 9)  # a 4-1-2 network has 9 parameters
    options = parser.build().parse_args(["bench", "--data", "data.npz", "--hidden", "1"])
    task, note = bench.workload(options)
    assert note == "on 9 of 40 examples, to end within a minute; --examples 40 takes all"
    assert len(task.problem.data.X) == 9
    assert task.problem.network.sizes == (4, 1, 2)
    options = parser.build().parse_args(["bench", "--data", "data.npz", "--hidden", "1", "--examples", "40"])
    task, note = bench.workload(options)
    assert len(task.problem.data.X) == 40
    assert note == ""


def test_info(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for word in ("fastnn", "numba", "cores", "vector width", "threading layer", "cache folder"):
        assert word in out


def test_regression_of_a_table(here, capsys):
    """Numbers however they are written, and predictions that lose no digit."""
    rows = [(i % 7, i % 5 / 4, 2.0 * (i % 7) - i % 5) for i in range(60)]
    Path("a.csv").write_text("a,b,price\n" + "".join(f"{a},{b},{y:.2f}\n" for a, b, y in rows))
    Path("b.csv").write_text(Path("a.csv").read_text().replace(",", ";").replace(".", ","))
    Path("c.csv").write_text("".join(f"{y:e},{a},{b}\n" for a, b, y in rows))
    X, y = np.array(rows)[:, :2], np.array(rows)[:, 2]
    options = "--regression --hidden 4 --lmbda 0.1 --standardize"
    for data in ("a.csv", "b.csv", "c.csv --label 0"):
        assert main(["train", *options.split(), "--data", *data.split()]) == 0
        out = capsys.readouterr().out
        model = fastnn.load("fastnn-model.npz")
        assert "numbers      -4 to 12" in out
        assert f"R2           {model.score(X, y):.4f}" in out
        assert "accuracy" not in out
        want = fastnn.train(X, y, 4, 0.1, output="identity", standardize=True)
        assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(want.weights))
        assert main(["predict", "fastnn-model.npz", "--data", *data.split()]) == 0
        shown = capsys.readouterr()
        assert [float(line) for line in shown.out.splitlines()] == model.predict(X).tolist()
        assert shown.err == f"R2 {model.score(X, y):.4f} of 60 examples\n"
        assert main(["check", "--model", "fastnn-model.npz", "--data", *data.split()]) == 0
        assert "gradient check passed: 17 parameters on 60 examples" in capsys.readouterr().out
    np.savetxt("inputs.csv", X, delimiter=",")
    got = told(capsys, "predict fastnn-model.npz --data inputs.csv")
    assert got == {"predictions": model.predict(X).tolist(), "R2": None}
    assert main(["check", "--output", "identity", "--hidden", "2", "--data", "a.csv"]) == 0


def test_regression_of_arrays(here, capsys):
    """Several numbers an example are a line of their own, with spaces between."""
    X = np.random.default_rng(0).standard_normal((40, 3))
    Y = np.column_stack([X.sum(axis=1), X[:, 0]])
    np.savez("two.npz", X=X, y=Y)
    got = told(capsys, "train --data two.npz --regression --hidden 3")
    model = fastnn.load("fastnn-model.npz")
    assert got["sizes"] == [3, 3, 2]
    assert got["classes"] is None
    assert got["R2"] == model.score(X, Y)
    assert main(["predict", "fastnn-model.npz", "--data", "two.npz"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [[float(number) for number in line.split(" ")] for line in lines] == model.predict(X).tolist()
    assert told(capsys, "check --model fastnn-model.npz --data two.npz")["passed"]
    assert told(capsys, "predict fastnn-model.npz --data two.npz")["predictions"] == model.predict(X).tolist()


def test_a_model_of_several_labels(here, capsys):
    X = np.random.default_rng(0).standard_normal((40, 3))
    Y = (X > 0.0).astype(int)
    fastnn.train(X, Y, 3, 0.1, multilabel=True).save("several.npz")
    np.savez("several-data.npz", X=X, y=Y)
    capsys.readouterr()
    assert main(["predict", "several.npz", "--data", "several-data.npz"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [" ".join(map(str, row)) for row in fastnn.load("several.npz").predict(X)]
    assert shown.err.startswith("accuracy ")
    assert told(capsys, "check --model several.npz --data several-data.npz")["passed"]


@pytest.fixture
def noisy(here):
    """Of two classes, one of them rare, which the inputs say a little about; in halves too."""
    rng = np.random.default_rng(0)
    y = np.where(rng.random(200) < 0.2, "rare", "often")
    X = (y == "rare")[:, None] + rng.standard_normal((200, 4))
    rows = [f"{','.join(map(repr, row.tolist()))},{label}\n" for row, label in zip(X, y, strict=True)]
    Path("all.csv").write_text("a,b,c,d,kind\n" + "".join(rows))
    Path("first.csv").write_text("a,b,c,d,kind\n" + "".join(rows[:100]))
    Path("second.csv").write_text("a,b,c,d,kind\n" + "".join(rows[100:]))
    Path("other.csv").write_text("a,b,c,e,kind\n" + "".join(rows[100:]))
    Path("unlabelled.csv").write_text("".join(",".join(map(repr, row.tolist())) + "\n" for row in X))
    return X, y


def test_control_of_a_training(noisy, capsys):
    """Each option is the argument of `fastnn.train` of that name."""
    X, y = noisy
    first, second = (X[:100], y[:100]), (X[100:], y[100:])
    for options, data, arguments in [
        ("--validation 0.25 --patience 3", (X, y), {"validation": 0.25, "patience": 3}),
        ("--validation second.csv --patience 3", first, {"validation": second, "patience": 3}),
        ("--class-weight balanced", (X, y), {"class_weight": "balanced"}),
        ("--class-weight rare=3", (X, y), {"class_weight": {"rare": 3.0}}),
        ("--target-cost 1.2", (X, y), {"target_cost": 1.2}),
        ("--tol 0.01", (X, y), {"tol": 0.01}),
        ("--max-seconds 1e-9", (X, y), {"max_seconds": 1e-9}),
        ("--standardize --solver TNC --maxiter 5", (X, y), {"standardize": True, "solver": "TNC", "maxiter": 5}),
    ]:
        file = "first.csv" if data is first else "all.csv"
        got = told(capsys, f"train --data {file} --hidden 5 --lmbda 0.1 {options}")
        want = fastnn.train(*data, 5, 0.1, **arguments)
        model = fastnn.load("fastnn-model.npz")
        assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(want.weights)), options
        assert got["status"] == want.outcome.status
        assert (model.scaling is None) == (want.scaling is None)


def test_validation_is_told_where_the_weights_are_from(noisy, capsys):
    X, y = noisy
    options = "train --data first.csv --validation second.csv --hidden 5 --lmbda 0"
    for more, column in ((" --maxiter 20", "cost"), (" --patience 3", "validation_cost")):
        assert main((options + more).split()) == 0
        model = fastnn.load("fastnn-model.npz")
        row = int(model.history[column].argmin())
        score = model.score(X[100:], y[100:])
        cost = model.history.validation_cost[row]
        line = f"accuracy {100 * score:.2f} % of the 100 held out, cost {cost:.6f} at iteration {row}"
        out = capsys.readouterr().out
        assert f"validation   {line}\n" in out
        assert f"accuracy     {100 * model.score(X[:100], y[:100]):.2f} % of the 100 trained on\n" in out
        got = told(capsys, options + more)["validation"]
        assert got == {"examples": 100, "iteration": row, "cost": cost, "accuracy": score}
    assert 0 < row < model.outcome.iterations  # patience has brought older weights back


@pytest.mark.parametrize("suffix", ["csv", "npy"])
def test_accuracy_is_of_the_examples_trained_on_and_of_those_held_out(noisy, capsys, suffix):
    """Checked for a fraction, in memory and mapped; the JSON has the accuracy of all examples, too."""
    X, y = noisy
    np.save("all.npy", X)
    np.save("labels.npy", y)
    options = f"train --data all.{suffix} --validation 0.4 --hidden 2 --maxiter 9"
    options += " --labels labels.npy" * (suffix == "npy")
    assert main(options.split()) == 0
    out = capsys.readouterr().out
    model = fastnn.train(X, y, 2, validation=0.4, maxiter=9)
    held_out = model.held_out
    trained, unseen = model.score(X[~held_out], y[~held_out]), model.score(X[held_out], y[held_out])
    assert trained != unseen
    assert held_out.sum() == 80
    assert "on 200 examples, 0.4 of them held out\n" in out
    assert f"accuracy     {100 * trained:.2f} % of the 120 trained on\n" in out
    assert f"validation   accuracy {100 * unseen:.2f} % of the 80 held out, cost " in out
    got = told(capsys, options)
    assert got["accuracy"] == model.score(X, y)
    assert got["trained_on"] == {"examples": 120, "accuracy": trained}
    assert (got["validation"]["examples"], got["validation"]["accuracy"]) == (80, unseen)


def test_labels_of_class_weights_are_those_of_the_file(here, capsys):
    assert main("train --data data.npz --hidden 3 --class-weight 3=2,5=0.5".split()) == 0
    want = fastnn.train(*fastnn.read_data("data.npz"), 3, class_weight={3: 2.0, 5: 0.5})
    assert np.array_equal(fastnn.load("fastnn-model.npz").weights[0], want.weights[0])


def test_a_line_after_each_iteration(here, capsys):
    options = "train --data data.npz --hidden 3 --maxiter 4 --verbose"
    assert main(options.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [["iteration", str(i)] for i in (1, 2, 3, 4)]
    assert lines[4].startswith("data ")
    assert main([*options.split(), "--json"]) == 0
    shown = capsys.readouterr()
    assert read_json(shown.out)["iterations"] == 4
    assert len(shown.err.splitlines()) == 4


@pytest.fixture
def pixels(here):
    """Bytes that are pixels, and where they can be: in a map, in a dataset, in memory; and their labels."""
    rng = np.random.default_rng(1)
    y = np.arange(60) % 3
    X = np.clip(rng.integers(0, 120, (60, 9)) + 60 * (y[:, None] == np.arange(9) // 3), 0, 255).astype(np.uint8)
    np.save("X.npy", X)
    np.save("y.npy", y)
    np.savez("X.npz", X=X, y=y)
    np.savetxt("y.csv", y, fmt="%d", header="digit", comments="")
    if find_spec("h5py"):
        import h5py

        with h5py.File("X.h5", "w") as file:
            file.update({"X": X, "y": y, "even": y % 2})
    return X, y


KINDS = ["X.npz", "X.npy --labels y.npy", "X.npy --labels y.csv"]
KINDS += [pytest.param("X.h5", marks=pytest.mark.skipif(not find_spec("h5py"), reason="it needs h5py"))]


@pytest.mark.parametrize("data", KINDS)
def test_data_that_stay_where_they_are(pixels, capsys, data):
    """What is printed and saved is that of data in memory, with their scale."""
    X, y = pixels
    assert main(f"train --data {data} --scale 1/255 --hidden 4 --lmbda 0.1".split()) == 0
    out = capsys.readouterr().out
    assert f"data         {data.split()[0]}: 60 examples of 9 inputs\n" in out
    assert "classes      0 (20), 1 (20), 2 (20)\n" in out
    model, want = fastnn.load("fastnn-model.npz"), fastnn.train(X, y, 4, 0.1, scale=1 / 255)
    assert model.scale == 1 / 255
    assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(want.weights))
    assert f"accuracy     {100 * want.score(X, y):.2f} % of the 60 trained on\n" in out
    assert main(f"predict fastnn-model.npz --data {data}".split()) == 0
    shown = capsys.readouterr()
    assert shown.out.split() == [str(label) for label in want.predict(X).tolist()]
    assert shown.err == f"accuracy {100 * want.score(X, y):.2f} % of 60 examples\n"
    arrays = {"--weights": X, "--model": X}
    for option, more in [("--weights", "--scale 1/255 --lmbda 0.1"), ("--model", "")]:
        for examples in (60, 7):
            line = f"check {option} fastnn-model.npz {more} --data {data} --examples {examples}"
            assert main(line.split()) == 0
            some = np.arange(examples) * 60 // examples
            report = fastnn.check_gradient(want.weights, arrays[option][some], y[some], 0.1, scale=1 / 255)
            assert capsys.readouterr().out == f"{report}\n"
    assert main(f"check --quick --data {data} --hidden 3 --scale 0.004".split()) == 0


@pytest.mark.slow
@pytest.mark.parametrize("data", KINDS)
def test_a_standardised_model_of_data_that_stay_where_they_are(pixels, capsys, data):
    X, y = pixels
    options = "--standardize --scale 0.5 --hidden 4 --validation 0.3 --class-weight 1=2"
    assert main(f"train --data {data} {options}".split()) == 0
    model = fastnn.load("fastnn-model.npz")
    want = fastnn.train(X, y, 4, standardize=True, scale=0.5, validation=0.3, class_weight={1: 2.0})
    assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(want.weights))
    capsys.readouterr()
    for examples in (60, 7):
        got = told(capsys, f"check --model fastnn-model.npz --data {data} --examples {examples}")
        some = np.arange(examples) * 60 // examples
        report = fastnn.check_gradient(want.weights, model.scaling.apply(0.5 * X[some]), y[some], 1.0)
        assert got["passed"]
        assert got["examples"] == examples
        assert got["worst"]["analytic"] == pytest.approx(report.worst.analytic, rel=1e-6)
    assert told(capsys, f"predict fastnn-model.npz --data {data}")["predictions"] == want.predict(X).tolist()


def test_numbers_and_other_labels_of_data_that_stay_where_they_are(pixels, capsys):
    X, _ = pixels
    np.savetxt("price.csv", X[:, 0] / 2.0, fmt="%.1f")
    options = "--regression --scale 1/255 --hidden 3 --lmbda 0.1"
    assert main(f"train --data X.npy --labels price.csv {options}".split()) == 0
    want = fastnn.train(X, X[:, 0] / 2.0, 3, 0.1, scale=1 / 255, output="identity")
    assert np.array_equal(fastnn.load("fastnn-model.npz").weights[0], want.weights[0])
    assert main("check --model fastnn-model.npz --data X.npy --labels price.csv".split()) == 0
    capsys.readouterr()
    got = told(capsys, "predict fastnn-model.npz --data X.npy")
    assert got == {"predictions": want.predict(X).tolist(), "R2": None}
    pytest.importorskip("h5py")
    assert main("train --data X.h5 --labels even --scale 1/255 --hidden 3".split()) == 0
    assert "classes      0 (40), 1 (20)\n" in capsys.readouterr().out


def test_a_validation_file_has_labels_of_its_own(pixels, capsys):
    X, y = pixels
    assert main("train --data X.npy --labels y.npy --validation X.npz --hidden 3 --scale 1/255".split()) == 0
    want = fastnn.train(X, y, 3, scale=1 / 255, validation=(X, y))
    got = fastnn.load("fastnn-model.npz").history.validation_cost
    assert got.tolist() == want.history.validation_cost.tolist()
    capsys.readouterr()
    np.save("more.npy", X)
    assert main("train --data X.npy --labels y.npy --validation more.npy --hidden 3".split()) == 2
    assert capsys.readouterr().err == "fastnn train: --validation has no labels; one for every example is wanted\n"


@pytest.mark.slow
@pytest.mark.parametrize("data", KINDS)
def test_pictures_and_times_of_data_that_stay_where_they_are(pixels, capsys, data):
    X, y = pixels
    pictures = []
    for some in (data, "X.npz"):
        assert main(f"show --data {some} --seed 3".split()) == 0
        pictures.append(Path("digits.png").read_bytes())
    assert pictures[0] == pictures[1]
    task, note = bench.workload(parser.build().parse_args(f"bench --data {data} --examples 20".split()))
    assert np.array_equal(task.problem.data.X, X[::3].astype(float))
    assert task.problem.data.targets.classes.tolist() == y[::3].tolist()
    assert note == ""


def test_rows_that_are_not_finite_are_those_of_the_file(pixels, capsys):
    X = pixels[0].astype(float)
    X[50, 2] = np.nan
    np.save("broken.npy", X)
    main("train --data X.npz --hidden 2 --maxiter 1".split())
    capsys.readouterr()
    for line in ("train", "check --examples 30", "bench --examples 30", "predict fastnn-model.npz"):
        assert main(f"{line} --data broken.npy --labels y.npy".split()) == 2
        assert "X holds nan at index (50, 2); finite numbers are wanted" in capsys.readouterr().err


def test_pictures_need_no_labels(pixels, capsys):
    assert main(["show", "--data", "X.npy"]) == 0
    assert main(["bench", "--data", "X.npy"]) == 2
    assert "which holds no y; labels, a file with them, is wanted\n" in capsys.readouterr().err


@pytest.mark.slow
def test_a_bench_of_bytes(pixels, capsys, quick_bench):
    """Small ones: trainings on others part early, by their rounding."""
    np.save("small.npy", pixels[0] // 100)
    assert main("bench --data small.npy --labels y.npy --hidden 3".split()) == 0
    assert "cost and gradient, 60 x 9-3-3, float64" in capsys.readouterr().out


def test_help_of_training_is_on_one_screen(capsys, monkeypatch):
    for columns in (80, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit):
            main(["train", "--help"])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) <= 50
        assert max(map(len, lines)) <= columns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train --data missing.mat", "fastnn train: [Errno 2] No such file or directory: 'missing.mat'"),
        ("train --data missing.csv", "No such file or directory: 'missing.csv'"),
        ("train --out model.pkl", "--out is 'model.pkl'; a name that ends in one of .npz, .mat, .safetensors"),
        ("train --out no/model.npz", "--out is 'no/model.npz', in a folder that does not exist"),
        ("train --data data.npz --lmbda -1", "lmbda is -1.0"),
        ("train --data data.npz --maxiter 0", "maxiter is 0"),
        ("train --data data.npz --solver adam", "solver is 'adam'; one of 'cg', 'l-bfgs', 'L-BFGS-B', "),
        ("train --data data.npz --patience 3", "patience is 3, but there is no validation; both are wanted"),
        ("train --data data.npz --max-seconds 0", "max_seconds is 0.0"),
        ("train --data data.npz --tol -1", "tol is -1.0"),
        ("train --data data.npz --validation missing.csv", "No such file or directory: 'missing.csv'"),
        ("train --data data.npz --validation unlabelled.csv", "--validation has no labels; one for every example is"),
        ("train --data data.npz --validation one-label.npz", "validation: y holds 1, a label that the network has no"),
        ("train --data data.npz --class-weight 4=2", "class_weight has '4', which is no label in y; of 3, 5 some are"),
        ("train --data data.npz --class-weight 3=-2", "class_weight[3] is -2.0"),
        ("train --regression --output softmax", "--regression and --output softmax are both given; one of them is"),
        ("train --regression --class-weight balanced", "--class-weight is given, but numbers have no classes; it is"),
        ("train --output identity --class-weight 1=2", "--class-weight is given, but numbers have no classes; it is"),
        ("train --regression --data text.csv", "whose row 4 has 'x' in column 3 ('c'); a finite number is wanted"),
        ("train --regression --data missing-number.csv", "whose row 2 has '' in column 3; a finite number is wanted"),
        ("train --regression --data text.npz", "y has dtype <U21; real numbers are wanted"),
        ("train --data data.npz --seed -1", "seed is -1"),
        ("train --data data.npz --scale 0", "scale is 0.0; a finite number greater than 0 is wanted"),
        ("train --data data.npz --scale=-1/255", "scale is -0.00392"),
        ("train --data data.npz --labels missing.npy", "No such file or directory: 'missing.npy'"),
        ("train --data data.npz --labels y", "labels is 'y'; a file that ends in .npy, .npz, "),
        (
            "train --data data.npz --labels text.csv",
            "labels is 'text.csv', whose row 1 has 3 fields; one label in each",
        ),
        ("train --labels text.csv", "--labels is given without --data; both are wanted"),
        ("check --model data.npz --scale 2", "--model and --scale are both given; one of them is wanted"),
        ("check --scale 0", "scale is 0.0; a finite number greater than 0 is wanted"),
        ("predict data.npz", "arrays Theta1, Theta2, ... are wanted"),
        ("check --examples 0", "--examples is 0"),
        ("show --order X --data data.npz", "order is 'X'"),
        ("show --out a.svg", "path is 'a.svg'"),
        ("train --data data.npz --plot a.svg", "path is 'a.svg'"),
        ("train --data data.npz --plot no/a.png", "--plot is 'no/a.png', in a folder that does not exist"),
        ("show errors", "--model is not given, and fastnn-model.npz, which fastnn train saves, is not here"),
        ("show errors --model missing.npz", "No such file or directory: 'missing.npz'"),
        ("show history --over days --model data.npz", "arrays Theta1, Theta2, ... are wanted"),
        ("predict data.npz a.png", "arrays Theta1, Theta2, ... are wanted"),
        ("show --out no/a.png", "--out is 'no/a.png', in a folder that does not exist"),
        ("bench --out a.svg", "path is 'a.svg'"),
        ("bench --out no/a.png", "--out is 'no/a.png', in a folder that does not exist"),
        ("bench --examples 0", "--examples is 0"),
        ("bench --lmbda -1", "lmbda is -1.0"),
        ("bench --sizes 5,3 --data data.npz", "--sizes and --data are both given; one of them is wanted"),
        ("bench --sizes 5,1", "--sizes ends in 1; at least two classes are wanted"),
        ("bench --data one-label.npz", "--data holds one label only, np.int64(1); at least two classes are wanted"),
        ("bench --data missing.csv", "No such file or directory: 'missing.csv'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(here, capsys, arguments, message):
    before = sorted(file.name for file in here.iterdir())
    assert main(arguments.split()) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert sorted(file.name for file in here.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        *("", "fly", "train --hidden 0", "train --hidden a,b", "predict", "check --all --quick", "bench --sizes a"),
        *("train --validation 1.5", "train --class-weight 3", "train --class-weight 3=a", "train --class-weight =1"),
        *("train --scale a", "train --scale 1/0", "train --scale 1/2/3", "check --scale /255"),
    ],
)
def test_unusable_options(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert "usage: fastnn" in capsys.readouterr().err


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def read_json(text):
    """The one object that a command printed, in JSON as strict readers want it, and nothing else."""
    assert text.isascii()
    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


def told(capsys, arguments):
    assert main([*arguments.split(), "--json"]) == 0
    return read_json(capsys.readouterr().out)


def test_json_of_a_training_and_its_predictions(here, capsys):
    got = told(capsys, "train --data data.npz --hidden 3 --maxiter 9")
    model = fastnn.load("fastnn-model.npz")
    X, y = fastnn.read_data("data.npz")
    assert got == {
        "data": "data.npz",
        "examples": 40,
        "inputs": 4,
        "layout": None,
        "classes": [{"label": 3, "examples": 20}, {"label": 5, "examples": 20}],
        "sizes": [4, 3, 2],
        "lmbda": 1.0,
        "accuracy": model.score(X, y),
        "trained_on": {"examples": 40, "accuracy": model.score(X, y)},
        "validation": None,
        **model.outcome.saved(),
        "message": model.outcome.message.replace("a higher maxiter", "a higher --maxiter"),
        "saved": "fastnn-model.npz",
        "moved": None,
        "replaced": False,
        "plot": None,
    }
    want = model.predict(X).tolist()
    assert told(capsys, "predict fastnn-model.npz --data data.npz") == {"predictions": want, "accuracy": 1.0}
    assert told(capsys, "predict fastnn-model.npz --data unlabelled.csv") == {"predictions": want, "accuracy": None}


@pytest.mark.parametrize("labels", [["naïve", "b\udce9"], [0.5, 2.0], [False, True], [-1, 7]])
def test_labels_are_json_values_as_they_are(here, capsys, labels):
    X = np.eye(2).repeat(10, axis=0)
    np.savez("a.npz", X=X, y=np.array(labels).repeat(10))
    got = told(capsys, "train --data a.npz --hidden 2 --lmbda 0")["classes"]
    assert [one["label"] for one in got] == sorted(labels)
    got = told(capsys, "predict fastnn-model.npz --data a.npz")["predictions"]
    assert got == [label for label in labels for _ in range(10)]
    assert {type(label) for label in got} == {type(labels[0])}


def test_json_of_a_check(here, capsys, monkeypatch):
    from fastnn.objective import Objective

    got = told(capsys, "check --data data.npz --hidden 3 --examples 7")
    assert (got["passed"], got["parameters"], got["examples"], got["directions"]) == (True, 23, 7, 0)
    assert got["relative_norm_error"] <= got["tolerance"]
    assert [layer["worst"]["layer"] for layer in got["layers"]] == [0, 1]
    worst = max(layer["max_relative_error"] for layer in got["layers"])
    assert got["worst"].keys() == {"layer", "row", "column", "analytic", "numerical"}
    assert 0.0 <= got["max_relative_error"] <= worst  # a layer's own is relative to the same largest entry
    assert told(capsys, "check --data data.npz --hidden 3 --quick")["worst"].keys() == {
        "direction",
        "analytic",
        "numerical",
    }
    right = Objective.evaluate
    monkeypatch.setattr(Objective, "evaluate", lambda self, theta: (0.0, np.nan * right(self, theta)[1]))
    assert main(["check", "--data", "data.npz", "--hidden", "3", "--json"]) == 1
    got = read_json(capsys.readouterr().out)
    assert got["passed"] is False
    assert got["relative_norm_error"] is None  # NaN


def test_json_of_pictures_and_versions(here, capsys):
    assert told(capsys, "show --data data.npz --out a.png") == {"saved": "a.png"}
    got = told(capsys, "info")
    assert got["fastnn"] == fastnn.__version__
    assert got["numpy"] == np.__version__
    assert got["vector_bits"] in (64, 128, 256, 512)


@pytest.mark.slow
def test_json_of_a_bench(here, capsys, monkeypatch, quick_bench):
    from fastnn.benchmark import comparison

    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert main(["bench", "--data", "data.npz", "--hidden", "3", "--json"]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("OPENBLAS_CORETYPE is 'Haswell'")
    got = read_json(shown.out)
    assert got["saved"] == "ladder.png"
    assert got["machine"]["numpy"] == np.__version__
    assert len(got["groups"]) == 4
    for group in got["groups"]:
        seconds = {one["name"]: one["seconds"] for one in group["implementations"]}
        assert seconds.keys() == set(comparison.RUNGS.values())
        assert list(seconds.values()) == sorted(seconds.values())
        fused = next(one for one in group["implementations"] if one["name"] == "fused")
        assert fused["times_numpy"]["median"] == pytest.approx(seconds["NumPy"] / seconds["fused"])


def test_errors_of_a_script_are_sentences_too(here, capsys):
    assert main(["predict", "missing.npz", "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "fastnn predict: [Errno 2] No such file or directory: 'missing.npz'\n"


def test_as_a_module():
    run = subprocess.run(
        [sys.executable, "-P", "-m", "fastnn", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"fastnn {fastnn.__version__}\n"


def same(got, want):
    return all(np.array_equal(a, b) for a, b in zip(fastnn.load(got).weights, fastnn.load(want).weights, strict=True))


TRAIN = ["train", "--data", "data.npz", "--hidden", "3", "--lmbda", "0.5", "--seed", "4"]


def test_a_training_is_resumed(here, capsys):
    """By its own command, or by the one that began it, which begins where nothing is kept yet."""
    assert main([*TRAIN, "--maxiter", "12", "--out", "whole.npz"]) == 0
    kept = ["--checkpoint", "kept.npz", "--checkpoint-every", "3"]
    assert main([*TRAIN, *kept, "--resume", "--maxiter", "5", "--out", "part.npz"]) == 0
    assert not same("part.npz", "whole.npz")
    assert main(["resume", "kept.npz", "--data", "data.npz", "--maxiter", "8", "--out", "part.npz"]) == 0
    assert main([*TRAIN, *kept, "--resume", "--maxiter", "12", "--out", "end.npz"]) == 0
    out = capsys.readouterr().out
    assert same("end.npz", "whole.npz")
    assert same("kept.npz", "whole.npz")
    for line in ("network      4-3-2, lmbda 0.5", "iterations   12", "saved        end.npz"):
        assert line in out


def test_scikit_learns_names_resume_a_training(here, capsys):
    names = "--solver lbfgs --activation logistic --output logistic".split()
    train = ["train", "--data", "data.npz", "--hidden", "3", "--checkpoint", "kept.npz"]
    assert main([*train, *names, "--maxiter", "2"]) == 0
    assert main([*train, *names, "--maxiter", "4", "--resume"]) == 0
    ours = "--solver L-BFGS-B --activation sigmoid --output sigmoid".split()
    assert main([*train, *ours, "--maxiter", "6", "--resume"]) == 0
    capsys.readouterr()
    assert main([*train, "--solver", "l-bfgs", "--resume"]) == 2
    assert "--solver is l-bfgs, but the training in 'kept.npz' has L-BFGS-B" in capsys.readouterr().err


def test_a_training_with_everything_is_resumed(here, capsys):
    more = ["--validation", "0.25", "--patience", "50", "--class-weight", "3=2", "--standardize", "--output", "softmax"]
    assert main([*TRAIN, *more, "--maxiter", "12", "--out", "whole.npz"]) == 0
    began = [*TRAIN, *more, "--checkpoint", "kept.npz"]
    assert main([*began, "--maxiter", "5", "--out", "end.npz"]) == 0
    assert main([*began, "--resume", "--maxiter", "12", "--out", "end.npz"]) == 0
    assert same("end.npz", "whole.npz")
    assert "validation   accuracy" in capsys.readouterr().out.split("saved        end.npz")[1]
    assert main(["resume", "kept.npz", "--data", "data.npz", "--validation", "text.npz"]) == 2
    assert "holds out 0.25, and the same is wanted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--hidden", "4"], "--hidden is (4,), but the training in 'kept.npz' has (3,); the same is wanted"),
        (["--lmbda", "1"], "--lmbda is 1.0, but the training in 'kept.npz' has 0.5"),
        (["--solver", "l-bfgs"], "--solver is l-bfgs, but"),
        (["--activation", "relu"], "--activation is relu, but"),
        (["--output", "softmax"], "--output is softmax, but"),
        (["--regression"], "--regression is True, but"),
        (["--scale", "2"], "--scale is 2.0, but"),
        (["--standardize"], "--standardize is True, but"),
        (["--checkpoint-every", "7"], "--checkpoint-every is 7, but"),
        (["--class-weight", "3=2"], "--class-weight is another, but"),
        (["--class-weight", "balanced"], "--class-weight is another, but"),
        (["--validation", "0.5"], "has no fraction to hold out, and the same is wanted"),
        (["--data", "text.npz"], "y is not what the training in 'kept.npz' was begun with"),
    ],
)
def test_another_training_is_not_resumed(here, capsys, more, message):
    began = ["--hidden", "3", "--lmbda", "0.5", "--checkpoint", "kept.npz"]
    assert main(["train", "--data", "data.npz", *began, "--maxiter", "3"]) == 0
    content = Path("kept.npz").read_bytes()
    capsys.readouterr()
    assert main(["train", "--data", "data.npz", "--checkpoint", "kept.npz", "--resume", *more]) == 2
    assert message in capsys.readouterr().err
    assert Path("kept.npz").read_bytes() == content


def test_what_is_said_of_checkpoints_has_to_fit(here, capsys):
    for arguments, message in [
        (["train", "--resume"], "--resume is given without --checkpoint; both are wanted"),
        (["train", "--checkpoint-every", "5"], "--checkpoint-every is given without --checkpoint; both are wanted"),
        (["train", "--checkpoint", "a.mat"], "checkpoint is 'a.mat'; a name that ends in .npz is wanted"),
        (["resume", "gone.npz"], "gone.npz"),
        (["resume", "data.npz"], "path is 'data.npz', which holds no training; a checkpoint is wanted"),
    ]:
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "--checkpoint", "a.npz", "--checkpoint-every", "soon"])
    assert "'soon'; iterations, as 10, or seconds, as 5.0, are wanted" in capsys.readouterr().err
