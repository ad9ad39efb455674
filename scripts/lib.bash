# Shared by the scripts in this folder; sourced, never run. Sets `root`, `jobs` and a few helpers.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${PAWL_JOBS:-$(nproc)}

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

die_usage() {
  say "$(basename "$0"): $*"
  usage >&2
  exit 2
}

# need PROGRAM...: ends with advice when a program is missing.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || die "$program is missing; scripts/bootstrap --tests installs it"
  done
}

# source_files PATTERN...: the files that git tracks or would track, below the root, that still exist.
source_files() {
  local file
  git -C "$root" ls-files --cached --others --exclude-standard -- "$@" | sort -u | while IFS= read -r file; do
    if [[ -f $root/$file ]]; then printf '%s\n' "$file"; fi
  done
}

# quietly LOG COMMAND...: runs a command with its output in LOG, which is printed only when the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
}
