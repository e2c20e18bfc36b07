#!/usr/bin/env bash
# Runs the shards of an experiment on this machine, one process each, and then collects them:
#   launch/local.sh 4 --config=configs/phase_change.py --workdir=runs/phase_change
# After Ctrl-C or SIGTERM every shard saves within seconds; the same command continues.
set -uo pipefail

if [[ ! ${1:-} =~ ^[1-9][0-9]{0,3}$ || " $*" != *" --workdir="?* ]]; then
  echo "usage: $0 SHARDS --config=configs/x.py --workdir=runs/x [more flags]" >&2
  exit 2
fi
shards=$1
shift
for argument; do
  [[ $argument == --workdir=* ]] && workdir=${argument#--workdir=}
done
mkdir -p "$workdir/logs" || exit 1

# The numbers of the cores that this process may use, from a list such as 0-3,8.
cores=()
if command -v taskset >/dev/null; then
  allowed=$(taskset -cp $$)
  ranges=${allowed##* }
else
  ranges=0-$(($(getconf _NPROCESSORS_ONLN) - 1))
fi
for range in ${ranges//,/ }; do
  for ((core = ${range%-*}; core <= ${range#*-}; core++)); do
    cores+=("$core")
  done
done

pids=()
signal=0
signalled=()
pass_on() {
  signal=$1
  signalled=("${pids[@]}")
  echo "stopping: every shard saves within seconds; a second signal ends them at once" >&2
  kill -TERM "${pids[@]}" 2>/dev/null
}
trap 'pass_on 1' HUP
trap 'pass_on 2' INT
trap 'pass_on 15' TERM

# Job control gives each shard its own process group. Otherwise a terminal's Ctrl-C would reach it
# twice, from the terminal and from here, and a second signal ends it without saving.
set -m
for ((i = 0; i < shards && signal == 0; i++)); do
  first=$((i * ${#cores[@]} / shards))
  count=$(((i + 1) * ${#cores[@]} / shards - first))
  count=$((count > 0 ? count : 1)) # if there are more shards than cores, they share them
  mine=$(IFS=, && echo "${cores[*]:first:count}")
  command=(python -m toy_superposition.main --shard="$i/$shards" --cpu_devices="$count" "$@")
  command -v taskset >/dev/null && command=(taskset -c "$mine" "${command[@]}")
  log=$workdir/logs/$i-of-$shards.log
  echo "shard $i/$shards on cores $mine: $log"
  "${command[@]}" </dev/null >>"$log" 2>&1 &
  pids+=($!)
  # A signal may have come before this process was on the list.
  ((signal == 0)) || [[ " ${signalled[*]} " == *" $! "* ]] || kill -TERM $! 2>/dev/null
done

failed=()
for i in "${!pids[@]}"; do
  while kill -0 "${pids[i]}" 2>/dev/null; do
    wait "${pids[i]}" # a signal ends this wait early
  done
  wait "${pids[i]}"
  code=$?
  if ((code != 0)); then
    failed+=("$i")
    log=$workdir/logs/$i-of-$shards.log
    echo "shard $i/$shards ended with code $code: $(tail -n 1 "$log")" >&2
  fi
done

if ((signal != 0)); then
  echo "stopped; the same command continues" >&2
  exit $((128 + signal))
elif ((${#failed[@]} > 0)); then
  echo "${#failed[@]} of $shards shards failed: ${failed[*]}; the same command runs them again" >&2
  exit 1
fi
exec python -m toy_superposition.collect --workdir="$workdir"
