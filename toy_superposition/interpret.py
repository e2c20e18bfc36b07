"""A traced function run again with something else in the place of its operations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax.extend import core

# Operations that are functions themselves, and where they keep them.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr"}
# Operations that make each element of their result of the elements at the same place.
ELEMENTWISE = frozenset(
  {
    *("add", "add_any", "sub", "mul", "div", "neg", "abs", "sign", "max", "min"),
    *("pow", "integer_pow", "square", "sqrt", "rsqrt", "exp", "exp2", "log", "log2", "log1p"),
    *("expm1", "one_minus_square", "tanh", "logistic", "sin", "cos", "erf", "erf_inv", "floor"),
    *("ceil", "round", "clamp", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "xor"),
    *("select_n", "convert_element_type", "is_finite", "copy", "stop_gradient"),
  }
)


class Unsupported(NotImplementedError):
  """An operation that has no rule, or a form of it."""

  def __init__(self, what: str):
    """`what` is the operation's name in jax, with the form if it matters."""
    super().__init__(f"there is no rule for {what}")
    self.what = what


def evaluate(
  closed: core.ClosedJaxpr,
  arguments: Sequence[Any],
  constant: Callable[[Any], Any],
  apply: Callable[[core.JaxprEqn, list[Any]], list[Any]],
  calls: Mapping[str, str] = CALLS,
) -> list[Any]:
  """Returns a jaxpr's results, with values of any kind.

  Args:
    closed: from jax.make_jaxpr.
    arguments: one value per variable.
    constant: makes a value of an array or number that the function contains.
    apply: makes an operation's results of its operands.
    calls: operations that are functions, which are entered, and where they keep them.
  """
  jaxpr = closed.jaxpr
  known = dict(zip(jaxpr.constvars, map(constant, closed.consts), strict=True))
  known.update(zip(jaxpr.invars, arguments, strict=True))

  def read(atom) -> Any:
    return constant(atom.val) if isinstance(atom, core.Literal) else known[atom]

  for equation in jaxpr.eqns:
    operands = [read(atom) for atom in equation.invars]
    inner = calls.get(equation.primitive.name)
    if inner:
      results = evaluate(equation.params[inner], operands, constant, apply, calls)
    else:
      results = apply(equation, operands)
    known.update(zip(equation.outvars, results, strict=True))
  return [read(atom) for atom in jaxpr.outvars]
