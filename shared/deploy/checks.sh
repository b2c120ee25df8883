# shellcheck shell=bash
# What a machine must have before a node is set up on it. Each check tells its problem with a remedy (`problem` of
# steps.sh) and changes nothing. Sourced after steps.sh.
# shellcheck disable=SC2034 # CHANGED is for whoever sources this

check_root() {
  ((EUID == 0)) || problem "this needs root: sudo $0 …"
}

check_docker() {
  if ! has docker; then
    problem "Docker is not installed: https://docs.docker.com/engine/install/"
  elif ! docker info >/dev/null 2>&1; then
    problem "Docker does not answer: systemctl enable --now docker"
  elif ! docker compose version >/dev/null 2>&1; then
    # Debian 12's own docker-compose is the first version, which knows no `docker compose`.
    problem "Docker's compose plugin is missing. Docker from docker.com: apt install docker-compose-plugin; Ubuntu's: docker-compose-v2; \
from Debian 13 on: docker-compose; Debian 12 has none: take Docker from https://docs.docker.com/engine/install/debian/"
  fi
}

check_programs() {
  local program
  for program in "$@"; do
    has "$program" || problem "$program is not installed: apt install $(package_of "$program")"
  done
}

package_of() {
  case $1 in
    nft) echo nftables ;;
    ss) echo iproute2 ;;
    flock) echo util-linux ;;
    *) echo "$1" ;;
  esac
}

SWAP_FILE=${SWAP_FILE:-/swapfile.qentvpn}
SWAP_MB=2048

# Memory and swap together, in megabytes. Where it is short, ensure_swap (MAKE_SWAP, or a yes) is offered.
check_memory() {
  local needed=$1 there
  there=$(awk '/^(MemTotal|SwapTotal):/ { sum += $2 } END { print int(sum / 1024) }' "${MEMINFO:-/proc/meminfo}")
  if ((there >= needed)); then
    MAKE_SWAP=
    return
  fi
  if [[ ! $MAKE_SWAP ]] && can_ask; then
    [[ $(ask "Only $there MB of memory. Make a swap file of 2 GB (yes/no)" no) != y* ]] || MAKE_SWAP=1
  fi
  [[ $MAKE_SWAP ]] || problem "memory and swap are $there MB, and $needed are needed: --swap makes a swap file of 2 GB"
}

ensure_swap() {
  if [[ $MAKE_SWAP ]]; then make_swap; fi
  # Also where an earlier run ended before it came to that.
  if [[ $MAKE_SWAP ]] || grep --quiet "^$SWAP_FILE " "${SWAPS:-/proc/swaps}"; then
    grep --quiet "^$SWAP_FILE " "${FSTAB:-/etc/fstab}" || add_to_fstab "$SWAP_FILE none swap sw 0 0"
  fi
}

make_swap() {
  step "A swap file of 2 GB: $SWAP_FILE"
  CHANGED=1
  run dd if=/dev/zero of="$SWAP_FILE" bs=1M count="$SWAP_MB" status=none || no_swap "make room on the disk"
  run chmod 600 "$SWAP_FILE"
  run format_swap "$SWAP_FILE" || no_swap "see above"
  run swapon "$SWAP_FILE" || no_swap "this machine cannot swap to a file, take one with more memory"
}

# Not --quiet, which Ubuntu 22.04's does not know.
format_swap() { mkswap "$1" >/dev/null; }

no_swap() {
  rm --force "$SWAP_FILE"
  fail "the swap file could not be made, and nothing is left of it: $1"
}

add_to_fstab() {
  CHANGED=1
  run append_line "${FSTAB:-/etc/fstab}" "$1"
}

append_line() { printf '%s\n' "$2" >>"$1"; }

# Free space in megabytes where DIRECTORY is, or will be; beside the swap file, if that is to be made on the same disk.
check_disk() {
  local directory=$1 needed=$2 free
  while [[ ! -d $directory ]]; do directory=$(dirname "$directory"); done
  if [[ $MAKE_SWAP && $(stat --format=%d "$directory") == $(stat --format=%d "$(dirname "$SWAP_FILE")") ]]; then
    needed=$((needed + SWAP_MB))
  fi
  free=$(df --output=avail --block-size=1M "$directory" | tail --lines=1 | tr --delete ' ')
  ((free >= needed)) ||
    problem "$directory has $free MB free, and $needed are needed: make room (docker builder prune; docker image prune)"
}

# Shadowsocks-2022 refuses clocks that differ by more than 30 s; certificates and tokens need the time, too.
check_clock() {
  local how="apt install systemd-timesyncd, then timedatectl set-ntp true"
  if has timedatectl && [[ $(timedatectl show --property=NTPSynchronized --value 2>/dev/null) == yes ]]; then return; fi
  if has chronyc && chronyc -n tracking 2>/dev/null | grep --quiet '^Leap status *: Normal'; then return; fi
  problem "this machine's clock is not synchronised, and keys need it to 30 s: $how (it may take a minute)"
}

# Each PORT/PROTOCOL is free, or held by a container of PROJECT.
check_ports() {
  local project=$1 port listening ours holder
  shift
  has ss || return 0 # told already
  ours=$(namespaces_of "$project") || true # a container may go away while it is looked at
  listening=$(ss --no-header --listening --tcp --udp --numeric --processes)
  for port in "$@"; do
    holder=$(holder_of "$port" "$ours" <<<"$listening")
    [[ ! $holder ]] || problem "port $port is taken by $holder: end it, or move it to another port"
  done
}

# The PID namespaces of the project's containers: what runs in one of them is ours. By the names of programs alone, an
# Xray that an earlier panel left behind would count as ours, and share its port silently.
namespaces_of() {
  local containers
  containers=$(docker ps --quiet --filter "label=com.docker.compose.project=$1" 2>/dev/null) || return 0
  [[ ! $containers ]] || xargs docker inspect --format '{{.State.Pid}}' <<<"$containers" |
    while read -r pid; do readlink "/proc/$pid/ns/pid" || true; done
}

# Who holds PORT/PROTOCOL and is not ours, as `name (process 12)`; what ss says comes in.
holder_of() {
  local port=${1%/*} protocol=${1#*/} ours=$2 name pid
  awk -v protocol="$protocol" -v port="$port" '$1 == protocol && $5 ~ ":" port "$" { print $7 ? $7 : "-" }' |
    sed 's/^users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 \2/' |
    while read -r name pid; do
      if [[ $pid && $ours ]] && grep --quiet --fixed-strings "$(readlink "/proc/$pid/ns/pid")" <<<"$ours"; then continue; fi
      echo "${name/#-/an unknown process}${pid:+ (process $pid)}"
      break
    done
}

check_name() {
  local host=$1
  [[ ! $host ]] || getent ahosts "$host" >/dev/null ||
    problem "$host does not resolve: make its DNS record, or give this machine's address instead"
}
