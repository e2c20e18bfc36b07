"""Every mistake of a user is one line with the field, the value and what is allowed."""

import sys
from pathlib import Path

import pytest

from tests.command import (
  CONFIG,
  NO_THEORY,
  ROOT,
  TINY,
  in_process,
  only_line,
  reads_configs,
  report_in_process,
  run,
  tree,
)

CONFIGS = {
  "syntax.py": "def get_config(:\n",
  "empty.py": "",
  "wrong.py": "def get_config():\n  return 3\n",
  "imports.py": "import no_such_module\n",
  "raises.py": "def get_config():\n  return 1 / 0\n",
  "exits.py": "import sys\n\n\ndef get_config():\n  sys.exit()\n",
  "nothing.py": "def get_config():\n  pass\n",
  "dict.py": "def get_config():\n  return {'name': 'x'}\n",
  "opens.py": "def get_config():\n  return open('data.csv')\n",
  "binary.txt": "\udcff\udcfe",
  "foreign.py": "import ml_collections\n\n\n"
  "def get_config():\n  return ml_collections.ConfigDict({'name': 'x'})\n",
}
GIB = 2**30
# Name → (arguments after the config's own, or all of them if they hold a config; fragments).
BAD: dict[str, tuple[list[str], list[str]]] = {
  "mistyped_config": ([CONFIG.replace("change", "chnage")], ["phase_chnage", "phase_change.py'?"]),
  "no_config": (["--workdir=x"], ["--config is missing"]),
  "folder_as_config": ([f"--config={ROOT}"], ["--config", "cannot read"]),
  "unknown_variant": ([CONFIG.replace("quick", "quik")], ["'quik'", "quick, full"]),
  "syntax_error": (["--config=FILES/syntax.py"], ["--config", "syntax.py, line 1"]),
  "empty_config": (["--config=FILES/empty.py"], ["--config", "get_config"]),
  "config_of_another_kind": (["--config=FILES/wrong.py"], ["--config"]),
  "missing_import": (["--config=FILES/imports.py"], ["--config", "no_such_module"]),
  "mistyped_field": (["--config.train.stesp=40"], ["--config.train.stesp=40", "'train.steps'"]),
  "config_that_exits": (["--config=FILES/exits.py"], ["--config", "exits.py", "SystemExit"]),
  "config_of_nothing": (["--config=FILES/nothing.py"], ["--config", "nothing.py", "None"]),
  "config_of_a_dict": (["--config=FILES/dict.py"], ["--config", "{'name': 'x'}", "ConfigDict"]),
  "config_that_opens_a_missing_file": (
    ["--config=FILES/opens.py"],
    ["--config", "opens.py, line 2", "No such file", "data.csv"],
  ),
  "no_config_named": (["--config="], ["--config"]),
  "abbreviated_field": (["--config.train.lr=1"], ["--config.train.lr=1", "train.learning_rate"]),
  "field_of_a_mistyped_section": (["--config.trian.steps=1"], ["'train.steps'"]),
  "field_within_a_field": (["--config.train.steps.x=1"], ["--config.train.steps.x", "no such"]),
  "field_of_an_unknown_axis": (["--config.axis.densty.num=3"], ["axis.densty.num=3", "density"]),
  "no_flagfile": (["--flagfile=missing"], ["--flagfile", "No such file", "missing"]),
  "folder_as_flagfile": (["--flagfile=FILES"], ["--flagfile", "directory"]),
  "binary_flagfile": (["--flagfile=FILES/binary.txt"], ["--flagfile", "not a text file"]),
  "empty_workdir": (["--workdir="], ["--workdir", "empty", "FOLDER"]),
  "empty_workdir_after_a_space": (["--workdir", ""], ["--workdir", "empty", "FOLDER"]),
  "empty_shard": (["--shard="], ["--shard", "empty", "i/N"]),
  "shard_of_a_distributed_run": (
    ["--shard=0/2", "--coordinator=localhost:1", "--num_processes=2", "--process_id=0"],
    ["--shard", "--coordinator", "take one"],
  ),
  "dry_run_of_a_distributed_run": (
    ["--dry_run", "--coordinator=localhost:1", "--num_processes=2", "--process_id=0"],
    ["--dry_run", "--coordinator"],
  ),
  "endless_name": (["--config.name=" + 300 * "x"], ["config.name", "at most 200 bytes"]),
  "endless_batch": (["--config.train.batch_size=2147483648"], ["config.train.batch_size", "2³¹"]),
  "endless_history": (
    [*NO_THEORY, "--config.history.num=2147483647"],
    ["config.history.num", "at most 100000"],
  ),
  "endless_log": (
    ["--config.train.steps=2147483647", "--config.run.log_every=1"],
    ["config.run.log_every", "at least 2148"],
  ),
  "endless_features": (
    [*NO_THEORY, "--config.model.n_features=1000000000", "--config.evaluation.method=sampled"],
    ["config."],
  ),
  "endless_hidden": (
    [*NO_THEORY, "--config.model.n_hidden=1000000000", "--config.evaluation.method=sampled"],
    ["config.model", "n_hidden=1000000000", "GiB"],
  ),
  "wrong_type": (["--config.train.steps=many"], ["--config.train.steps=many", "an integer"]),
  "devices_that_cannot_share": (
    ["--config.run.feature_devices=2", "--cpu_devices=3"],
    ["config.run.feature_devices=2", "3 device(s)", "2 features", "allowed: 1, or 0"],
  ),
  "shared_by_an_estimator_that_cannot": (
    ["--config.run.feature_devices=2", "--config.train.estimator=fused"],
    ["config.run.feature_devices", "0 or 1 for fused"],
  ),
  "pairs_that_are_too_many": (
    [*NO_THEORY, "--config.evaluation.method=sampled", "--config.model.n_features=1000000"],
    ["config.measures", "superposition", "1000000 features", "GiB", "leave them out"],
  ),
  "too_large_even_alone": (
    ["--config.run.memory_gib=1e-7"],
    ["n_features=2", "n_hidden=1", "1.49e-07 GiB in training", "config.run.memory_gib"],
  ),
  "unknown_model": (["--config.model.name=relu"], ["config.model.name", "'relu'", "relu_output"]),
  "unknown_distribution": (
    ["--config.data.distribution=sparse"],
    ["config.data.distribution", "'sparse'", "sparse_uniform"],
  ),
  "unknown_measure": (
    ["--config.measures=('norm',)"],
    ["config.measures", "'norm'", "feature_norm"],
  ),
  "unknown_experiment": (
    ["--config.experiment=phase_chnage"],
    ["config.experiment", "'phase_chnage'", "did you mean 'phase_change'?"],
  ),
  "unknown_optimizer": (["--config.train.optimizer=adan"], ["'adan'", "did you mean 'adam'?"]),
  "density_above_1": (["--config.axis.density.start=1.5"], ["density.base", "1.5", "[0, 1]"]),
  "negative_density": (["--config.density.base=-0.5"], ["config.density.base", "-0.5", "[0, 1]"]),
  "mistyped_config_after_a_space": (
    ["--overwrite", "--config", CONFIG.replace("--config=", "").replace("change", "chnage")],
    ["phase_chnage", "phase_change.py'?"],
  ),
  "config_without_the_base": (["--config=FILES/foreign.py"], ["missing", "base.get_config()"]),
  "config_that_raises": (["--config=FILES/raises.py"], ["--config", "ZeroDivisionError"]),
  "endless_workdir": (["--workdir=" + 300 * "x"], ["File name too long"]),
  "negative_importance": (["--config.importance.base=-1"], ["config.importance.base", "-1.0"]),
  "nan_importance": (["--config.importance.base=nan"], ["config.importance.base", "nan"]),
  "no_features": (["--config.model.n_features=0"], ["config.model.n_features", "0", "≥ 1"]),
  "no_hidden": (["--config.model.n_hidden=0"], ["config.model.n_hidden", "0", "≥ 1"]),
  "empty_axis": (["--config.axis.density.num=0"], ["config.axis.density.num", "0", "one point"]),
  "endless_axis": (["--config.axis.restart.num=2147483648"], ["config.ax", "2147483648"]),
  "no_steps": (["--config.train.steps=0"], ["config.train.steps", "0", "≥ 1", "phase_change"]),
  "no_such_shard": (["--shard=3/2"], ["--shard=3/2", "i from 0 to N − 1"]),
  "more_shards_than_instances": (["--shard=0/999"], ["--shard=0/999", "allowed: N up to"]),
  "no_batch": (["--config.train.batch_size=0"], ["config.train.batch_size", "0", "≥ 1"]),
  "overflow": (
    ["--config.importance.base=1e39", *NO_THEORY],
    ["config.importance", "finite"],
  ),
  "workdir_is_a_file": (["--workdir=a_file"], ["a_file"]),
  "workdir_under_a_file": (["--workdir=a_file/run"], ["a_file"]),
  "no_profile_steps": (["--profile_steps=0"], ["--profile_steps=0", "positive integer"]),
  "all_profile_steps": (["--profile_steps=40"], ["--profile_steps=40", "1 to 39"]),
  "too_many_devices": (["--devices=99", "--cpu_devices=2"], ["--devices=99", "1 to 2"]),
  "unknown_flag": (["--no_such_flag=1"], ["no_such_flag"]),
  "stray_argument": (["stray"], ["'stray'", "--name=value"]),
}
BAD_REPORTS: dict[str, tuple[list[str], list[str]]] = {
  "report_without_workdir": ([], ["--workdir is missing"]),
  "report_of_no_folder": (["--workdir=missing"], ["missing/manifest.json", "No such file"]),
  "report_of_no_run": (["--workdir=."], ["manifest.json", "No such file"]),
}


