"""Tables that people bring: read to what stands in them, or refused with a sentence that names file and row."""

import csv
import gzip
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn import files
from fastnn.files import layout, tables
from fastnn.files.text import MISSING

from ..conftest import examples

ROWS = "5.1,3.5,0\n4.9,3.0,0\n7.0,3.2,1\n6.4,3.2,1\n"
X = [[5.1, 3.5], [4.9, 3.0], [7.0, 3.2], [6.4, 3.2]]


def read_examples(path, **options):
    return files.read_examples(path, files.Options(**options))


def write(tmp_path, text, name="table.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def read(tmp_path, text, **options):
    """What it holds, but for what is said about it, which `notes` asks for."""
    return read_examples(write(tmp_path, text), **options)


def notes(tmp_path, text, **options):
    return "; ".join(read(tmp_path, text, **options).notes)


def assert_refused(tmp_path, text, message, error=ValueError, name="table.csv", encoding="utf-8", **options):
    with pytest.raises(error, match=message) as caught:
        fastnn.read_data(write(tmp_path, text, name, encoding), **options)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


# Headers


@pytest.mark.parametrize(
    ("first", "rows", "names"),
    [
        ("0,1,label", ROWS, ("0", "1")),
        ("2019,2020,class", ROWS, ("2019", "2020")),  # other numbers, above labels that are numbers
        ("width,height,kind", ROWS, ("width", "height")),
        ("width,height,7", ROWS, ("width", "height")),
        ("width,0,1", ROWS, ("width", "0")),
        ('"the width, in cm",height,kind', ROWS, ("the width, in cm", "height")),
        ('"width\nin cm",height,kind', ROWS, ("width\nin cm", "height")),
        ("0,1,label", ROWS.replace(",0\n", ",ant\n").replace(",1\n", ",bee\n"), ("0", "1")),
        ("5.8,2.7,setosa", ROWS.replace(",0\n", ",setosa\n").replace(",1\n", ",other\n"), None),
        ("5.8,2.7,2", ROWS, None),
        ("0,1,2", ROWS, ("0", "1")),
        ("0,1,2", ROWS.replace(",0\n", ",2\n"), ("0", "1")),  # though 2 is a label
        ("0,1,2", ROWS.replace(",0\n", ",ant\n").replace(",1\n", ",bee\n"), ("0", "1")),
        ("0.0,1.0,2.0", ROWS, None),
        ("1,2,3", ROWS, None),
        ("0,1,ant", ROWS.replace(",0\n", ",ant\n").replace(",1\n", ",bee\n"), None),
    ],
)
def test_header_is_found(tmp_path, first, rows, names):
    got = read(tmp_path, f"{first}\n{rows}")
    assert got.names == names
    assert len(got.X) == len(got.y) == (4 if names else 5)
    assert ("header yes" in got.layout) == (names is not None)


def test_header_is_said(tmp_path):
    for text in (f"0,1,2\n{ROWS}", f"0,1,ant\n{ROWS}"):
        got = read(tmp_path, text, header=True)
        assert got.X.tolist() == X
        assert got.y.tolist() == [0, 0, 1, 1]
        assert got.notes == []
    got = read(tmp_path, f"0,1,2\n{ROWS}", header=False)
    assert got.X.tolist() == [[0, 1], *X]
    assert got.y.tolist() == [2, 0, 0, 1, 1]
    assert got.notes == []
    got = read(tmp_path, f"0,1,label\n{ROWS}", header=False)
    assert got.y.tolist() == ["label", "0", "0", "1", "1"]
    assert_refused(tmp_path, f"width,1,2\n{ROWS}", "row 1 has 'width' in column 1; a finite number", header=False)


@pytest.mark.parametrize(
    ("first", "word"),
    [
        ("0,1,2", "row 1 counts, 0, 1, 2; it is taken for a header. With header=False it is an example"),
        ("1.5,2.5,9", ""),
        ("-,2.7,0", "row 1 has numbers among its inputs, -, 2.7; it is taken for a header"),
        ("unknown,2.7,0", "row 1 has numbers among its inputs"),
        ("2019,width,0", "row 1 has numbers among its inputs"),
        ("2019,2020,class", "row 1 has numbers among its inputs"),
        ("width,height,class", ""),
        ("0,1,class", ""),
    ],
)
def test_doubts_about_the_first_row_are_said(tmp_path, first, word):
    assert word in notes(tmp_path, f"{first}\n{ROWS}")
    assert bool(word) == bool(notes(tmp_path, f"{first}\n{ROWS}"))


def test_a_label_of_the_first_row_alone_is_doubted(tmp_path):
    text = "400,402,species\n" + ROWS.replace(",0\n", ",ant\n").replace(",1\n", ",bee\n")
    assert "row 1 has a label that no other row has, 'species'; it is taken for an example" in notes(tmp_path, text)


def test_python_warns_of_what_the_command_line_notes(tmp_path):
    with pytest.warns(UserWarning, match=r"table\.csv.*: row 1 counts, 0, 1, 2; it is taken") as caught:
        got, _ = fastnn.read_data(write(tmp_path, f"0,1,2\n{ROWS}"))
    assert len(got) == 4
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_two_fields_that_count_are_an_example(tmp_path):
    """0 with the label 1 is the first row of a truth table as well as a header."""
    got = read(tmp_path, "0,1\n1,0\n0,1\n")
    assert got.y.tolist() == [1, 0, 1]
    assert got.notes == ["row 1 counts, 0, 1, like the header of columns without names; it is taken for an example"]


def test_names_of_a_model_are_a_header(tmp_path):
    for first, rows in [("0,1", "5.1,3.5\n"), ("0,1,k", "5.1,3.5,7\n"), ("2019,2020", "5.1,3.5\n"), ("7", "5.1\n")]:
        names = [name for name in first.split(",") if name != "k"]
        got = read(tmp_path, f"{first}\n{rows}", n=len(names), names=names)
        assert got.X.tolist() == [[5.1, 3.5][: len(names)]]
        assert got.names == tuple(names)
        assert got.notes == []
    assert len(read(tmp_path, "0,1\n5.1,3.5\n", n=2, names=("a", "b")).X) == 2
    assert len(read(tmp_path, "0,1\n5.1,3.5\n", n=2, names=("0", "1"), header=False).X) == 2


# Indices

LEFT_OUT = "column 1 ('') is an unnamed row index; it is left out. Name the column to keep it"


def with_index(header, start=0, rows=ROWS, mark=""):
    numbered = "".join(f"{mark}{i}{mark},{row}\n" for i, row in enumerate(rows.split(), start))
    return f"{header}\n{numbered}"


@pytest.mark.parametrize("pays", [0, math.inf])
@pytest.mark.parametrize(
    ("text", "names"),
    [
        (with_index(",width,height,kind"), ("width", "height")),
        (with_index(",width,height,kind", start=7_000), ("width", "height")),  # rows of a larger table
        (with_index(",0,1,2"), ("0", "1")),
        (with_index(",0,1,kind"), ("0", "1")),
        (with_index('"","V1","V2","V3"', start=1, mark='"'), ("V1", "V2")),  # R's write.csv
        (with_index(",width,height,kind").replace(",", ";").replace(".", ","), ("width", "height")),
        (with_index(",width,height,kind").replace(",", "\t"), ("width", "height")),
        (with_index(",0,1,2").replace(",", "|"), ("0", "1")),
        (with_index(",width,height,kind").replace("0,5", "0.0,5").replace("\n1,", "\n1.0,"), ("width", "height")),
        (with_index("Unnamed: 0,width,height,kind"), ("width", "height")),  # read and written again by pandas
        (with_index("Unnamed: 0.1,width,height,kind"), ("width", "height")),  # and once more
    ],
)
def test_an_index_without_a_name_is_left_out(tmp_path, monkeypatch, text, names, pays):
    monkeypatch.setattr(tables, "PYARROW_PAYS", pays)
    got = read(tmp_path, text)
    assert got.X.tolist() == X
    assert got.y.tolist() == [0, 0, 1, 1]
    assert got.names == names
    assert got.notes == [LEFT_OUT.replace("''", repr(text.split(",")[0]) if text.startswith("Unnamed") else "''")]
    assert read(tmp_path, text, numbers=True).X.tolist() == X
    assert read(tmp_path, text, numbers=True).y.tolist() == [[0], [0], [1], [1]]
    assert read(tmp_path, text, n=2).X.tolist() == X
    assert read(tmp_path, text, n=3).y is None
    assert read(tmp_path, text, header=True).X.tolist() == X


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (with_index("id,width,height,kind"), [0, 1, 2, 3]),
        (with_index("0,width,height,kind"), [0, 1, 2, 3]),
        (with_index(",width,height,kind").replace("\n2,", "\n5,"), [0, 1, 5, 3]),
        (with_index(",width,height,kind").replace("\n3,", "\n2,"), [0, 1, 2, 2]),
        (with_index(",width,height,kind", start=-1), [-1, 0, 1, 2]),
        (with_index(",width,height,kind").replace("\n1,", "\n0.5,"), [0, 0.5, 2, 3]),
    ],
)
def test_other_first_columns_stay(tmp_path, text, first):
    got = read(tmp_path, text)
    assert got.X.tolist() == [[place, *row] for place, row in zip(first, X, strict=True)]
    assert not any("it is left out" in note for note in got.notes)
    assert got.notes


