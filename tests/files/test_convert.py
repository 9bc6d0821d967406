"""Tables turned into files that can be mapped: the arrays of `read_data` to the bit, or a sentence and nothing left."""

import gzip
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import warnings
import zipfile
import zlib

import numpy as np
import pytest

import fastnn
from fastnn.cli import main
from fastnn.files import convert

from ..conftest import UNMEASURED

pytest.importorskip("pyarrow")

COMMAND = [sys.executable, "-P", "-m", "fastnn"]
MANY = range(60)


def write(tmp_path, text, name="table.csv", encoding="utf-8"):
    content = text.encode(encoding)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return path


def read(path, **options):
    with warnings.catch_warnings(action="ignore"):  # of columns that say nothing
        return fastnn.read_data(path, **options)


def begins(path, name="X.npy"):
    """Where a member of an archive begins, and where its numbers do."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        entry = archive.getinfo(name)
        assert entry.compress_type == zipfile.ZIP_STORED
        file.seek(entry.header_offset + 26)
        start = entry.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
        file.seek(start)
        assert np.lib.format.read_magic(file) == (1, 0)
        np.lib.format.read_array_header_1_0(file)
        return start, file.tell()


def labelled(labels, row="{0}.5,{1},{2}\n"):
    return "".join(row.format(i, i * i % 7, label) for i, label in enumerate(labels))


def late(first, last):
    """Labels that are all alike but for the last one."""
    return labelled([*[first] * 59, last])


TEXT = labelled("ant" if i % 3 else '"bee, big"' for i in MANY)
CASES = {
    "integers": (labelled(i % 3 for i in MANY), {}),
    "header": ("width,height,kind\n" + TEXT, {}),
    "header said": ("0,1,2\n" + labelled(i % 3 for i in MANY), {"header": True}),
    "header denied": ("0,1,2\n" + labelled(i % 3 for i in MANY), {"header": False}),
    "header of numbers": ("0,1,kind\n" + labelled(i % 3 for i in MANY), {}),
    "header of other numbers": ("2019,2020,kind\n" + labelled(i % 3 for i in MANY), {}),
    "header with an end of a line": ('"width\nin cm",height,kind\n' + labelled(i % 3 for i in MANY), {}),
    "an example that looks like a header, until text comes": ("7,5,kind\n" + late("3", "bee"), {}),
    "an example that looks like a header, until its label comes": ("0,1,kind\n" + late("3", "kind"), {}),
    "no example below": ("0,1,kind\n" + late("3", "bee"), {}),
    "header that counts": ("0,1,2\n" + labelled(i % 2 for i in MANY), {}),
    "index": (",width,height,kind\n" + labelled((i % 3 for i in MANY), "{0},{0}.5,{1},{2}\n"), {}),
    "index, header that counts": (",0,1,2\n" + labelled((i % 3 for i in MANY), "{0},{0}.5,{1},{2}\n"), {}),
    "index, header said": (",a,b,k\n" + labelled(["x", "y"] * 30, "{0},{0}.5,{1},{2}\n"), {"header": True}),
    "index of R": ('"","a","b","k"\n' + labelled((i % 3 for i in range(1, 61)), '"{0}",{0}.5,{1},{2}\n'), {}),
    "index, label by position": (",a,k,b\n" + labelled(["x", "y"] * 30, "{0},{0}.5,{2},{1}\n"), {"label": 2}),
    "the label is the first column": (",a,b\n" + labelled([8] * 60, "{0},{0}.5,{1}\n"), {"label": 0}),
    "index, until a row does not count": (
        ",width,kind\n" + labelled((i % 3 for i in range(40)), "{0},{1},{2}\n") + "7,1,0\n8,2,1\n",
        {},
    ),
    "index, decimal commas": (";a;b;k\n" + labelled((i % 3 for i in MANY), "{0};{0},5;{1};{2}\n"), {}),
    "a column that counts, with a name": ("id,a,kind\n" + labelled((i % 3 for i in MANY), "{0},{1},{2}\n"), {}),
    "label first": ("kind,a,b\n" + labelled(["x", "yy"] * 30, "{2},{0},{1}\n"), {"label": "kind"}),
    "label between": (labelled(["x", "yy"] * 30, "{0},{2},{1}\n"), {"label": 1}),
    "quoted": (labelled(f'"say ""{i % 3}"""' for i in MANY), {}),
    "quotes inside": (labelled(f'{i % 3}" nail' for i in MANY), {}),
    "all quoted": (labelled((i % 3 for i in MANY), '"{0}.5","{1}","{2}"\n'), {}),
    "decimal commas": (labelled((i % 3 for i in MANY), "{0},5;{1};{2}\n"), {}),
    "decimal commas further down": ("1;2;0\n" * 40 + "1,5;2;0\n" * 40, {}),
    "decimal points further down": ("1;2;0\n" * 40 + "1.5;2;0\n" * 40, {}),
    "decimal points in labels alone": ("1;2;0.5\n" * 40 + "1,5;2;0.5\n" * 40, {}),
    "decimal commas in labels": (labelled(["0,5", "1,25"] * 30, "{0},5;{1};{2}\n"), {}),
    "decimal commas in the last label": (labelled([*["1e+16"] * 59, "0,5"], "{0};{1};{2}\n"), {}),
    "semicolons": (labelled((i % 3 for i in MANY), "{0}.5;{1};{2}\n"), {}),
    "bars": (labelled((i % 3 for i in MANY), "{0}.5|{1}|{2}\n"), {}),
    "another delimiter": (labelled((i % 3 for i in MANY), "{0}.5é{1}é{2}\n"), {"delimiter": "é"}),
    "spaced": (labelled((["a", "b b"] * 30), "{0}.5, {1}, {2}\n"), {}),
    "blank lines": ("\n\n" + TEXT.replace("\n", "\n\n   \n"), {}),
    "nothing at the end": (TEXT.rstrip(), {}),
    "ends of Windows": (TEXT.replace("\n", "\r\n"), {}),
    "ends of old": (TEXT.replace("\n", "\r"), {}),
    "no ends of lines": (labelled(["a\x0cb", "c\x85d"] * 30), {}),
    "numbers": (labelled(i / 8 for i in MANY), {}),
    "numbers, then a float": (late("3", "2.5"), {}),
    "numbers, then text": (late("3", "bee"), {}),
    "numbers, then a zero before": (late("3", "04"), {}),
    "numbers, then a large one": (late("3", "12345678901234567890"), {}),
    "floats, then an integer": (late("2.5", "3"), {}),
    "floats, then the same with a sign": (late("0.0", "-0.0"), {}),
    "floats, then the same without a sign": (labelled([*["-0,0"] * 59, "0,0"], "{0};{1};{2}\n"), {}),
    "floats, then text": (late("2.5", "a long word"), {}),
    "text, then other": (late("日本", "naïve 🙂"), {}),
    "all digits": (labelled(random.Random(0).random() for i in MANY).replace(".5", ".1234567890123456789"), {}),
    "far numbers": (labelled((i % 3 for i in MANY), "{0}e-310,{1}e300,{2}\n"), {}),
}


