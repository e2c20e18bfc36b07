"""Connections between the processes of one run: each has one to process 0, over TCP.

What the processes exchange is a state now and then, so that plain sockets are enough; and a process
that is lost is an error here, where jax's own service ends all others by an abort.
"""

import contextlib
import json
import logging
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.errors import TransientError, UserError

PATIENCE = 30.0  # seconds to wait for process 0 to listen
ARRIVAL = 300.0  # seconds to wait for the others
GRACE = 20.0  # seconds to wait for those who are still to hear of a refusal
ANSWER = 10.0  # seconds in which a process says who it is
# What comes of a connection to something else.
WRONG = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError)
HELLO_BYTES = 2**26  # at most, of what is said before the other one is known
LENGTH = struct.Struct("!Q")
log = logging.getLogger(__name__)
Hello = Mapping[str, Any]  # what a process says of itself; JSON
NUMBER, COUNT = "process_id", "num_processes"  # in every hello


class Peers:
  """The other processes of a run. All call the same methods in the same order."""

  def __init__(self, number: int, connections: Sequence[socket.socket]):
    """Takes the number of this process, and its connections: of process 0 one to each other."""
    self.number, self._connections = number, connections
    self._names = range(1, len(connections) + 1) if number == 0 else [0]

  def collect(self, content: bytes) -> list[bytes]:
    """Returns in process 0 the contents of all, in order; in the others nothing.

    Raises:
      UserError: a process has ended or cannot be reached.
    """
    if self.number:
      self._send(0, content)
      return []
    return [content, *(self._receive(i) for i in range(len(self._connections)))]

  def spread(self, content: bytes) -> bytes:
    """Returns process 0's content in all.

    Raises:
      UserError: a process has ended or cannot be reached.
    """
    if self.number:
      return self._receive(0)
    for i in range(len(self._connections)):
      self._send(i, content)
    return content

  def close(self) -> None:
    """Closes the connections, which the others see."""
    for connection in self._connections:
      connection.close()

  def _send(self, i: int, content: bytes) -> None:
    try:
      _send(self._connections[i], content)
    except OSError as error:
      raise self._lost(i) from error

  def _receive(self, i: int) -> bytes:
    try:
      return _receive(self._connections[i])
    except (OSError, EOFError) as error:
      raise self._lost(i) from error

  def _lost(self, i: int) -> UserError:
    return TransientError(
      f"process {self._names[i]} of this run has ended or cannot be reached; what it printed says "
      "why, and the same commands continue"
    )


def meet(host: str, port: int, hello: Hello, timeout: int) -> Peers:
  """Returns the connections of this process once all have arrived and agreed.

  Args:
    host: of process 0.
    port: on it.
    hello: what all must agree on, this process's number and the number of processes.
    timeout: seconds after which a machine that does not answer is lost.

  Raises:
    UserError: they do not agree, which all of them say; or one of them does not come.
  """
  hello = json.loads(json.dumps(hello, default=str))
  if hello[NUMBER] == 0:
    return _receive_all(port, hello, timeout)
  connection = _connected(host, port)
  try:
    connection.settimeout(ANSWER)
    welcome = _receive_json(connection)
    problem = _difference(welcome, hello)
    _send_json(connection, hello)
    connection.settimeout(ARRIVAL + 2 * GRACE)
    problem = problem or str(_receive_json(connection)["problem"])
  except WRONG as error:
    connection.close()
    raise TransientError(
      f"--coordinator={host}:{port}: no process 0 of such a run answers there"
    ) from error
  if problem:
    connection.close()
    raise UserError(problem)
  _keep_alive(connection, timeout)
  return Peers(hello[NUMBER], [connection])


def _receive_all(port: int, hello: Hello, timeout: int) -> Peers:
  """Returns process 0's connections to all others."""
  arrived: dict[int, socket.socket] = {}
  refused: list[socket.socket] = []
  problem, said = "", time.monotonic()
  deadline = said + ARRIVAL
  with contextlib.closing(_listener(port)) as listener:
    while len(arrived) + len(refused) < hello[COUNT] - 1 and time.monotonic() < deadline:
      listener.settimeout(min(1.0, GRACE))
      try:
        connection, _ = listener.accept()
      except TimeoutError:
        if time.monotonic() - said > ANSWER:
          log.info("waiting for process %s", _missing(hello, arrived))
          said = time.monotonic() + 5 * ANSWER
        continue
      theirs = _answered(connection, hello)
      if theirs is None:
        continue
      found = _difference(hello, theirs)
      if not found and theirs[NUMBER] in arrived:
        found = f"two processes have --process_id={theirs[NUMBER]}"
      if found:
        refused.append(connection)
        problem = problem or found
        deadline = min(deadline, time.monotonic() + GRACE)
      else:
        arrived[theirs[NUMBER]] = connection
  everybody = [arrived[number] for number in sorted(arrived)]
  if not problem and len(arrived) < hello[COUNT] - 1:
    problem = f"process {_missing(hello, arrived)} of this run did not come in {ARRIVAL:.0f} s"
  for connection in [*everybody, *refused]:
    with contextlib.suppress(OSError):
      _send_json(connection, {"problem": problem})
    if problem:
      connection.close()
  if problem:
    raise UserError(problem)
  for connection in everybody:
    _keep_alive(connection, timeout)
  return Peers(0, everybody)


