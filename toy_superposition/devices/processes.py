"""Several processes, one run: which instances each of them trains, and how they communicate.

Every process trains a chunk of a group's instances on its own devices; instances never need each
other. At a segment end all processes receive all states, and the first one alone writes. With one
process every function here is the identity.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from toy_superposition.errors import UserError
from toy_superposition.types import Group, Snapshot

PATIENCE = 30.0  # seconds to wait for the coordinator to listen
AUTO = "auto"  # the address: from SLURM, a TPU's metadata or another source that jax knows


def join(address: str | None, n_processes: int | None, number: int | None, timeout: int) -> None:
  """Makes this process one of several; to be called before any device is touched.

  Args:
    address: host:port of process 0, "auto", or None for a single process.
    n_processes: number of processes; left to jax with "auto", as is `number`.
    number: of this process, from 0.
    timeout: seconds without a heartbeat before a process is considered dead and the others stop.

  Raises:
    UserError: the numbers do not fit, or nobody listens at the address.
  """
  if address is None:
    if n_processes is not None or number is not None:
      raise UserError("--num_processes and --process_id need --coordinator=host:port")
    return
  if address == AUTO:
    try:
      _initialize(heartbeat_timeout_seconds=timeout)
    except UserError as error:
      raise UserError(f"{error}; outside of SLURM and TPUs, give host:port") from error
    return
  if n_processes is None or number is None or not 0 <= number < n_processes:
    raise UserError(
      f"--coordinator={address} needs --num_processes=N and --process_id from 0 to N − 1, "
      f"not {n_processes} and {number}"
    )
  host, port = _host_and_port(address)
  if number > 0:
    _wait_for(host, port)
  _initialize(
    coordinator_address=address,
    num_processes=n_processes,
    process_id=number,
    heartbeat_timeout_seconds=timeout,
  )


def _initialize(**options: Any) -> None:
  try:
    jax.distributed.initialize(**options)
  except (ValueError, RuntimeError) as error:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    raise UserError(f"--coordinator: the processes did not find each other: {reason}") from error


def _host_and_port(address: str) -> tuple[str, int]:
  host, colon, port = address.rpartition(":")
  if not colon or not host or not port.isdigit() or not 0 < int(port) < 2**16:
    raise UserError(f"--coordinator={address}: allowed: host:port, such as 10.0.0.1:1234, or auto")
  return host.strip("[]"), int(port)


def _wait_for(host: str, port: int) -> None:
  """Waits until process 0 listens; jax itself would wait for minutes, and then abort."""
  end = time.monotonic() + PATIENCE
  while True:
    try:
      socket.create_connection((host, port), timeout=2).close()
    except OSError as error:
      if time.monotonic() < end and not isinstance(error, socket.gaierror):
        time.sleep(0.2)
        continue
      raise UserError(
        f"--coordinator={host}:{port}: nobody listens there ({error}); start process 0 on that "
        "machine, with the same --coordinator"
      ) from error
    else:
      return


def is_first() -> bool:
  """Returns whether this is the process that writes."""
  return jax.process_index() == 0


def count() -> int:
  """Returns the number of processes of this run."""
  return jax.process_count()


def own(group: Group) -> Group:
  """Returns this process's chunk of a group."""
  if count() == 1:
    return group
  positions = _chunk(len(group.instances.index))
  return Group(group.spec, own_rows(group.instances), group.cells[positions])


def own_rows(tree: Any) -> Any:
  """Returns this process's chunk of every leaf's leading axis of instances."""
  if count() == 1:
    return tree
  positions = _chunk(len(jax.tree.leaves(tree)[0]))
  return jax.tree.map(lambda leaf: np.asarray(leaf)[positions], tree)


def _chunk(n_instances: int) -> np.ndarray:
  """Returns the positions of this process's instances.

  All chunks have the same length; the last ones are filled by repeating the last instance.
  """
  length = -(-n_instances // count())
  first = jax.process_index() * length
  return np.minimum(np.arange(first, first + length), n_instances - 1)


def gather(tree: Any, n_instances: int) -> Any:
  """Returns all processes' chunks joined, without the repeated instances."""
  if count() == 1:
    return tree
  gathered = multihost_utils.process_allgather(tree, tiled=True)
  return jax.tree.map(lambda leaf: np.asarray(leaf)[:n_instances], gathered)


def gather_snapshot(snapshot: Snapshot, n_instances: int) -> Snapshot:
  """Returns the snapshot of all processes' instances."""
  state, losses, finite = gather((snapshot.state, snapshot.losses, snapshot.finite), n_instances)
  return snapshot._replace(state=state, losses=losses, finite=finite)


def any_of(number: int | None) -> int | None:
  """Returns the largest of the processes' numbers, None if all have none.

  All processes get the same answer, and so stop together.
  """
  if count() == 1:
    return number
  largest = int(np.max(multihost_utils.process_allgather(np.int32(number or 0))))
  return largest or None


def from_first(tree: Any) -> Any:
  """Returns the first process's tree of arrays in all processes.

  The others pass a tree of the same shapes.
  """
  if count() == 1:
    return tree
  return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(tree))


@contextlib.contextmanager
def first_alone() -> Iterator[bool]:
  """Lets the other processes wait until the first one has left the block.

  Yields whether this is the first process. If it fails, all end: the first with its reason, the
  others with a reference to it.
  """
  if count() == 1:
    yield True
    return
  if is_first():
    try:
      yield True
    except BaseException:
      from_first(np.int32(0))
      raise
    from_first(np.int32(1))
  else:
    yield False
    if not from_first(np.int32(0)):
      raise UserError("process 0 failed; it says why")


@contextlib.contextmanager
def exit_at_once(*, unless: bool) -> Iterator[None]:
  """Turns a SystemExit of the block into os._exit, if there are several processes.

  A normal exit would block in jax's shutdown barrier while the others wait for this process;
  os._exit lets them notice. `unless` says that the others stop too.
  """
  try:
    yield
  except SystemExit as error:
    if unless or count() == 1:
      raise
    os._exit(int(error.code or 0))