# Those that test what a process does: its limits, its devices, its exit. All others are refused by
# the same functions within this process.
AS_PROCESS = (
  *("unknown_flag", "endless_axis", "devices_that_cannot_share", "too_many_devices"),
  "report_of_no_run",
)


def files_of(name: str, files: Path, folder: Path) -> list[str]:
  """Returns the arguments of a bad input, and puts a file of somebody else's into its folder."""
  for config, content in CONFIGS.items():
    (files / config).write_text(content, errors="surrogateescape")
  (folder / "a_file").write_text("mine")
  arguments = [a.replace("FILES", str(files)) for a in (BAD | BAD_REPORTS)[name][0]]
  own = name in BAD_REPORTS or name == "no_config" or arguments[0].startswith("--config=")
  return arguments if own else [*TINY, *arguments]


@reads_configs
@pytest.mark.parametrize("name", [*BAD, *BAD_REPORTS])
def test_bad_input_is_one_line_and_nothing_is_written(
  name, tmp_path, tmp_path_factory, monkeypatch
):
  arguments = files_of(name, tmp_path_factory.mktemp("files"), tmp_path)
  if name in AS_PROCESS:
    limits = [("RLIMIT_AS", 8 * GIB)] if sys.platform == "linux" else []
    module = "report" if name in BAD_REPORTS else "main"
    done = run(*arguments, cwd=tmp_path, module=module, limits=limits)
  else:
    call = report_in_process if name in BAD_REPORTS else in_process
    done = call(monkeypatch, *arguments, cwd=tmp_path)
  line = only_line(done)
  for fragment in (BAD | BAD_REPORTS)[name][1]:
    assert fragment in line
  assert tree(tmp_path) == {"a_file": b"mine"}
