"""`tally local up` and ports: all that cannot be had are named at once, before anything starts."""

import contextlib
import socket

import pytest

from tests.support.processes import signalled_in
from tests.support.terminal import Said, Terminal

OPTIONS = ("--momento-port", "--sqs-port", "--http-port")
TAKEN = "Address already in use"


@contextlib.contextmanager
def taken_ports(number):
    """Ports of 127.0.0.1 that somebody listens on."""
    with contextlib.ExitStack() as sockets:
        taken = [sockets.enter_context(socket.socket()) for _ in range(number)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
            one.listen()
        yield [one.getsockname()[1] for one in taken]


def refused(said, reasons):
    """Whether it named these reasons."""
    ports = "1 port" if len(reasons) == 1 else f"{len(reasons)} ports"
    head = f"tally: {ports} of 127.0.0.1 cannot be had; choose another, or 0 for any free one:\n"
    assert said == Said(1, "", head + "".join(f"  {reason}\n" for reason in reasons))


@pytest.fixture(autouse=True)
def _nothing_starts(started):
    yield
    assert started() == {}


def up(**ports):
    options = dict.fromkeys(OPTIONS, 0) | ports
    return Terminal()("local", "up", *(f"{name}={port}" for name, port in options.items()))


def test_taken_ports_are_named_all_at_once_with_their_options():
    with taken_ports(3) as ports:
        given = dict(zip(OPTIONS, ports, strict=True))
        refused(up(**given), [f"{name} {port}: {TAKEN}" for name, port in given.items()])


@pytest.mark.parametrize("option", OPTIONS)
def test_a_port_that_is_taken_is_named_with_its_option(option):
    with taken_ports(1) as [port]:
        refused(up(**{option: port}), [f"{option} {port}: {TAKEN}"])


def test_one_port_for_two_servers_is_refused_with_both_options():
    with taken_ports(1) as [port]:
        pass  # free again
    given = dict.fromkeys(OPTIONS, port)
    reasons = [f"{name} {port}: --momento-port has the same" for name in OPTIONS[1:]]
    refused(up(**given), reasons)


def test_a_port_whose_last_connections_still_time_out_is_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
    accepted.close()  # first to close, so that the port is in TIME_WAIT when its peer has closed
    client.close()
    with signalled_in("_stay"):
        said = up(**{"--http-port": port})
    assert (said.status, f"export TALLY_URL=http://127.0.0.1:{port}\n" in said.stdout) == (0, True)
