"""Range queries: cut into pieces the server accepts, series named by labels, and what goes wrong in one line."""

import httpx
import pytest

from autoscaler.adapters.prometheus import MOST_POINTS, Range, query_range
from autoscaler.errors import UsageError

SHORT = Range(0.0, 100.0, 10.0)


def server(answer):
    """Answers with what `answer(start, end, step)` gives; keeps what it was asked."""
    asked = []

    def handle(request):
        form = dict(part.split("=", 1) for part in request.content.decode().split("&"))
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        asked.append((start, end))
        return answer(start, end, step)

    return asked, httpx.MockTransport(handle)


def success(*series):
    result = [{"metric": metric, "values": values} for metric, values in series]
    return httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": result}})


def ask(transport, labels=("job",), when=SHORT):
    return query_range("http://prometheus", "up", labels, when, transport)


def test_series_are_named_by_their_labels_and_sorted():
    _, transport = server(
        lambda *_: success(({"job": "b", "x": "1"}, [[0, "2"]]), ({"job": "a", "x": "2"}, [[10, "3.5"]]))
    )
    series = ask(transport, labels=("job", "x"))
    assert list(series) == ["a/2", "b/1"]
    assert (series["a/2"].at.tolist(), series["a/2"].values.tolist()) == ([10.0], [3.5])


def test_a_long_range_is_asked_for_in_pieces_that_do_not_overlap():
    def answer(start, end, step):
        count = int((end - start) / step) + 1
        return success(({"job": "a"}, [[start + step * n, "1"] for n in range(count)]))

    asked, transport = server(answer)
    series = ask(transport, when=Range(0.0, 60.0 * 2.5 * MOST_POINTS, 60.0))
    assert len(asked) == 3
    assert len(series["a"].at) == 2.5 * MOST_POINTS + 1
    assert (series["a"].at[1:] - series["a"].at[:-1] == 60.0).all()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(400, json={"status": "error", "error": "parse error at char 3"}), "parse error at char 3"),
        (httpx.Response(200, text="<html>"), "does not answer like Prometheus"),
        (success(({"instance": "x"}, [[0, "1"]])), "has no label 'job'; its labels: instance"),
        (success(({"job": "a"}, [[0, "1"]]), ({"job": "a"}, [[0, "1"]])), "two series of 'up' are called 'a'"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(answer, told):
    _, transport = server(lambda *_: answer)
    with pytest.raises(UsageError, match=told):
        ask(transport)


def test_a_server_that_is_not_there():
    def refuse(request):
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(UsageError, match="cannot be asked: connection refused"):
        ask(httpx.MockTransport(refuse))


def test_an_empty_range_is_refused():
    with pytest.raises(UsageError, match="is empty"):
        ask(None, when=Range(10.0, 10.0, 60.0))