def test_an_index_of_text_is_refused_with_its_row(tmp_path):
    text = ",width,height,kind\nfirst,1,2,0\nsecond,3,4,1\n"
    assert_refused(tmp_path, text, r"row 2 has 'first' in column 1 \(''\); a finite number is wanted")


def test_an_example_whose_first_number_is_missing_is_no_header(tmp_path):
    for text in (",2.5,ant\n1,3,bee\n2,4,ant\n", ",2,5\n1,3,0\n2,4,1\n"):
        assert_refused(tmp_path, text, "row 1 has '' in column 1; a finite number is wanted")


def test_an_index_that_stops_counting_far_down_stays(tmp_path):
    rows = [f"{i},{i % 7},{i % 2}\n" for i in range(300)]
    rows[200] = "7" + rows[200]
    text = ",width,kind\n" + "".join(rows)
    for keywords in ({}, {"numbers": True}):
        got = read(tmp_path, text, **keywords)
        assert got.names == ("", "width")
        assert got.X[200].tolist() == [7200, 4]
        assert "inputs without a name: column 1 ('')" in got.notes[0]


def test_positions_of_labels_count_the_index(tmp_path):
    """Positions count all columns of the file, an index included."""
    text = with_index(",width,height,kind")
    assert read(tmp_path, text, label=3).X.tolist() == X
    assert read(tmp_path, text, label=-1).X.tolist() == X
    assert read(tmp_path, text, label=1).names == ("height", "kind")
    got = read(tmp_path, text, label=0)
    assert got.names == ("width", "height", "kind")
    assert got.y.tolist() == [0, 1, 2, 3]
    assert read(tmp_path, text, label="").names == ("width", "height", "kind")
    text = with_index(",0,1,2")
    got = read(tmp_path, text, label=2)
    assert got.names == ("0", "2")
    assert got.notes == [LEFT_OUT, "label 2 is the position of column 3 ('1'); another column is named '2'"]
    assert read(tmp_path, text, label="2").names == ("0", "1")


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("columns", [["a", "b", "c", "d"], [0, 1, 2, 3]])
@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_frames_that_pandas_writes(tmp_path, index, columns, sep):
    pandas = pytest.importorskip("pandas")
    values = np.column_stack([np.random.default_rng(0).standard_normal((60, 3)), np.arange(60) % 3])
    frame = pandas.DataFrame(values, columns=columns).astype({columns[3]: int})
    for name in ("a.csv", "a.csv.gz"):
        frame.to_csv(tmp_path / name, index=index, sep=sep)
        got = read_examples(tmp_path / name)
        assert np.array_equal(got.X, values[:, :3])
        assert got.y.tolist() == values[:, 3].tolist()
        assert len(got.notes) == (index or columns[0] == 0)
        frame.iloc[:1, :3].to_csv(tmp_path / name, index=index, sep=sep)
        new = read_examples(tmp_path / name, n=3, names=got.names)
        assert np.array_equal(new.X, values[:1, :3])
        assert new.y is None