@pytest.mark.parametrize("block", [16, 40, 333, convert.BLOCK])
@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_what_read_data_gives(tmp_path, monkeypatch, case, block):
    text, options = CASES[case]
    monkeypatch.setattr(convert, "BLOCK", max(block, len(text.split("\n1", 1)[0]) + 20))  # some rows for the layout
    monkeypatch.setattr(convert, "LABELS", 7)
    source = write(tmp_path, text)
    want = read(source, **options)
    told = []
    done = convert.convert(source, tmp_path / "a.npz", progress=told.append, **options)
    assert_same(read(tmp_path / "a.npz"), want)
    with np.load(tmp_path / "a.npz") as arrays:
        assert_same((arrays["X"], arrays["y"]), want)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.namelist() == ["X.npy", "y.npy"]
        assert archive.testzip() is None
    assert (done.examples, done.inputs, done.classes) == (*want[0].shape, len(set(map(str, want[1]))))
    assert sum(told) == source.stat().st_size
    assert convert.convert(source, tmp_path / "a.npy", **options).layout == done.layout
    assert_same((np.load(tmp_path / "a.npy"), np.load(tmp_path / "a-labels.npy")), want)
    assert sorted(os.listdir(tmp_path)) == ["a-labels.npy", "a.npy", "a.npz", "table.csv"]


