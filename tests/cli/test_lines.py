"""JSON lines and CSV: what each line says, and what is wrong with it."""

import io

import pytest

from tally.cli.lines import MAX_LINE_BYTES, Format, Line, read

NOT_UTF8 = "is not JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
TOO_LONG = f"is longer than {MAX_LINE_BYTES} bytes"
OPEN_QUOTE = "is not CSV: a quote is not closed in its line"


class Pipe(io.RawIOBase):
    """Bytes that arrive one by one."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        one = self._content.read(1)
        buffer[: len(one)] = one
        return len(one)


def read_json(content):
    return list(read(io.BytesIO(content), Format.JSONL))


def read_csv(content):
    return list(read(io.BytesIO(content), Format.CSV))


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b'{"counter":"a"}', {"counter": "a"}),
        (b'{"counter":"a"}\r\n', {"counter": "a"}),
        (b' {"counter":"\xc3\xa9","amount":-2} \n', {"counter": "é", "amount": -2}),
        (b'{"counter":"a","amount":1.0}', {"counter": "a", "amount": 1.0}),
        (b"{}", {}),
    ],
)
def test_a_json_line_is_its_fields(content, fields):
    assert read_json(content) == [Line(1, fields)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"counter":', "is not JSON: Input data was truncated"),
        (b"page:home", "is not JSON: JSON is malformed: invalid character (byte 0)"),
        (b'["a"]', "is no JSON object"),
        (b"7", "is no JSON object"),
        (b"null", "is no JSON object"),
        (b'{"counter":"\xff"}', NOT_UTF8),
        (b'{"\xff":1}', NOT_UTF8),
        (b"\xef\xbb\xbf{}", "is not JSON: JSON is malformed: invalid character (byte 0)"),
        (b"\0", "is not JSON: JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_a_line_that_is_no_json_object_is_a_problem_of_that_line_only(content, problem):
    lines = read_json(b'{"counter":"a"}\n' + content + b'\n{"counter":"b"}')
    assert lines == [Line(1, {"counter": "a"}), Line(2, {}, problem), Line(3, {"counter": "b"})]


def test_json_nested_too_deep_is_a_problem():
    [line] = read_json(b"[" * 100_000)
    assert line == Line(1, {}, "is nested too deep to be read")


@pytest.mark.parametrize("form", list(Format))
def test_nothing_and_empty_lines_say_nothing(form):
    assert list(read(io.BytesIO(b""), form)) == []
    assert list(read(io.BytesIO(b"\n\r\n\n"), form)) == []


def test_empty_lines_are_counted():
    assert read_json(b"\n  \n{}\n\n{}") == [Line(3, {}), Line(5, {})]
    assert read_csv(b"\ncounter\n\na") == [Line(4, {"counter": "a"})]


@pytest.mark.parametrize("excess", [1, MAX_LINE_BYTES, 3 * MAX_LINE_BYTES + 7])
def test_a_line_that_is_too_long_is_one_problem(excess):
    long = b"x" * (MAX_LINE_BYTES + excess)
    expected = [Line(1, {}, TOO_LONG), Line(2, {})]
    assert read_json(long + b"\n{}") == expected
    assert read_csv(b"counter\n" + long + b"\na") == [
        Line(2, {}, TOO_LONG),
        Line(3, {"counter": "a"}),
    ]


def test_a_line_of_just_the_limit_is_read():
    line = b'{"counter":"a"}'.ljust(MAX_LINE_BYTES - 1) + b"\n"
    assert len(line) == MAX_LINE_BYTES
    assert read_json(line + b"{}") == [Line(1, {"counter": "a"}), Line(2, {})]


def test_lines_are_read_as_they_arrive():
    stream = io.BufferedReader(Pipe(b'{"counter":"a"}\n{"coun'))
    lines = read(stream, Format.JSONL)
    assert next(lines) == Line(1, {"counter": "a"})
    assert next(lines) == Line(2, {}, "is not JSON: Input data was truncated")


def test_csv_cells_are_the_fields_that_the_first_line_names():
    content = "counter,amount,max,min,id,at\r\né,-2,9,,17,1790000000123\r\n"
    fields = {"counter": "é", "amount": -2, "max": 9, "id": "17", "at": 1_790_000_000_123}
    assert read_csv(content.encode()) == [Line(2, fields)]


@pytest.mark.parametrize(
    ("cells", "counter"),
    [
        (b"42,1", "42"),
        (b'"a,b",1', "a,b"),
        (b'"a ""b""",1', 'a "b"'),
        (b" a ,1", " a "),
        (b"a\tb,1", "a\tb"),
    ],
)
def test_a_csv_counter_is_text_as_it_stands(cells, counter):
    assert read_csv(b"counter,amount\n" + cells) == [Line(2, {"counter": counter, "amount": 1})]


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert read_csv(b"\xef\xbb\xbfcounter\na") == [Line(2, {"counter": "a"})]
    assert read_json(b'\xef\xbb\xbf{"counter":"a"}\n{}') == [Line(1, {"counter": "a"}), Line(2, {})]
    longest = b'{"counter":"a"}'.ljust(MAX_LINE_BYTES - 1) + b"\n"
    assert read_json(b"\xef\xbb\xbf" + longest + b"{}") == [
        Line(1, {"counter": "a"}),
        Line(2, {}),
    ]
    assert read_json(b"\xef\xbb\xbf \n{}") == [Line(2, {})]