# Labels


@pytest.mark.parametrize("missing", ["", " ", "NA", "nan", "NaN", "null", "None", "<NA>", "N/A", "?"])
@pytest.mark.parametrize("others", ["ant", "3", "0.5"])
def test_missing_labels_are_errors_with_the_row(tmp_path, missing, others):
    text = f"w,h,kind\n1,2,{others}\n3,4,{missing}\n5,6,{others}\n"
    assert_refused(
        tmp_path, text, f"row 3 has the label '{missing.replace('?', '[?]')}'; a label for every row is wanted"
    )
    assert_refused(tmp_path, text[len("w,h,kind\n") :], "row 2 has the label")


@pytest.mark.parametrize(
    "labels",
    [
        ["04", "4", "04", "4"],
        ["007", "7", "8", "8"],
        ["1", "1.0", "2", "2"],
        ["1e3", "1000.0", "1e3", "5.0"],
        ["+1", "-1", "+1", "-1"],
        ["1.50", "1.5", "2.5", "2.5"],
        ["0", "-0", "0", "1"],
        ["0.0", "-0.0", "0.0", "1.5"],
        ["12345678901234567890", "12345678901234567891", "1", "1"],
        ["1_0", "10", "1_0", "10"],
        ["inf", "1.0", "1.0", "inf"],
        ["True", "False", "True", "True"],
        ["a ", "a", "a", "a "],
        [" a", "a", "a", " a"],
        ["naïve", "日本", "naïve", "🙂"],
        ["0x1f", "31", "31", "0x1f"],
        ["2020-01-01", "2020-01-02", "x", "x"],
    ],
)
def test_labels_are_the_text_that_stands_in_the_file(tmp_path, labels):
    got = read(tmp_path, "".join(f"1.5,{i * i},{label}\n" for i, label in enumerate(labels))).y
    assert got.dtype.kind == "U"
    assert got.tolist() == labels