def assert_same(got, want):
    for one, other in zip(got, want, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", ["table.csv", "TABLE.CSV.gz", "table.tsv", "table.tsv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1252"])
def test_encodings_and_packed_files(tmp_path, monkeypatch, encoding, name):
    monkeypatch.setattr(convert, "BLOCK", 100)
    monkeypatch.setattr("fastnn.files.text.PIECE", 7)  # ends within a character
    text = labelled(["naïve", "Zoë"] * 30).replace(",", "\t" if "tsv" in name else ",")
    options = {"encoding": encoding} if encoding in ("utf-16-le", "cp1252") else {}
    source = write(tmp_path, text, name, encoding)
    convert.convert(source, tmp_path / "a.npz", **options)
    monkeypatch.undo()
    assert_same(read(tmp_path / "a.npz"), read(source, **options))


def test_utf_16_without_a_mark_has_the_machines_order(tmp_path):
    source = write(tmp_path, TEXT, encoding=f"utf-16-{'le' if sys.byteorder == 'little' else 'be'}")
    convert.convert(source, tmp_path / "a.npz", encoding="utf-16")
    assert_same(read(tmp_path / "a.npz"), read(write(tmp_path, TEXT)))


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize("dtype", convert.DTYPES)
def test_numbers_are_aligned_in_the_file(tmp_path, width, dtype):
    source = write(tmp_path, "".join(",".join(map(str, range(i, i + width + 1))) + "\n" for i in range(50)))
    want, _ = read(source, header=False)
    convert.convert(source, tmp_path / "a.npz", dtype=dtype, header=False)
    start, numbers = begins(tmp_path / "a.npz")
    assert start < numbers
    assert numbers % 64 == 0
    got = np.memmap(tmp_path / "a.npz", dtype, "r", numbers, want.shape)
    assert np.array_equal(got, want)
    assert begins(tmp_path / "a.npz", "y.npy")[1] % 64 == 0
    convert.convert(source, tmp_path / "a.npy", dtype=dtype, header=False)
    got = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert got.offset % 64 == 0
    assert got.dtype == dtype
    assert np.array_equal(got, want)
    assert_same(read(tmp_path / "a.npz")[1:], [np.load(tmp_path / "a-labels.npy")])


@pytest.mark.parametrize("length", [0, 1, 2, 3, 100, 65_537, (2 << 20) + 1])
def test_checksum_of_a_header_that_was_written_anew(length):
    data = np.random.default_rng(length).bytes(length)
    old, new = b"header one", b"header two"
    change = convert._shifted(zlib.crc32(old) ^ zlib.crc32(new), length)
    assert zlib.crc32(old + data) ^ change == zlib.crc32(new + data)


# Other types


def test_floats_are_rounded(tmp_path):
    source = write(tmp_path, "0.1,65519,a\n1e-9,-65504,b\n")
    X, _ = read(source)
    for dtype in ("float16", "float32"):
        convert.convert(source, tmp_path / "a.npz", dtype=dtype)
        with np.load(tmp_path / "a.npz") as arrays:
            assert_same([arrays["X"]], [X.astype(dtype)])
    assert read(tmp_path / "a.npz")[0].dtype == np.float32


@pytest.mark.parametrize(
    ("dtype", "field", "want"),
    [
        ("float16", "65520", "a number of at most 65504 is wanted for float16"),
        ("float16", "-1e9", "a number of at most 65504 is wanted for float16"),
        ("float32", "1e39", "a number of at most 3.40282e.38 is wanted for float32"),
        ("uint8", "256", "an integer in 0..255 is wanted for uint8"),
        ("uint8", "-1", "an integer in 0..255 is wanted for uint8"),
        ("uint8", "2.5", "an integer in 0..255 is wanted for uint8"),
        ("uint8", "1e300", "an integer in 0..255 is wanted for uint8"),
    ],
)
@pytest.mark.parametrize("block", [20, convert.BLOCK])
def test_numbers_that_do_not_fit_are_named(tmp_path, monkeypatch, dtype, field, want, block):
    monkeypatch.setattr(convert, "BLOCK", block)
    text = "kind,w,h\n" + "a,1,2\n\n" * 30 + f"b,3, {field}\nb,4,{field}\n"
    message = f"whose row 62 has '{field}' in column 3 .'h'.; {want}"
    assert_refused(tmp_path, text, message, label="kind", dtype=dtype)


# What does not fit


def assert_refused(tmp_path, text, message, target="a.npz", error=ValueError, **options):
    source = text if isinstance(text, os.PathLike) else write(tmp_path, text)
    outputs = convert.outputs(tmp_path / target)
    for old in (False, True):
        if old:
            [path.write_bytes(b"old") for path in outputs]
        before = sorted(os.listdir(tmp_path))
        with pytest.raises(error, match=message) as caught:
            convert.convert(source, tmp_path / target, **options)
        assert "\n" not in str(caught.value)
        assert sorted(os.listdir(tmp_path)) == before
        assert not old or all(path.read_bytes() == b"old" for path in outputs)
    return str(caught.value)


FAULTS = {
    "1,2": "row 201 has 2 fields; 3 are wanted, as in row 1",
    "1,2,3,4": "row 201 has 4 fields",
    "1,2,": "row 201 has the label ''",
    "1,2, NA": "row 201 has the label ' NA'",
    "1,x,3": "row 201 has 'x' in column 2",
    "1,nan,3": "row 201 has 'nan' in column 2",
    "1,,3": "row 201 has '' in column 2",
    "inf,2,3": "row 201 has 'inf' in column 1",
    "1e400,2,3": "row 201 has '1e400' in column 1",
    "1_0,2,3": "row 201 has '1_0' in column 1",
    '1,2,"b': "row 201 .*quote in it never closed",
    '1,"2,b': "row 201 .*quote in it never closed",
    '1,2,"b"c': "row 201 .*quote in it never closed",
    '1,2,"b\nc"': "row 201 goes on over several lines",
    "1,2,b\0": "row 201 holds a zero byte",
}


@pytest.mark.parametrize("block", [30, 1000, convert.BLOCK])
@pytest.mark.parametrize("target", ["a.npz", "a.npy"])
@pytest.mark.parametrize("fault", FAULTS)
def test_rows_that_do_not_fit(tmp_path, monkeypatch, fault, target, block):
    monkeypatch.setattr(convert, "BLOCK", block)
    source = write(tmp_path, "1.5,2,3\n" * 200 + f"{fault}\n" + "1.5,2,3\n" * 200)
    told = assert_refused(tmp_path, source, FAULTS[fault], target)
    with pytest.raises(ValueError, match=FAULTS[fault]) as caught:
        fastnn.read_data(source)
    if "quote" not in FAULTS[fault]:  # of which a block's end may show more
        assert told == str(caught.value)


@pytest.mark.parametrize("piece", [7, 8, 9])
def test_rows_are_counted_whatever_ends_a_piece(tmp_path, monkeypatch, piece):
    """Between the two characters that end a line of Windows too."""
    monkeypatch.setattr(convert, "BLOCK", 20)
    monkeypatch.setattr("fastnn.files.text.PIECE", piece)
    for end in ("\n", "\r\n", "\r"):
        assert_refused(tmp_path, f"1,2,3{end}" * 50 + f"{end}1,x,3", "row 52 has 'x' in column 2")


def test_decimal_marks_of_blocks_must_agree(tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "BLOCK", 20)
    for first, last, got in [("1.5;2;a", "4,9;3;b", "4,9"), ("1,5;2;a", "4.9;3;b", "4.9")]:
        assert_refused(
            tmp_path, f"{first}\n" * 30 + f"1;1;a\n{last}\n", f"row 32 has '{got}' in column 1", header=False
        )


def test_files_that_hold_nothing(tmp_path):
    assert_refused(tmp_path, "", "which holds no rows")
    assert_refused(tmp_path, "a,b,c\n\n", "which holds no rows of numbers under its header")
    assert_refused(tmp_path, "1\n2\n", "row 1 holds no ','")


def test_damaged_files(tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "BLOCK", 100)
    monkeypatch.setattr("fastnn.files.text.PIECE", 64)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(random.Random(0).randbytes(99).hex().encode() + TEXT.encode())[:-9])
    assert_refused(tmp_path, path, "which cannot be unpacked")
    path = tmp_path / "b.csv"
    path.write_bytes(TEXT.encode() + b"1,2,\xff\n")
    assert_refused(tmp_path, path, "whose row 61 is not utf-8; text is wanted, and its encoding, as encoding='cp1252'")


