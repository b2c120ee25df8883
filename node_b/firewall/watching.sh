# shellcheck shell=bash
# New rules on trial. The one who loads and watches them is a process of its own: it outlives the one that started it, its
# terminal and its SSH session. Sourced by apply.sh.

TABLE=(inet qentvpn_node_b)
UNIT=qentvpn-node-b-firewall.service
# What a trial consists of: rules.nft, before.nft, seen, confirmed, verdict; `watched` is locked as long as it lasts. Only
# root writes here. Gone after a reboot, and so are rules that were never proven.
RUN=${FIREWALL_RUN:-/run/qentvpn-node-b-firewall}

# systemd may end what a session leaves behind, but not its own services.
launch() {
  local command=("$BASH" "$HERE/apply.sh" --watch "$@")
  if runs_systemd; then
    systemd-run --quiet --collect --setenv="FIREWALL_RUN=$RUN" "${command[@]}"
  else
    FIREWALL_RUN=$RUN setsid --fork "${command[@]}" </dev/null >"$RUN/log" 2>&1 7>&-
  fi
}

runs_systemd() { [[ -d /run/systemd/system && ${FIREWALL_DETACH:-} != setsid ]]; }

# Whether somebody holds the lock that `watch` holds as long as it lives.
is_watched() { [[ -e $RUN/watched ]] && ! flock --shared --nonblock "$RUN/watched" true; }

# Loads the rules, and keeps them or takes them back.
watch() {
  local kept=$1 seconds=$2 ports=$3 deadline
  cd /
  trap '' HUP INT PIPE
  exec 8>"$RUN/watched"
  flock 8
  deadline=$(($(uptime_ms) + seconds * 1000))
  trap exit TERM
  # However this ends: rules that are not proven do not stay.
  trap '[[ -e $RUN/verdict ]] || take_back "because they could not be watched or kept"' EXIT
  if ! nft --file "$RUN/rules.nft"; then
    conclude "refused by nft: nothing was changed"
    return
  fi
  # After the load: whoever was on the way in before it had not to pass the new rules.
  { connections established "$ports" && connections syn-recv "$ports"; } >"$RUN/seen.new"
  mv "$RUN/seen.new" "$RUN/seen"
  while (($(uptime_ms) < deadline)); do
    if [[ -e $RUN/confirmed ]]; then
      keep "$kept" "confirmed"
      return
    elif has_new_connection "$ports"; then
      keep "$kept" "a new SSH connection came in"
      return
    fi
    sleep 0.3
  done
  take_back "after $seconds s without proof"
}

# Not the clock, which may be set meanwhile.
uptime_ms() {
  local up
  read -r up _ </proc/uptime
  echo $((10#${up/./} * 10))
}

# All of the output is read: grep leaves a pipe at its first match when nobody wants to see it, and whoever still writes
# has failed then.
has_new_connection() {
  local new
  new=$(connections established "$1" | grep --invert-match --line-regexp --fixed-strings --file="$RUN/seen") || true
  [[ $new ]]
}

# TCP connections in STATE to one of PORTS, `HERE THERE` a line. Not those from this machine: they came over loopback.
connections() {
  local state=$1 filter='' port
  for port in $2; do filter+="${filter:+ or }sport = :$port"; done
  [[ $filter ]] || return 0
  ss --no-header --tcp --numeric state "$state" "( $filter )" | awk '{ print $3, $4 }' | from_elsewhere
}

from_elsewhere() {
  local here there address
  while read -r here there; do
    address=${there%:*} address=${address#[} address=${address%]} address=${address#::ffff:} address=${address%\%*}
    [[ $(ip route get "$address" 2>/dev/null) == local* ]] || echo "$here $there"
  done
}

keep() {
  local kept=$1 why=$2
  (umask 077 && mkdir --parents "$(dirname "$kept")")
  put_private "$RUN/rules.nft" "$kept"
  load_at_boot "$kept" || why+="; but systemd does not load them at boot: systemctl status $UNIT"
  conclude "kept: $why"
}

put_private() {
  (umask 077 && cp "$1" "$2.new")
  mv "$2.new" "$2"
}

# Rather no rules of ours than rules that lock out.
take_back() {
  nft --file "$RUN/before.nft" || nft delete table "${TABLE[@]}"
  conclude "taken back $1: the rules are what they were before"
}

conclude() {
  echo "$1" >"$RUN/verdict.new"
  mv "$RUN/verdict.new" "$RUN/verdict"
}

# What the rules in force are, in nft's own words; nothing if there are none.
listing() { nft --stateless list table "${TABLE[@]}" 2>/dev/null || true; }

# FIREWALL_UNITS: where a test would have it.
load_at_boot() {
  local unit=${FIREWALL_UNITS:-/etc/systemd/system}/$UNIT wanted
  [[ ${FIREWALL_UNITS:-} ]] || runs_systemd || return 0
  wanted=$(sed "s|@NFT@|$(command -v nft)|; s|@RULES@|$1|" "$HERE/$UNIT") || return
  if [[ $wanted != "$(cat "$unit" 2>/dev/null)" ]]; then
    (umask 022 && printf '%s\n' "$wanted" >"$unit.new") && mv "$unit.new" "$unit" && systemctl daemon-reload || return
  fi
  systemctl --quiet enable --now "$UNIT"
}