@pytest.mark.parametrize(
    ("labels", "want", "kind"),
    [
        ("3 10 3 9", [3, 10, 3, 9], "int64"),
        ("-1 0 1 0", [-1, 0, 1, 0], "int64"),
        ("9223372036854775807 -9223372036854775808 0 0", [2**63 - 1, -(2**63), 0, 0], "int64"),
        ("0.5 1.0 0.5 1.5", [0.5, 1.0, 0.5, 1.5], "float64"),
        ("1e-05 2.0 1e+16 2.0", [1e-5, 2.0, 1e16, 2.0], "float64"),
    ],
)
def test_labels_are_numbers_if_all_are_written_as_such(tmp_path, labels, want, kind):
    got = read(tmp_path, "".join(f"1.5,{i * i},{label}\n" for i, label in enumerate(labels.split()))).y
    assert got.dtype == kind
    assert got.tolist() == want


def test_labels_that_differ_by_spaces_get_a_word(tmp_path):
    assert "labels 'PZ' and 'PZ ' differ by spaces alone" in notes(tmp_path, "1,2,PZ\n3,7,PZ \n4,4,PZ\n")
    assert notes(tmp_path, "1,2,PZ\n3,7,P Z\n4,4,PZ\n5,5,P Z\n") == ""


@pytest.mark.parametrize("label", [0, -3, "kind"])
def test_label_in_any_column(tmp_path, label):
    got = read(tmp_path, "kind,width,height\nant,1,2\nbee,3,7\n", label=label)
    assert got.X.tolist() == [[1, 2], [3, 7]]
    assert got.y.tolist() == ["ant", "bee"]
    assert got.names == ("width", "height")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("width", "row 1 has more than one column 'width'; label is wanted as one of width, width, kind"),
        ("size", "row 1 has no column 'size'"),
        (3, r"which has 3 columns; label is 3, a position in -3\.\.2 is wanted"),
        (-4, "label is -4"),
    ],
)
def test_label_that_is_not_there(tmp_path, label, message):
    assert_refused(tmp_path, "width,width,kind\n1,2,3\n", message, label=label)


# Delimiters and decimal marks


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ":", " ", "~"])
@pytest.mark.parametrize("labels", ["0 1 0", "ant bee ant", "a,b c;d a,b"])
@pytest.mark.parametrize("header", [True, False])
def test_delimiters(tmp_path, delimiter, labels, header):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    if header:
        writer.writerow(["width", "height", "kind"])
    for i, label in enumerate(labels.split()):
        writer.writerow([1.25 + i, -i * i, label])
    options = {} if delimiter in layout.DELIMITERS else {"delimiter": delimiter}
    got = read(tmp_path, stream.getvalue(), **options)
    assert got.X.tolist() == [[1.25, 0], [2.25, -1], [3.25, -4]]
    assert list(map(str, got.y)) == labels.split()
    assert (got.names is not None) == header


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("label", ["ant", "0", "0,50"])
@pytest.mark.parametrize("names", ["width;height;kind\n", ""])
@pytest.mark.parametrize("n", [1, 2])
def test_decimal_commas(tmp_path, delimiter, label, names, n):
    rows = [["5,1", "3", label], ["4", "-3,25", label], ["1e3", ",5", label]]
    text = names.replace(";", delimiter) + "".join(delimiter.join(row) + "\n" for row in rows)
    if n == 1:
        text = "".join(line.split(delimiter, 1)[1] + "\n" for line in text.splitlines())
    got = read(tmp_path, text)
    want = np.array([[5.1, 3.0], [4.0, -3.25], [1e3, 0.5]])[:, 2 - n :]
    assert np.array_equal(got.X, want)
    assert set(map(str, got.y)) == {label}