def test_names_and_options_that_do_not_fit(tmp_path, monkeypatch):
    target = tmp_path / "a.npz"
    source = write(tmp_path, TEXT)
    for name in ("a.mat", "a", "a.csv", "a.npz.gz"):
        with pytest.raises(ValueError, match=r"target is .*; a name that ends in \.npz or \.npy is wanted"):
            convert.convert(source, tmp_path / name)
    with pytest.raises(ValueError, match=r"source is .*; a name that ends in \.csv or \.tsv or"):
        convert.convert(target, target)
    with pytest.raises(ValueError, match="dtype is 'int8'; one of 'float64'"):
        convert.convert(source, target, dtype="int8")
    with pytest.raises(ValueError, match="delimiter is ',,'"):
        convert.convert(source, target, delimiter=",,")
    with pytest.raises(OSError, match=r"no\.csv"):
        convert.convert(tmp_path / "no.csv", target)
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"^converting a table needs pyarrow: python -m pip install pyarrow$"):
        convert.convert(source, target)
    assert os.listdir(tmp_path) == ["table.csv"]


# Size and interruption


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A table of 100 MB with 5 million rows, in a folder of its own; its labels are numbers."""
    path = tmp_path_factory.mktemp("large") / "large.csv"
    rows = "".join(f"{i % 89 / 7:.6f},{i % 13 / 8:.4f},{i % 10}\n" for i in range(5_000))
    path.write_text(rows * 1_000)
    return path


def limited(folder, *arguments):
    """Python with 550 MB, and no more threads than on a small machine, as each has a stack."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (550 << 20, 550 << 20))

    return subprocess.run(
        [sys.executable, "-P", *arguments], cwd=folder, preexec_fn=limit, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="this limit is Linux's")
