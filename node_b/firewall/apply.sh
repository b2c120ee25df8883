#!/usr/bin/env bash
# Puts Node B's firewall into force, and takes it back by itself unless the way in proves open. `--help` says how.
set -euo pipefail
HERE=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck source=node_b/firewall/watching.sh
source "$HERE/watching.sh"
# shellcheck source=node_b/firewall/sshd.sh
source "$HERE/sshd.sh"
PATH=$PATH:/usr/sbin:/sbin # which `su` leaves out on Debian

usage() {
  cat <<'USAGE'
Usage: apply.sh [--seconds N] [--without-proof] [--kept FILE] RULES
       apply.sh --confirm | --ssh-ports | --help

RULES is the rendered firewall.nft. If it changes nothing, nothing is done. Otherwise the rules are loaded, and go back to
what was before after 60 (or N) seconds, unless within that time
  - a new SSH connection arrives from another machine: open one. One that was there before proves nothing, since the rules
    let it be whatever they say about new ones; or
  - you type "keep" here, or run `apply.sh --confirm` elsewhere.
Rules that proved good are copied to FILE (default: kept.nft in a directory firewall/ beside RULES' own) and, where systemd
runs, loaded from there at every boot.

  --without-proof   keep them at once: for an unattended machine whose console is at hand
  --confirm         keep the rules that wait for their proof
  --ssh-ports       print the ports sshd listens on, or is about to, with commas between

Exits with 0 if the rules are in force, with 3 if they were taken back, with 1 if they were refused.
USAGE
}

main() {
  case ${1:-} in
    --help | -h) usage ;;
    --ssh-ports) ssh_ports | paste --serial --delimiters=, | grep . ;;
    --confirm) confirm ;;
    --watch) watch "${@:2}" ;;
    *)
      parse_arguments "$@"
      apply
      ;;
  esac
}

fail() {
  printf 'firewall: %s\n' "$@" >&2
  exit 1
}

RULES='' KEPT='' SECONDS_TO_PROVE=60 WITHOUT_PROOF=''
TTY=$(if [[ -t 0 && -t 2 ]]; then echo 1; fi)

parse_arguments() {
  while (($#)); do
    case $1 in
      --seconds) SECONDS_TO_PROVE=${2:-} && shift ;;
      --kept) KEPT=$(realpath --canonicalize-missing "${2:-}") && shift ;;
      --without-proof) WITHOUT_PROOF=1 ;;
      -*) fail "$1 is unknown: apply.sh --help" ;;
      *) RULES=$1 ;;
    esac
    shift
  done
  [[ $RULES ]] || fail "RULES is missing: apply.sh --help"
  [[ $SECONDS_TO_PROVE =~ ^[1-9][0-9]*$ ]] || fail "--seconds is a number"
  [[ $KEPT ]] || KEPT=$(dirname "$(dirname "$(realpath "$RULES")")")/firewall/kept.nft
}

apply() {
  local wanted
  [[ $EUID == 0 ]] || fail "only root may change the firewall"
  wanted=$(listing_of "$RULES") || fail "$RULES is refused by nft; nothing was changed"
  exec 7>"$RUN.lock"
  if ! flock --nonblock 7 || is_watched; then
    fail "earlier rules still wait for their proof: open a new SSH connection, or run apply.sh --confirm"
  fi
  if [[ $wanted == "$(listing)" ]] && were_kept "$wanted"; then
    load_at_boot "$KEPT" || echo "note: systemd does not load the rules at boot: systemctl status $UNIT"
    echo unchanged
    return
  fi
  refuse_lockout "$wanted"
  name_other_firewalls
  prepare
  [[ ! $WITHOUT_PROOF ]] || touch "$RUN/confirmed"
  launch "$KEPT" "$SECONDS_TO_PROVE" "$(ports_in "$wanted")"
  follow
}

# Whether RULES, perhaps in other words, proved good before.
were_kept() {
  [[ -e $KEPT && $(listing_of "$KEPT" 2>/dev/null) == "$1" ]] || return
  cmp --quiet "$RULES" "$KEPT" || put_private "$RULES" "$KEPT"
}

# What RULES would be, by loading them where nobody is: in a network namespace that ends with the command.
listing_of() {
  # shellcheck disable=SC2016 # for the shell inside
  unshare --net bash -c 'nft --file "$1" && shift && nft --stateless list table "$@"' - "$1" "${TABLE[@]}"
}

ports_in() {
  sed --quiet '/set ssh_ports {/,/^\t}/p' <<<"$1" | sed 1d | grep --only-matching --extended-regexp '[0-9]+' || true
}

refuse_lockout() {
  local port opened
  opened=$(ports_in "$1" | tr '\n' ' ')
  for port in $(listening_ssh_ports); do
    [[ " $opened" == *" $port "* ]] ||
      fail "sshd listens on $port, which these rules close: add it to SSH_PORTS. Nothing was changed"
  done
}

# Every firewall has to let a packet through; ours cannot open what another one drops.
name_other_firewalls() {
  nft list chains | awk -v ours="${TABLE[*]}" '
    /^table/ { table = $2 " " $3 }
    /hook input/ && /policy drop/ && table != ours {
      print "note: another firewall, table " table ", drops at input as well: open the ports there too"
    }'
}

prepare() {
  rm --recursive --force "$RUN"
  mkdir --mode=700 "$RUN"
  cp "$RULES" "$RUN/rules.nft"
  printf 'table %s\ndelete table %s\n' "${TABLE[*]}" "${TABLE[*]}" >"$RUN/before.nft"
  listing >>"$RUN/before.nft"
}

# Tells the operator what is going on. Whatever becomes of this process, the one that watches goes on.
follow() {
  local typed misses=0
  if [[ ! $WITHOUT_PROOF ]]; then
    echo "The new rules are tried for $SECONDS_TO_PROVE s, and go back by themselves unless the way in proves open."
    echo "Open a new SSH connection from another machine now${TTY:+, or type \"keep\"}."
  fi
  until [[ -e $RUN/verdict ]]; do
    # It may not have begun, or just have ended; but nobody else would take the rules back if it were gone.
    if is_watched; then misses=0; else misses=$((misses + 1)); fi
    ((misses < 25)) || take_back "because the process that watches is gone"
    typed=
    [[ ! $TTY ]] || read -r -t 0.2 typed || (($? > 128)) || TTY='' # a terminal that is gone
    [[ $typed != keep ]] || touch "$RUN/confirmed"
    [[ $TTY ]] || sleep 0.2
  done
  say_verdict
}

confirm() {
  is_watched || fail "no rules wait for their proof"
  touch "$RUN/confirmed"
  while is_watched && [[ ! -e $RUN/verdict ]]; do sleep 0.1; done
  say_verdict
}

say_verdict() {
  cat "$RUN/verdict"
  case $(<"$RUN/verdict") in
    kept*) return 0 ;;
    "taken back"*) exit 3 ;;
    *) exit 1 ;;
  esac
}

main "$@"