def test_labels_may_have_the_decimal_marks_of_the_table(tmp_path):
    assert read(tmp_path, "5,1;0,5\n4,9;1,0\n").y.tolist() == [0.5, 1.0]
    assert read(tmp_path, "5,1;0,5\n4,9;1.5\n").y.tolist() == ["0,5", "1.5"]
    assert read(tmp_path, '5.1,"0,5"\n4.9,"1,5"\n').y.tolist() == ["0,5", "1,5"]


def test_decimal_points_and_commas_together_are_refused(tmp_path):
    assert_refused(tmp_path, "5.1;3;a\n4,9;3;b\n", "row 2 has '4,9' in column 1; a finite number is wanted")
    assert_refused(tmp_path, "1.234,5;3;a\n4,9;3;b\n", "row 1 has '1.234,5' in column 1", header=False)
    assert_refused(tmp_path, "1,234.5;3;a\n4,9;3;b\n", "row 1 has '1,234.5' in column 1", header=False)


@pytest.mark.parametrize("row", ["1.234,5;a", "5.1,3.5,a;b", "5.1,a|b", "1\t2|3"])
def test_rows_that_can_be_split_in_two_ways_get_a_word(tmp_path, row):
    assert "; every row can be split at " in notes(tmp_path, f"{row}\n{row}\n")
    taken = "\t" if "\t" in row else ","
    assert notes(tmp_path, f"{row}\n{row}\n", delimiter=taken) == ""


def test_commas_with_spaces(tmp_path):
    got = read(tmp_path, 'width, height, kind\n5.1, 3.5, ant\n4.9, 3.0, "bee, big"\n')
    assert got.X.tolist() == X[:2]
    assert got.y.tolist() == ["ant", "bee, big"]
    assert got.names == ("width", "height")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines(tmp_path, end):
    got = read(tmp_path, f"{end}w,h,kind{end}1,2,a\x0cb{end}{end}   {end}3,7,c\x85d")
    assert got.X.tolist() == [[1, 2], [3, 7]]
    assert got.y.tolist() == ["a\x0cb", "c\x85d"]
    assert_refused(tmp_path, f"w,h,kind{end}1,2,a{end}{end}3,x,b{end}", "row 4 has 'x' in column 2")


# Encodings and containers


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(tmp_path, encoding):
    path = write(tmp_path, "Größe,h,kind\n1,2,naïve\n3,7,日本\n", encoding=encoding)
    got = read_examples(path)
    assert got.y.tolist() == ["naïve", "日本"]
    assert got.names == ("Größe", "h")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "shift_jis", "mac_roman"])
def test_other_encodings_are_asked_for_and_taken(tmp_path, encoding):
    label = "日本" if encoding == "shift_jis" else "naïve"
    text = f"w,h,kind\n1,2,ant\n3,7,{label}\n"
    where = r"row \d holds a zero byte" if encoding == "utf-16-le" else "row 3 is not utf-8"
    assert_refused(tmp_path, text, f"{where}.*encoding=", encoding=encoding)
    path = write(tmp_path, text, encoding=encoding)
    assert fastnn.read_data(path, encoding=encoding)[1].tolist() == ["ant", label]


@pytest.mark.parametrize("name", ["DATA.CSV", "Data.Csv", "a.tsv", "A.TSV", "a.csv.gz", "A.CSV.GZ", "b.tsv.gz"])
def test_suffixes(tmp_path, name):
    text = ROWS.replace(",", "\t") if "tsv" in name.lower() else ROWS
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.lower().endswith("gz") else text.encode())
    got, y = fastnn.read_data(path)
    assert got.tolist() == X
    assert y.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "content", [b"", b"1,2,3\n", gzip.compress(ROWS.encode(), mtime=0)[:-9], gzip.compress(b"", mtime=0)]
)
def test_damaged_gz(tmp_path, content):
    (tmp_path / "a.csv.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.csv\.gz', which (cannot be unpacked|holds no rows)"):
        fastnn.read_data(tmp_path / "a.csv.gz")