@pytest.mark.parametrize("header", ["counter", "counter,amount", "\ufeffid,at,counter\r"])
def test_csv_that_is_read_as_json_lines_is_told_once(header):
    content = f"{header}\na,1\nb,2\n".encode()
    problem = "is not JSON, but the first line of CSV: add --format csv"
    assert read_json(content) == [Line(1, {}, problem)]
    assert read_json(b"\n" + content.removeprefix(b"\xef\xbb\xbf")) == [Line(2, {}, problem)]


def test_what_only_looks_like_csv_is_told_line_by_line():
    problem = "is not JSON: JSON is malformed: invalid character (byte 0)"
    assert read_json(b"page:home,2\ncounter\n{}") == [
        Line(1, {}, problem),
        Line(2, {}, problem),
        Line(3, {}),
    ]


@pytest.mark.parametrize("cell", ["1_000", " 5", "+5", "1.0", "1e3", "\uff15", "x", "9" * 20])
def test_a_csv_cell_that_is_no_plain_integer_stays_text(cell):
    content = f"counter,amount\na,{cell}\n".encode()
    assert read_csv(content) == [Line(2, {"counter": "a", "amount": cell})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"a", "has 1 cell, the first line has 2"),
        (b"a,1,", "has 3 cells, the first line has 2"),
        (b'"a"b,1', "is not CSV: ',' expected after '\"'"),
        (b'"a,1', OPEN_QUOTE),
        (b'a",1', OPEN_QUOTE),
        (b"a,1\rb,2", "is not CSV: new-line character seen in unquoted field"),
        (
            b"\xff,1",
            "is not CSV: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (b"a" * 140_000 + b",1", "is not CSV: field larger than field limit (131072)"),
    ],
)
def test_a_bad_csv_line_is_a_problem_of_that_line_only(line, problem):
    [bad, good] = read_csv(b"counter,amount\n" + line + b"\nb,2\n")
    assert bad.problem.startswith(problem)
    assert bad == Line(2, {}, bad.problem)
    assert good == Line(3, {"counter": "b", "amount": 2})


def test_a_quoted_cell_with_a_line_break_is_refused_from_its_begin_to_its_end():
    assert read_csv(b'counter,amount\n"a\nb",1\nc,2') == [
        Line(2, {}, OPEN_QUOTE),
        Line(3, {}, OPEN_QUOTE),
        Line(4, {"counter": "c", "amount": 2}),
    ]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (
            b"page:home,2",
            "must name the fields: 'page:home' is no field of an increment",
        ),
        (
            b"counter;amount",
            "must name the fields with commas between them, found 'counter;amount'",
        ),
        (
            b"counter\tamount\tmax",
            "must name the fields with commas between them, found 'counter\\tamount\\tmax'",
        ),
        (b"counter;amout", "must name the fields: 'counter;amout' is no field of an increment"),
        (b"counter,amout", "must name the fields: 'amout' is no field of an increment"),
        (b"counter, amount", "must name the fields: ' amount' is no field of an increment"),
        (b"counter,", "must name the fields: '' is no field of an increment"),
        (b"counter,amount,counter", "names 'counter' twice"),
        (b'counter,"amount', OPEN_QUOTE),
    ],
)
def test_csv_without_a_proper_first_line_says_nothing_else(header, problem):
    assert read_csv(header + b"\na,1\nb,2") == [Line(1, {}, problem)]
