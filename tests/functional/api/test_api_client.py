"""The client that `grader submit` uses, through connections that break."""

import contextlib
import functools
import http.server
import socket
import threading

import httpx
import pytest

from grader.accounts.models import Role
from grader.client import Client, Refused, ServerAway, parse
from tests.functional.api.material import SOLUTION

FILES = {path: text.encode() for path, text in SOLUTION.items()}


@contextlib.contextmanager
def cut(url, most_bytes, cuts):
    """The URL of a proxy that cuts each of the first `cuts` connections after so many bytes of answer."""
    target = httpx.URL(url)
    left = [most_bytes] * cuts
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = socket.create_connection((target.host, target.port))
                    threading.Thread(target=pump, args=(near, far, None), daemon=True).start()
                    threading.Thread(target=pump, args=(far, near, left.pop() if left else None), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def pump(source, sink, most):
    with contextlib.suppress(OSError):
        while (data := source.recv(65536 if most is None else most)) and (most is None or most > 0):
            sink.sendall(data)
            most = most if most is None else most - len(data)
        for end in (source, sink):
            end.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("most_bytes", [0, 300, 900, 1500])
def test_events_are_followed_through_broken_connections_each_once(service, most_bytes):
    key = service.key(Role.CANDIDATE)
    with Client(service.url, key) as direct:
        identity = direct.submit("adding", FILES)["id"]
    service.grade(identity)
    with cut(service.url, most_bytes, cuts=3) as url, Client(url, key) as client:
        told = list(client.follow(identity))
    assert [event.kind for event in told] == ["queued", "started", "test", "test", "test", "done"]
    assert told[-1].data["score"] == 4


def test_a_submission_whose_answer_was_lost_is_stored_once(service):
    key = service.key(Role.CANDIDATE)
    with cut(service.url, most_bytes=5, cuts=2) as url, Client(url, key) as client:
        identity = client.submit("adding", FILES)["id"]
    with Client(service.url, key) as client, service.client(None, Authorization=f"Bearer {key}") as http:
        assert client.show(identity)["status"] == "queued"
        assert [item["id"] for item in http.get("/v1/submissions").json()["items"]] == [identity]


def test_what_the_server_refuses_is_not_tried_again(service):
    with Client(service.url, service.key(Role.CANDIDATE)) as client:
        with pytest.raises(Refused, match="did you mean adding"):
            client.submit("ading", FILES)
        with pytest.raises(Refused, match="no such submission"):
            list(client.follow("0" * 32))


def test_a_server_that_is_no_grader_is_told(tmp_path):
    (tmp_path / "v1" / "submissions").mkdir(parents=True)
    (tmp_path / "v1" / "submissions" / "x").write_text("<html>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(ServerAway, match="is the URL right"), Client(url, "grader_x") as client:
            client.show("x")


def test_comments_unknown_fields_and_several_lines_of_data_are_understood():
    lines = [": hello", "", "id:7", "event: test", "retry: 10", 'data: {"a":', "data: 1}", "", "data: {}"]
    (event,) = parse(lines)
    assert (event.id, event.kind, event.data) == ("7", "test", {"a": 1})