# What does not fit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("\n \n", "holds no rows"),
        ("width,height,digit\n", "holds no rows of numbers under its header"),
        ("1\n2\n", "row 1 holds no ','; numbers with a label behind them are wanted"),
        ("1,2,3\n4,5\n", "row 2 has 2 fields; 3 are wanted, as in row 1"),
        ("1,2,3\n4,5,6,7\n", "row 2 has 4 fields; 3 are wanted"),
        ("1,2,3\n4,5,6,\n", "row 2 has 4 fields; 3 are wanted"),
        ("a,b,c\n1,2,3\n4,x,5\n", r"row 3 has 'x' in column 2 \('b'\); a finite number is wanted"),
        ("1,2,3\n4,nan,5\n", "row 2 has 'nan' in column 2"),
        ("1,2,3\n4,,5\n", "row 2 has '' in column 2"),
        (",2,3\n4,1,5\n", "row 1 has '' in column 1"),
        ("NA,2,3\n4,1,5\n", "row 1 has 'NA' in column 1"),
        ("inf,2,3\n4,1,5\n", "row 1 has 'inf' in column 1"),
        ("1,2,3\n1e400,1,5\n", "row 2 has '1e400' in column 1"),
        ("1,2,3\n1_0,1,5\n", "row 2 has '1_0' in column 1"),
        ("a,b,c\n1,2,3\na,b,c\n1,2,3\n", "row 3 has 'a' in column 1"),  # two files, one behind the other
        ("1,2,a\n2020-01-01,1,b\n", "row 2 has '2020-01-01' in column 1"),
    ],
)
def test_rows_that_do_not_fit(tmp_path, text, message):
    assert_refused(tmp_path, text, message)


@pytest.mark.parametrize(
    "text",
    [
        '1,2,a\n3,4,"b\n5,6,c\n',
        '1,2,a\n3,4,"b\n5,6,"c"\n7,8,d\n',
        '1,2,a\n3,4,"b\n5,6,c"\n7,8,d\n',
        '1,2,a\n3,4,"b\n' + "5,6,c\n" * 50_000,
        '1,2,a\n3,4,b"\n"5,6,c\n',
        '1,2,a\n3,"4,b\n5,6,c\n',
        '1,2,a\n3,4,"b"c\n',
    ],
)
def test_quotes_that_are_never_closed(tmp_path, text, monkeypatch):
    for pays in (math.inf, 0):
        monkeypatch.setattr(tables, "PYARROW_PAYS", pays)
        assert_refused(tmp_path, text, "row [23] .*quote in it never closed")


