"""Every field that an experiment may set, with its meaning, unit and the paper's value.

An experiment's config is a diff on this one. Fields are overridden on the command line by their
dotted name, for example --config.train.steps=10000.
"""

import ml_collections
from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  """Returns the defaults, locked: a mistyped field raises."""
  config = ConfigDict()
  config.name = ""  # names the default workdir, runs/<name>
  config.seed = 0  # root of all random streams; ≥ 0

  config.model = ConfigDict()
  config.model.name = "relu_output"  # linear, relu_output, relu_hidden or absolute_value, or
  # other activations: leaky_relu_output, squared_relu_output, gelu_output, softplus_output,
  # tanh_output
  config.model.n_features = 5  # n
  config.model.n_hidden = 2  # m, hidden dimensions

  config.init = ConfigDict()
  config.init.scheme = "xavier"  # standard deviation of the first weights: xavier √(2/(n+m)), or
  # notebook √(2/(m(n+instances))), which is PyTorch's rule on the paper's notebook's 3-D tensor
  config.init.n_instances = 10  # `instances` in the notebook rule: how many the notebook trained
  config.init.scale = 1.0  # multiplies the standard deviation; > 0

  config.data = ConfigDict()
  config.data.distribution = "sparse_uniform"  # sparse_signed_uniform (on [−1, 1)),
  # correlated_sets (all of a set active, or none) or anticorrelated_sets (one at most)
  config.data.set_size = 1  # features per set, for the last two; divides n_features
  config.data.generator = "threefry"  # of uniform numbers, or hash: several times cheaper
  config.data.target = "identity"  # what is asked for: identity (x) or absolute (|x|)

  config.density = ConfigDict()  # p = 1 − S, probability that a feature is active, in [0, 1]
  config.density.profile = "uniform"  # base for every feature; geometric: base·ratioⁱ;
  # first_apart, last_apart: base·ratio for the first or last feature and base for the others
  config.density.base = 0.1
  config.density.ratio = 1.0

  config.importance = ConfigDict()  # I_i ≥ 0, weight of feature i's squared error
  config.importance.profile = "uniform"  # as for density
  config.importance.base = 1.0
  config.importance.ratio = 1.0

  config.loss = ConfigDict()
  config.loss.reduction = "sum"  # over features: sum (the paper's equation) or mean (its notebook)
  config.loss.hidden_l1 = 0.0  # λ ≥ 0: λ Σ |h| is added to the loss that is trained on, and not to
  # the reported ones, which stay the reconstruction's
  config.loss.attack = 0.0  # adversarial training: L2 norm ≥ 0 of what is added to every training
  # input along a row of WᵀW taken at random, as a share of the root mean square norm of inputs

  config.train = ConfigDict()
  config.train.steps = 10_000  # optimizer steps (notebook: 10 000); 0: nothing is trained, all is
  # in the analysis
  config.train.batch_size = 1024  # fresh examples per step (notebook: 1024)
  config.train.estimator = "auto"  # of the gradient: the fastest of autodiff (the reference),
  # fused (tiny models), blocked (matrix products), sparse (huge n, few active); or exact: of the
  # expected loss, without sampling, for few features. The first three see the same random numbers
  config.train.precision = "float32"  # of matrix products, or bfloat16 (blocked only)
  config.train.optimizer = "adamw"  # adam, adamw or sgd (notebook: AdamW); or, with exact, bfgs,
  # which has no learning rate, schedule or decay
  config.train.learning_rate = 1e-3  # at the schedule's peak (notebook: 1e-3)
  config.train.schedule = "constant"  # constant, linear, cosine or quarter_cosine, to 0 at the end
  config.train.warmup_steps = 0  # linear warm-up, multiplied with the schedule
  config.train.b1 = 0.9  # Adam's and AdamW's decay of the first moment
  config.train.b2 = 0.999  # and of the second
  config.train.epsilon = 1e-8  # added to the root of the second moment
  config.train.weight_decay = 0.01  # AdamW's (notebook: 0.01) and SGD's, on weights and biases
  config.train.momentum = 0.9  # SGD's

  config.axes = ()  # names of the sweep's axes, in the order of the results' dimensions
  config.axis = ConfigDict()  # one entry per axis, made by linear, log, points or restarts below

  config.history = ConfigDict()  # parameters during training, in the results as history_W, …
  config.history.num = 0  # at how many steps, the first and last included; 0: none
  config.history.scale = "log"  # how they are spaced: log or linear

  config.evaluation = ConfigDict()  # of the trained instances, for the results
  config.evaluation.method = "sampled"  # or exact: expected loss by quadrature, few features only
  config.evaluation.n_samples = 102_400  # fresh examples; one set, on which all are judged

  config.measures = (
    "feature_norm",
    "superposition",
    "feature_dimensionality",
    "dimensions_per_feature",
  )
  config.analysis = "none"  # theory put beside the results: phase_change, or none
  config.figures = ()  # drawn from the results at the end

  config.run = ConfigDict()  # how it runs, not what: may differ when a run is continued
  config.run.log_every = 0  # steps between metrics and possible stops; 0: a twentieth of the steps
  config.run.checkpoint_seconds = 30.0  # least time between checkpoints; 0: one at every border
  config.run.memory_gib = 0.0  # for one slice of instances; 0: a quarter of the
  # machine's memory, or half of the accelerators'
  config.run.feature_devices = 0  # that share the features of one instance; 0: as few as its memory
  # needs, which on CPU, whose devices share one memory, is 1
  config.run.peer_timeout = 100  # seconds; of several processes, one not heard of for so long is
  # dead, and the others end
  config.run.tensorboard = False  # write event files too: metrics, histograms of norms and
  # dimensionalities, figures (extra `tensorboard`)
  config.lock()
  return config


def linear(field: str, start: float, stop: float, num: int) -> ConfigDict:
  """Returns an axis of `num` points from start to stop, evenly spaced."""
  return _axis(field=field, scale="linear", start=float(start), stop=float(stop), num=num)


def log(field: str, start: float, stop: float, num: int) -> ConfigDict:
  """Returns an axis of `num` points from start to stop, evenly spaced in the logarithm."""
  return _axis(field=field, scale="log", start=float(start), stop=float(stop), num=num)


def points(field: str, points: tuple) -> ConfigDict:
  """Returns an axis of the given points: numbers, or names such as models."""
  return _axis(field=field, scale="points", points=points)


def restarts(num: int) -> ConfigDict:
  """Returns an axis of `num` repetitions that differ in their random numbers only."""
  return _axis(field="", scale="restarts", num=num)


def set_axes(config: ConfigDict, **axes: ConfigDict) -> None:
  """Sets the sweep's axes, in the order given."""
  with config.unlocked():
    config.axes = tuple(axes)
    config.axis = ConfigDict(axes)


def choose(variant: str | None, allowed: tuple[str, ...]) -> str:
  """Returns the part after the colon of --config=file.py:variant, or "" without one.

  Raises:
    ValueError: the variant is not one of `allowed`.
  """
  if variant and variant not in allowed:
    raise ValueError(f"unknown variant {variant!r}; allowed: {', '.join(allowed)}, or none")
  return variant or ""


def _axis(**fields) -> ConfigDict:
  return ml_collections.ConfigDict(fields)
