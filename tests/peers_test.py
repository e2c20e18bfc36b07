"""The processes of one run: they agree before they train, exchange bytes, and miss who is lost."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from toy_superposition.devices import peers
from toy_superposition.errors import UserError

COMMON = {"train.seed": 0, "train.learning_rate": 1e-3, "axes": [[1, 2.5], None], "jax": "0.10"}


def free_port() -> int:
  with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    return probe.getsockname()[1]


def hello(number: int, n: int, **changes) -> dict:
  return COMMON | {"num_processes": n, "process_id": number} | changes


def meeting(hellos, port: int | None = None, timeout: int = 100) -> list:
  """Returns what each process gets, connections or an error; each is a thread here."""
  port = port or free_port()

  def one(words):
    try:
      return peers.meet("127.0.0.1", port, words, timeout)
    except UserError as error:
      return error

  with ThreadPoolExecutor(len(hellos)) as pool:
    return [*pool.map(one, hellos)]


@contextlib.contextmanager
def met(n: int):
  found = meeting([hello(i, n) for i in range(n)])
  try:
    yield found
  finally:
    for one in found:
      one.close()


def test_processes_that_agree_exchange_contents_of_any_size():
  with met(3) as found, ThreadPoolExecutor(3) as pool:
    for n_bytes in (0, 1, 3_000_000):
      contents = [bytes([i]) * n_bytes for i in range(3)]
      collected = [*pool.map(lambda one, content: one.collect(content), found, contents)]
      assert collected == [contents, [], []]
      spread = [*pool.map(lambda one, content: one.spread(content), found, contents)]
      assert spread == 3 * [contents[0]]


@pytest.mark.parametrize("other", [0, 1, 2])
@pytest.mark.parametrize(
  ("field", "value"),
  [("train.seed", 7), ("train.learning_rate", 2e-3), ("jax", "0.9"), ("axes", [[1, 2.5], 1])],
)
def test_a_difference_is_one_line_that_names_the_field_in_all(other, field, value):
  found = meeting([hello(i, 3, **({field: value} if i == other else {})) for i in range(3)])
  assert all(isinstance(error, UserError) for error in found)
  for error in found:
    assert f"{field} is " in str(error) and repr(value) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("numbers", [(2, 3), (3, 2)])
def test_another_number_of_processes_is_a_difference_too(monkeypatch, numbers):
  monkeypatch.setattr(peers, "GRACE", 1.0)
  for error in meeting([hello(i, n) for i, n in enumerate(numbers)]):
    assert f"num_processes is {numbers[0]} in process 0 and {numbers[1]} in process 1" in str(error)


def test_two_processes_of_one_number_are_refused():
  for error in meeting([hello(0, 3), hello(1, 3), hello(1, 3)]):
    assert "two processes have --process_id=1" in str(error)


def test_a_process_that_does_not_come_is_named(monkeypatch):
  monkeypatch.setattr(peers, "ARRIVAL", 0.5)
  for error in meeting([hello(0, 3), hello(1, 3)]):
    assert "process 2 of this run did not come" in str(error)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 8, b"\0" * 7 + b"\2{}"])
def test_strangers_at_the_port_change_nothing(monkeypatch, said):
  monkeypatch.setattr(peers, "ANSWER", 0.3)
  port = free_port()

  def stranger():
    with peers._connected("127.0.0.1", port) as connection:
      connection.sendall(said)
      connection.settimeout(5)
      with contextlib.suppress(OSError):
        while connection.recv(1000):
          pass

  thread = threading.Thread(target=stranger)
  with ThreadPoolExecutor(1) as pool:
    first = pool.submit(meeting, [hello(0, 2)], port)
    thread.start()
    thread.join()  # it was there before the second process, and is gone
    (second,) = meeting([hello(1, 2)], port)
    (first,) = first.result()
  first.close()
  second.close()


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"\0" * 7 + b"\2[]"])
def test_something_else_at_the_address_is_said_in_seconds(monkeypatch, said):
  monkeypatch.setattr(peers, "ANSWER", 0.3)
  with socket.create_server(("127.0.0.1", 0)) as server:
    pool = ThreadPoolExecutor(1)
    accepted = pool.submit(lambda: server.accept()[0])
    port = server.getsockname()[1]
    joining = pool.submit(lambda: accepted.result().sendall(said))
    (error,) = meeting([hello(1, 2)], port)
    joining.result()
    accepted.result().close()
    pool.shutdown()
  assert f"--coordinator=127.0.0.1:{port}: no process 0 of such a run answers there" in str(error)


def test_a_port_in_use_is_one_line():
  with socket.create_server(("", 0)) as server:
    port = server.getsockname()[1]
    with pytest.raises(UserError, match=f"port {port} of this machine: .*; take another one"):
      peers.meet("127.0.0.1", port, hello(0, 2), 100)


@pytest.mark.parametrize(("lost", "asking"), [(0, 1), (1, 0)])
def test_a_process_that_has_ended_is_named_where_it_is_missed(lost, asking):
  with met(2) as found:
    found[lost].close()
    with pytest.raises(UserError, match=f"process {lost} of this run has ended"):
      for _ in range(3):  # what is sent into a closed connection is lost at first
        found[asking].collect(b"x")
        found[asking].spread(b"x")


def test_an_end_within_a_content_is_no_content():
  with met(2) as found:
    (connection,) = found[1]._connections
    connection.sendall(peers.LENGTH.pack(100) + b"half")
    connection.close()
    with pytest.raises(UserError, match="process 1 of this run has ended"):
      found[0].collect(b"")