def test_columns_that_say_nothing_get_a_word(tmp_path):
    rows = [[i, i * i % 7, 5, 0.5 * i, 3 - i, 7] for i in range(6)]
    text = ",a,b,c,d,e,kind\n" + "".join(",".join(map(str, row)) + f",{row[0] % 2}\n" for row in rows)
    assert notes(tmp_path, text) == (
        "column 1 ('') is an unnamed row index; it is left out. Name the column to keep it; "
        "inputs with one value in every row: column 3 ('b'), column 6 ('e')"
    )
    assert notes(tmp_path, text.split("\n", 1)[1]) == (
        "inputs that count the rows, as an index does: column 1; inputs with one value in every row: column 3, column 6"
    )
    assert notes(tmp_path, ",a,k\n5,1,0\n3,4,1\n9,9,0\n") == (
        "inputs without a name: column 1 (''). If that is an index, leave it out of the file"
    )
    assert notes(tmp_path, "a,,k\n5,1,0\n3,4,1\n9,9,0\n") == "inputs without a name: column 2 ('')"
    assert notes(tmp_path, "id,a,k\n1001,1,0\n1002,4,1\n1003,9,0\n").endswith("column 1 ('id')")
    assert notes(tmp_path, "k,a,n\n0,5,7\n1,4,8\n0,9,9\n", label="k").endswith("index does: column 3 ('n')")
    assert notes(tmp_path, "a,b,k\n5,1,0\n3,4,1\n9,9,0\n") == ""


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"header": "yes"}, TypeError, "header is 'yes'; True, False or None is wanted"),
        ({"header": 0}, TypeError, "header is 0"),
        ({"delimiter": 9}, TypeError, "delimiter is 9"),
        ({"delimiter": ""}, ValueError, "delimiter is ''; one character is wanted"),
        ({"delimiter": ",,"}, ValueError, "delimiter is ',,'"),
        ({"delimiter": '"'}, ValueError, "delimiter is"),
        ({"encoding": "utf-9"}, ValueError, "encoding is 'utf-9'; one that Python knows is wanted"),
        ({"encoding": "hex"}, ValueError, "encoding is 'hex'"),
        ({"encoding": 8}, TypeError, "encoding is 8"),
        ({"label": 1.0}, TypeError, "label is 1.0"),
        ({"label": True}, TypeError, "label is True"),
        ({"label": "kind", "header": False}, ValueError, "label is 'kind'; the position of a column is wanted"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        fastnn.read_data(write(tmp_path, ROWS), **options)


@pytest.mark.parametrize("option", [{"header": False}, {"delimiter": ","}, {"encoding": "utf-8"}])
def test_options_of_tables_are_for_tables(tmp_path, option):
    np.savez(tmp_path / "a.npz", X=X, y=[0, 0, 1, 1])
    with pytest.raises(ValueError, match=rf"{next(iter(option))} is given, but .*a\.npz' is no table"):
        fastnn.read_data(tmp_path / "a.npz", **option)


# Without labels


def test_as_many_columns_as_inputs_have_no_labels(tmp_path):
    got = read(tmp_path, "1,2.5\n3,-4\n0,1e-3\n", n=2)
    assert got.X.tolist() == [[1, 2.5], [3, -4], [0, 1e-3]]
    assert got.y is None
    assert "no labels" in got.layout
    assert read(tmp_path, "w,h\n1,2.5\n3,-4\n", n=2).names == ("w", "h")
    assert read(tmp_path, "1,2.5,7\n", n=2).y.tolist() == [7]
    assert read(tmp_path, "7,1,2.5\n", n=2, label=0).X.tolist() == [[1, 2.5]]
    with pytest.raises(ValueError, match="X has 3 columns; the network has 2 inputs"):
        read(tmp_path, "1,2,3,4\n", n=2)


# Whatever pandas writes

WORDS = st.text(st.characters(codec="utf-16", exclude_characters="\0"), max_size=5)
NAMES = WORDS.filter(lambda name: "\r" not in name)  # pandas does not quote it
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000)
LABELS = {
    "integers": st.integers(-(10**20), 10**20),
    "floats": st.floats(allow_nan=False, allow_infinity=False),
    "text": WORDS,
    "words": st.sampled_from(["ant", "bee", "a,b", 'say "a"', "naïve", " ant", "04", "4"]),
    "truths": st.booleans(),
}


