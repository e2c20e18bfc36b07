"""A traced function run again with something else in the place of its operations."""

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend import core

# Operations that are functions themselves, and where they keep them.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr"}


def evaluate(
  closed: core.ClosedJaxpr,
  arguments: Sequence[Any],
  constant: Callable[[Any], Any],
  apply: Callable[[core.JaxprEqn, list[Any]], list[Any]],
) -> list[Any]:
  """Returns a jaxpr's results, with values of any kind.

  Args:
    closed: from jax.make_jaxpr.
    arguments: one value per variable.
    constant: makes a value of an array or number that the function contains.
    apply: makes an operation's results of its operands; calls of functions are entered.
  """
  jaxpr = closed.jaxpr
  known = dict(zip(jaxpr.constvars, map(constant, closed.consts), strict=True))
  known.update(zip(jaxpr.invars, arguments, strict=True))

  def read(atom) -> Any:
    return constant(atom.val) if isinstance(atom, core.Literal) else known[atom]

  for equation in jaxpr.eqns:
    operands = [read(atom) for atom in equation.invars]
    inner = CALLS.get(equation.primitive.name)
    if inner:
      results = evaluate(equation.params[inner], operands, constant, apply)
    else:
      results = apply(equation, operands)
    known.update(zip(equation.outvars, results, strict=True))
  return [read(atom) for atom in jaxpr.outvars]