def _missing(hello: Hello, arrived: Mapping[int, Any]) -> str:
  return ", ".join(str(number) for number in range(1, hello[COUNT]) if number not in arrived)


def _answered(connection: socket.socket, hello: Hello) -> Hello | None:
  """Returns what a process that has connected says of itself; None if it is no such process."""
  try:
    connection.settimeout(ANSWER)
    _send_json(connection, hello)
    theirs = _receive_json(connection)
    int(theirs[NUMBER])
  except WRONG:
    connection.close()
    return None
  return theirs


def _difference(first: Hello, other: Hello) -> str:
  """Returns in which fields process 0 and another one differ, "" in none."""
  names = [name for name in sorted(first.keys() | other.keys()) if name != NUMBER]
  pairs = [(name, repr(first.get(name)), repr(other.get(name))) for name in names]
  rows = [
    f"{name} is {a:.80} in process 0 and {b:.80} in process {other[NUMBER]}"
    for name, a, b in pairs
    if a != b
  ]
  if not rows:
    return ""
  more = f" and {len(rows) - 2} more fields" if len(rows) > 2 else ""
  return f"the processes of one run must be started alike: {'; '.join(rows[:2])}{more}"


def _listener(port: int) -> socket.socket:
  """Returns a socket that listens on all addresses of this machine."""
  dual = socket.has_dualstack_ipv6()
  family = socket.AF_INET6 if dual else socket.AF_INET
  try:
    return socket.create_server(("", port), family=family, dualstack_ipv6=dual, backlog=1024)
  except OSError as error:
    raise UserError(
      f"--coordinator: port {port} of this machine: {error.strerror}; take another one"
    ) from error


def _connected(host: str, port: int) -> socket.socket:
  """Returns a connection to process 0, which may start to listen a little later."""
  end = time.monotonic() + PATIENCE
  while True:
    try:
      return socket.create_connection((host, port), timeout=2)
    except OSError as error:
      if time.monotonic() < end and not isinstance(error, socket.gaierror):
        time.sleep(0.2)
        continue
      raise TransientError(
        f"--coordinator={host}:{port}: nobody listens there ({error}); start process 0 on that "
        "machine, with the same --coordinator"
      ) from error


def _keep_alive(connection: socket.socket, timeout: int) -> None:
  """Lets a connection fail after `timeout` seconds in which the other machine does not answer."""
  connection.settimeout(None)
  connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  interval = max(1, timeout // 4)
  options = {"TCP_KEEPIDLE": interval, "TCP_KEEPALIVE": interval, "TCP_KEEPINTVL": interval}
  options |= {"TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 1000 * timeout}
  for name, value in options.items():
    if hasattr(socket, name):  # systems have different ones
      connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _send(connection: socket.socket, content: bytes) -> None:
  connection.sendall(LENGTH.pack(len(content)))
  connection.sendall(content)


def _receive(connection: socket.socket, limit: int | None = None) -> bytes:
  """Returns the next content.

  Raises:
    EOFError: the other process has closed the connection.
    ValueError: the content has more than `limit` bytes.
  """
  (length,) = LENGTH.unpack(_exactly(connection, LENGTH.size))
  if limit is not None and length > limit:
    raise ValueError(f"{length} bytes")
  return bytes(_exactly(connection, length))


def _exactly(connection: socket.socket, n_bytes: int) -> bytearray:
  content = bytearray(n_bytes)
  view, position = memoryview(content), 0
  while position < n_bytes:
    received = connection.recv_into(view[position:])
    if not received:
      raise EOFError
    position += received
  return content


def _send_json(connection: socket.socket, values: Hello) -> None:
  _send(connection, json.dumps(values).encode())


def _receive_json(connection: socket.socket) -> Hello:
  return json.loads(_receive(connection, HELLO_BYTES))
