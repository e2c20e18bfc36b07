"""Several processes, one run: which instances each of them trains, and how they communicate.

Every process trains a chunk of a group's instances on its own devices; instances never need each
other. At a segment end the first process receives all states, and it alone writes. With one process
every function here is the identity.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from toy_superposition.devices import meshes, peers, setup
from toy_superposition.devices.peers import COUNT, NUMBER, Peers
from toy_superposition.errors import UserError
from toy_superposition.types import Group, Snapshot

AUTO = "auto"  # the address: from SLURM, a TPU's metadata or another source that jax knows
_peers: Peers | None = None  # of this process; None if it is alone
_count = 1


def join(
  address: str | None,
  n_processes: int | None,
  number: int | None,
  *,
  timeout: int,
  identity: Mapping[str, Any],
) -> None:
  """Makes this process one of several; to be called before any device is touched.

  Args:
    address: host:port of process 0, "auto", or None for a single process.
    n_processes: number of processes; left to jax with "auto", as is `number`.
    number: of this process, from 0.
    timeout: seconds without an answer before a machine is considered lost and the others stop.
    identity: what decides the run's results; must be equal in all processes.

  Raises:
    UserError: the numbers do not fit, nobody listens at the address, or the processes do not agree.
  """
  global _peers, _count
  if address is None:
    if n_processes is not None or number is not None:
      raise UserError("--num_processes and --process_id need --coordinator=host:port")
    return
  if address != AUTO and (n_processes is None or number is None or not 0 <= number < n_processes):
    raise UserError(
      f"--coordinator={address} needs --num_processes=N and --process_id from 0 to N − 1, "
      f"not {n_processes} and {number}"
    )
  host, port, n_processes, number = _place(address, n_processes, number)
  hello = {
    **identity,
    "platform": setup.devices()[0].platform,  # it may decide the estimator
    COUNT: n_processes,
    NUMBER: number,
  }
  if jax.process_count() > 1:
    raise UserError(
      "--coordinator: jax takes all workers of this TPU slice for one machine; start each with the "
      "variables CLOUD_TPU_TASK_ID=0, TPU_PROCESS_BOUNDS=1,1,1 and TPU_CHIPS_PER_PROCESS_BOUNDS"
    )
  _peers, _count = peers.meet(host, port, hello, timeout), n_processes


def _place(address: str, n_processes: int | None, number: int | None) -> tuple[str, int, int, int]:
  """Returns process 0's host and port, the number of processes and of this one.

  Under a scheduler that starts a process for each GPU, this process gets its own.
  """
  given = None if address == AUTO else address
  if given:
    _host_and_port(given)
  try:
    from jax._src import clusters  # as jax.distributed.initialize does; it has no public name

    found, n_processes, number, own = clusters.ClusterEnv.auto_detect_unset_distributed_params(
      given, n_processes, number, None, None, int(peers.PATIENCE)
    )
  except Exception as error:  # whatever a scheduler's variables lead to
    if given is None:
      reason = next(iter(str(error).splitlines()), "") or type(error).__name__
      raise UserError(f"--coordinator=auto: {reason}; give host:port") from error
    found, own = given, None
  if found is None or n_processes is None or number is None:
    raise UserError("--coordinator=auto: works under SLURM and on TPUs; elsewhere, give host:port")
  own_devices = ",".join(map(str, own or ()))
  for kind in ("cuda", "rocm") if own_devices else ():
    jax.config.update(f"jax_{kind}_visible_devices", own_devices)
  return *_host_and_port(found), n_processes, number


def _host_and_port(address: str) -> tuple[str, int]:
  host, colon, port = address.rpartition(":")
  if not colon or not host or not port.isdigit() or not 0 < int(port) < 2**16:
    raise UserError(f"--coordinator={address}: allowed: host:port, such as 10.0.0.1:1234, or auto")
  return host.strip("[]"), int(port)


def is_first() -> bool:
  """Returns whether this is the process that writes."""
  return _number() == 0


def count() -> int:
  """Returns the number of processes of this run."""
  return _count


def _number() -> int:
  return _peers.number if _peers else 0


def own(group: Group) -> Group:
  """Returns this process's chunk of a group."""
  if count() == 1:
    return group
  positions = _chunk(len(group.instances.index))
  return Group(group.spec, own_rows(group.instances), group.cells[positions])


def own_rows(tree: Any) -> Any:
  """Returns this process's chunk of a tree's rows, as `meshes.rows`."""
  if count() == 1:
    return tree
  return meshes.rows(tree, _chunk(meshes.length(tree)))


def _chunk(n_instances: int) -> np.ndarray:
  """Returns the positions of this process's instances.

  All chunks have the same length; the last ones are filled by repeating the last instance.
  """
  length = -(-n_instances // count())
  first = _number() * length
  return np.minimum(np.arange(first, first + length), n_instances - 1)


def gather(tree: Any, n_instances: int, *, to_all: bool = True) -> Any:
  """Returns all processes' chunks joined, without the repeated instances.

  Unless `to_all`, the first process alone gets them, and the others keep their own.
  """
  if _peers is None:
    return tree
  leaves, form = jax.tree.flatten(jax.tree.map(np.asarray, tree))
  content = _content(leaves)
  chunks = [_leaves(chunk, leaves) for chunk in _peers.collect(content)]
  joined = [np.concatenate(parts)[:n_instances] for parts in zip(*chunks, strict=True)]
  if to_all:
    like = joined or [np.empty((n_instances, *x.shape[1:]), x.dtype) for x in leaves]
    joined = _leaves(_peers.spread(_content(joined)), like)
  return jax.tree.unflatten(form, joined) if joined or not leaves else tree


def _content(leaves: Sequence[np.ndarray]) -> bytes:
  return b"".join(leaf.tobytes() for leaf in leaves)


def _leaves(content: bytes, like: Sequence[np.ndarray]) -> list[np.ndarray]:
  """Returns the arrays, of the shapes and types of others, that `_content` was made of."""
  leaves, start = [], 0
  for leaf in like:
    flat = np.frombuffer(content, leaf.dtype, leaf.size, start)
    leaves.append(flat.reshape(leaf.shape).copy())
    start += leaf.nbytes
  return leaves


def gather_snapshot(snapshot: Snapshot, n_instances: int, *, to_all: bool = True) -> Snapshot:
  """Returns the snapshot of all processes' instances, as `gather`."""
  parts = (snapshot.state, snapshot.losses, snapshot.finite)
  state, losses, finite = gather(parts, n_instances, to_all=to_all)
  return snapshot._replace(state=state, losses=losses, finite=finite)


def any_of(number: int | None) -> int | None:
  """Returns the largest of the processes' numbers, None if all have none.

  All processes get the same answer, and so stop together.
  """
  if _peers is None:
    return number
  numbers = [int(x) for x in _peers.collect(str(number or 0).encode())]
  return int(_peers.spread(str(max(numbers, default=0)).encode())) or None


def from_first(tree: Any) -> Any:
  """Returns the first process's tree of arrays in all processes.

  The others pass a tree of the same shapes.
  """
  if _peers is None:
    return tree
  leaves, form = jax.tree.flatten(jax.tree.map(np.asarray, tree))
  content = _peers.spread(_content(leaves) if is_first() else b"")
  return jax.tree.unflatten(form, _leaves(content, leaves))


@contextlib.contextmanager
def first_alone() -> Iterator[bool]:
  """Lets the other processes wait until the first one has left the block.

  Yields whether this is the first process. If it fails, all end: the first with its reason, the
  others with a reference to it.
  """
  yield is_first()
  from_first(np.int32(0))