@st.composite
def written(draw):
    """A table as pandas writes it: the file's content, what it holds, and what a reader may be told of it."""
    pandas = pytest.importorskip("pandas")
    m, n = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    values = draw(st.lists(st.lists(NUMBERS, min_size=n, max_size=n), min_size=m, max_size=m))
    labels = draw(st.lists(LABELS[draw(st.sampled_from(sorted(LABELS)))], min_size=m, max_size=m))
    found = draw(st.booleans())  # delimiter and header are left to be found
    letters = st.text("abcxyzäß -_", min_size=1, max_size=4).map(lambda name: f"n{name}")
    names = draw(st.lists(letters if found else NAMES, min_size=n + 1, max_size=n + 1, unique=True))
    frame = pandas.DataFrame(values, columns=names[:-1], dtype=np.float64)
    frame.insert(n, names[-1], pandas.Series(labels, dtype=object if isinstance(labels[0], (int, str)) else None))
    missing = draw(st.sampled_from([None, None, "input", "label"]))
    if missing:
        frame = frame.astype(object)
        frame.iat[draw(st.integers(0, m - 1)), n if missing == "label" else draw(st.integers(0, n - 1))] = None
    delimiter = draw(st.sampled_from(layout.DELIMITERS if found else [*layout.DELIMITERS, ":", "~", "é"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]))
    header = draw(st.booleans())
    text = frame.to_csv(
        index=False,
        header=header,
        sep=delimiter,
        decimal="." if delimiter == "," or missing == "input" else draw(st.sampled_from(".,")),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        na_rep=draw(st.sampled_from(["", "NA", "NaN"])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    options = {} if found else {"delimiter": delimiter, "header": header}
    if encoding == "utf-16-be":
        options["encoding"] = encoding
    return text.encode(encoding), np.array(values, dtype=np.float64), labels, missing, options


@given(table=written(), pays=st.sampled_from([math.inf, 0]))
@examples(300)
def test_what_pandas_writes_is_read_or_refused_with_file_and_row(table, pays, tmp_path_factory):
    content, want, labels, missing, options = table
    path = tmp_path_factory.getbasetemp() / "pandas.csv"
    path.write_bytes(content)
    ordinary = not missing and all(
        str(label).strip() not in MISSING and not set(str(label)) & set("\r\n") for label in labels
    )
    before, tables.PYARROW_PAYS = tables.PYARROW_PAYS, pays
    try:
        got = read_examples(path, **options)
    except ValueError as error:
        told = str(error)
        assert "pandas.csv" in told and "row " in told  # noqa: PT018
        assert not (ordinary and "header" in options), told
    else:
        if "it is taken for a header" in "".join(got.notes):  # "0.5,0.5,ant" above "0.5,0.5,3"
            assert "header" not in options
            want, labels = want[1:], labels[1:]
        else:
            assert not missing
        assert np.array_equal(got.X, want)
        labels = list(map(str, labels))
        if want.shape[1] == 1 and all(label.startswith(" ") for label in labels) and got.y[0] != labels[0]:
            labels = [label.lstrip(" ") for label in labels]  # each delimiter is followed by a space, its own
        assert list(map(str, got.y.tolist())) == labels
    finally:
        tables.PYARROW_PAYS = before


# Numbers where labels would be


@pytest.mark.parametrize("pyarrow", [True, False])
@pytest.mark.parametrize(
    ("text", "options", "want", "layout"),
    [
        ("1,2,1.50\n3,4,2e3\n", {}, [1.5, 2000.0], "header no, split at ',', numbers from column 3"),
        ("1;2,5;1,50\n3;4;07\n", {}, [1.5, 7.0], "header no, split at ';', numbers from column 3"),
        ("1,2,price\n3,4, 5\n6,7,+8\n", {}, [5.0, 8.0], "header yes, split at ',', numbers from column 3 ('price')"),
        ("p,a,b\n-1.0,2,3\n4,5,6\n", {"label": "p"}, [-1.0, 4.0], "header yes, split at ',', numbers from column 1"),
    ],
)
def test_numbers_are_read_however_they_are_written(tmp_path, monkeypatch, text, options, want, layout, pyarrow):
    if pyarrow:
        pytest.importorskip("pyarrow")
        monkeypatch.setattr(tables, "PYARROW_PAYS", 0)
    got = read(tmp_path, text, numbers=True, **options)
    assert got.y.dtype == np.float64
    assert got.y.ravel().tolist() == want
    assert got.y.shape == (2, 1)
    assert got.X.shape == (2, 2)
    assert got.layout.startswith(layout)
    assert read(tmp_path, "1,2\n3,4\n", n=2, numbers=True).y is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,x\n3,4,5\n", r"whose row 2 has 'x' in column 3 \('c'\); a finite number is wanted"),
        ("1,2,3\n4,5,NA\n", "whose row 2 has 'NA' in column 3; a finite number is wanted"),
        ("1,2,3\n4,5,inf\n", "whose row 2 has 'inf' in column 3; a finite number is wanted"),
        ("1,2,3\n4,5,1_0\n", "whose row 2 has '1_0' in column 3; a finite number is wanted"),
        ("1;2;3\n4;5,5;x\n", "whose row 2 has "),
    ],
)
def test_what_is_no_number_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text, numbers=True)


def test_the_row_that_is_wrong_is_named_whatever_the_decimal_mark(tmp_path):
    """It is read with both marks: what is said is about the row that the better of them got to."""
    rows = ["1,5;2,25;x", "2,5;q;y", "3,5;4;x"]
    assert_refused(
        tmp_path, "\n".join(["a;b;kind", *rows]), "row 3 has 'q' in column 2 .*; a finite number with a decimal"
    )
    rows = [row.replace(",", ".") for row in rows]
    assert_refused(tmp_path, "\n".join(["a;b;kind", *rows]), "row 3 has 'q' in column 2 .*; a finite number is wanted")


def test_numbers_whose_difference_overflows(tmp_path):
    """Warnings are errors here."""
    text = "a,b,kind\n1e308,1,x\n0,2.5,y\n-1e308,4,x\n"
    X, _ = fastnn.read_data(write(tmp_path, text))
    assert X[:, 0].tolist() == [1e308, 0.0, -1e308]
