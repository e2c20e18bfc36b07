#!/usr/bin/env bash
# Runs the shards of an experiment on an existing TPU VM, one on each of its workers:
#   launch/tpu_vm.sh NAME ZONE --config=configs/x.py:full --workdir=runs/x
# It copies the last commit there, installs and runs it, copies the shards back and collects them.
# If the connection breaks, the workers go on; the same command waits for them and continues.
set -uo pipefail

workdir=
for argument; do
  [[ $argument == --workdir=* ]] && workdir=${argument#--workdir=}
done
if (($# < 4)) || [[ ! $workdir =~ ^[A-Za-z0-9_] ]]; then
  echo "usage: $0 NAME ZONE --config=configs/x.py --workdir=runs/x [more flags]" >&2
  echo "with a workdir relative to the repository's root, here and on the workers" >&2
  exit 2
fi
name=$1 zone=$2
shift 2
# The chips of one worker as a grid: 2,2,1 for the four chips of v4, v5p, and v5e and v6e slices.
chips=${CHIPS:-2,2,1}

tpu() {
  local verb=$1
  shift
  gcloud compute tpus tpu-vm "$verb" --zone="$zone" "$@"
}

addresses=$(tpu describe "$name" --format="value(networkEndpoints[].ipAddress)") || exit 1
IFS=';,' read -ra workers <<<"$addresses"
total=${#workers[@]}

archive=$(mktemp) || exit 1
trap 'rm -f "$archive"' EXIT
git archive --format=tar.gz --output="$archive" HEAD || exit 1
tpu scp "$archive" "$name:toy_superposition.tar.gz" --worker=all || exit 1
# The Python of a TPU VM may be too old; uv installs one.
tpu ssh "$name" --worker=all --command="
  set -e
  mkdir -p toy_superposition
  cd toy_superposition
  tar -xzf ../toy_superposition.tar.gz
  python3 -m pip install --quiet --user uv
  python3 -m uv venv --quiet --allow-existing --python=3.12 .venv
  python3 -m uv pip install --quiet --python=.venv -e '.[tpu]'
" || exit 1

# When libtpu starts, the workers of one slice wait for each other unless each is configured as a
# slice of its own. The lock makes a repeated command wait for a run that is still going on.
if ((total > 1)); then
  separate="env CLOUD_TPU_TASK_ID=0 TPU_PROCESS_BOUNDS=1,1,1 TPU_CHIPS_PER_PROCESS_BOUNDS=$chips"
fi
metadata=http://metadata.google.internal/computeMetadata/v1/instance/attributes
tpu ssh "$name" --worker=all --command="
  cd toy_superposition
  worker=\$(curl -sf -H 'Metadata-Flavor: Google' $metadata/agent-worker-number) || exit 1
  flock .lock ${separate:-} .venv/bin/python -m toy_superposition.main \\
    --shard=\$worker/$total $(printf '%q ' "$@") >>log.txt 2>&1
  code=\$?
  tail -n 3 log.txt
  exit \$code
"

# Also after a failure: collect names the missing shards.
mkdir -p "$workdir"
for ((worker = 0; worker < total; worker++)); do
  tpu scp --recurse "$name:toy_superposition/$workdir/shards" "$workdir" --worker="$worker"
done
exec python -m toy_superposition.collect --workdir="$workdir"