def test_memory_does_not_grow_with_the_file(large):
    """It needs 350 MB, most of it for libraries; what is in the table does not fit."""
    assert limited(large.parent, "-c", "import fastnn; fastnn.read_data('large.csv')").returncode != 0
    done = limited(large.parent, "-m", "fastnn", "convert", "large.csv", "large.npz", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["examples"], facts["inputs"], facts["classes"]) == (5_000_000, 2, 10)
    assert done.stderr == ""  # where it is no terminal there is no bar
    (large.parent / "large.npz").unlink()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "sigwait"), reason="no such signals here")
@pytest.mark.parametrize(("signum", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
@pytest.mark.parametrize("target", ["a.npz", "a.npy"])
@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_signal_leaves_nothing(large, signum, word, target, seconds):
    process = subprocess.Popen(
        [*COMMAND, "convert", "large.csv", target],
        cwd=large.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while os.listdir(large.parent) == ["large.csv"]:
        time.sleep(0.002)
    time.sleep(seconds)
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + signum, "")
    assert err == f"fastnn convert: {word}, nothing was saved\n"
    assert os.listdir(large.parent) == ["large.csv"]


@pytest.mark.parametrize("target", ["a.npz", "a.npy"])
def test_whatever_ends_it_leaves_nothing(tmp_path, monkeypatch, target):
    monkeypatch.setattr(convert, "BLOCK", 100)
    for error in (KeyboardInterrupt, MemoryError):
        told = []

        def progress(count, error=error, told=told):
            told.append(count)
            if len(told) % 4 == 0:
                raise error

        assert_refused(tmp_path, TEXT, None, target, error, progress=progress)


@pytest.mark.slow
def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path):
    write(tmp_path, TEXT * 50)
    (tmp_path / "a.npz").write_bytes(b"old")
    resource = pytest.importorskip("resource", reason="no such limit here")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [*COMMAND, "convert", "table.csv", "a.npz"],
        cwd=tmp_path, env=os.environ | UNMEASURED, preexec_fn=limit, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastnn convert: [Errno 27] File too large\n"
    assert (tmp_path / "a.npz").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "table.csv"]


def test_much_is_sent_to_the_disk_on_the_way(tmp_path, monkeypatch):
    """And very many labels are not counted."""
    monkeypatch.setattr(convert, "BLOCK", 100)
    monkeypatch.setattr(convert, "UNWRITTEN", 100)
    monkeypatch.setattr(convert, "MANY", 5)
    sent = []
    monkeypatch.setattr(os, "fsync", sent.append)
    source = write(tmp_path, labelled(i / 8 for i in MANY))
    done = convert.convert(source, tmp_path / "a.npz")
    assert len(sent) > 5
    assert done.classes is None
    assert_same(read(tmp_path / "a.npz"), read(source))


# The command


def test_the_command_says_what_it_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "kind;w;h\n" + "a;1,5;2\nb;3;4\n" * 10)
    assert main(["convert", "table.csv", "a.npz", "--label", "kind"]) == 0
    size = (tmp_path / "a.npz").stat().st_size
    layout = "header yes, split at ';', labels from column 1 ('kind')"
    assert capsys.readouterr() == (
        f"saved a.npz: 20 examples of 2 inputs, 2 classes, {size:,} bytes; {layout}\n",
        "",
    )
    assert main(["convert", "table.csv", "a.npy", "--label", "kind", "--dtype", "float32"]) == 0
    assert capsys.readouterr().out.startswith("saved a.npy and a-labels.npy: 20 examples")
    assert main(["convert", "table.csv", "a.npy", "--label", "0", "--delimiter", ";", "--header", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {
        "saved": ["a.npy", "a-labels.npy"],
        "bytes": sum((tmp_path / name).stat().st_size for name in ("a.npy", "a-labels.npy")),
        "examples": 20,
        "inputs": 2,
        "classes": 2,
        "layout": layout,
        "notes": [],
    }
    assert main(["train", "--data", "a.npz", "--hidden", "2", "--maxiter", "2"]) == 0


def test_the_command_refuses_with_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "1,2,a\n3,x,b\n")
    for arguments, message in [
        ("table.csv a.npz", "path is 'table.csv', whose row 2 has 'x' in column 2; a finite number is wanted"),
        ("table.csv a.mat", "target is 'a.mat'; a name that ends in .npz or .npy is wanted"),
        ("table.csv no/a.npz", "target is 'no/a.npz', in a folder that does not exist"),
        ("no.csv a.npz", "[Errno 2] No such file or directory: 'no.csv'"),
    ]:
        assert main(["convert", *arguments.split()]) == 2
        assert capsys.readouterr() == ("", f"fastnn convert: {message}\n")
    assert os.listdir() == ["table.csv"]


def test_doubts_are_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "0,1,2\n" + labelled(i % 3 for i in MANY))
    assert main(["convert", "table.csv", "a.npz"]) == 0
    assert capsys.readouterr().err == (
        "fastnn convert: table.csv: row 1 counts, 0, 1, 2; it is taken for a header. "
        "With --no-header it is an example\n"
    )
    write(tmp_path, ",width,k\n" + labelled((i % 3 for i in MANY), "{0},{1},{2}\n"))
    assert main(["convert", "table.csv", "a.npz"]) == 0
    assert capsys.readouterr().err == (
        "fastnn convert: table.csv: column 1 ('') is an unnamed row index; it is left out. Name the column to keep it\n"
    )
