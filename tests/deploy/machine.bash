# shellcheck shell=bash
# A machine that is to become a Node B. Our script, our renderer and our firewall are real, nft and ss too, in a network of
# the test's own; Docker, the clock, sshd and the borrowed site are played by the programs written here.

CHECKOUT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
ANSWERS=(--code DE1 --host 127.0.0.1 --name-ru "🇩🇪 Германия 1" --name-en "🇩🇪 Germany 1" --borrow borrowed.test
  --node-a 192.0.2.7,2001:db8::7 --without-proof)

a_machine() {
  [[ $EUID == 0 ]] || skip "the deploy script is tried as root"
  # Or else this machine's own firewall would be changed. Who made the network says which one it is not.
  [[ ${OUTSIDE:-} == net:* && $(readlink /proc/self/ns/net) == net:* && $(readlink /proc/self/ns/net) != "$OUTSIDE" ]] ||
    skip "only in a network of its own: pytest tests/deploy"
  MACHINE=$BATS_TEST_TMPDIR/machine
  STATE=$MACHINE/state
  mkdir -p "$MACHINE/programs" "$MACHINE/docker"
  PATH=$MACHINE/programs:$PATH
  export MACHINE PATH PYTHON="${PYTHON:-$CHECKOUT/.venv/bin/python}"
  export MEMINFO=$MACHINE/meminfo FSTAB=$MACHINE/fstab FIREWALL_RUN=$MACHINE/firewall FIREWALL_DETACH=setsid
  export SWAP_FILE=$MACHINE/swapfile SWAPS=$MACHINE/swaps SYSCTL_FILE=$MACHINE/sysctl.conf MODULES_FILE=$MACHINE/modules.conf
  export SYSCTLS=$MACHINE/sysctls
  unset SSH_CONNECTION IMAGE_REGISTRY IMAGE_REGISTRY_GHCR
  printf 'MemTotal: 4000000 kB\nSwapTotal: 0 kB\n' >"$MEMINFO"
  touch "$FSTAB" "$SWAPS"
  a_kernel
  nft delete table inet qentvpn_node_b 2>/dev/null || true
  plays docker <<'DOCKER'
echo "$*" >>"$MACHINE/docker/calls"
here=$MACHINE/docker
case "$1 ${2:-}" in
  "info "*) ;;
  "image inspect") [[ -e $here/image-$3 ]] ;;
  "image ls") (cd "$here" && find . -name "image-$5:*" | sed 's|./image-||') ;;
  "image rm") rm "$here/image-$3" ;;
  "build "*)
    cat >/dev/null
    while [[ $1 != --tag ]]; do shift; done
    touch "$here/image-$2" ;;
  "run "*)
    while [[ $1 != -m ]]; do shift; done
    if [[ $2 == node_b.render || $2 == node_b.decisions ]]; then exec "$PYTHON" "$@"; fi
    [[ -e $here/administrator ]] || exit 3
    echo unchanged ;;
  "exec "*) touch "$here/administrator" ;;
  "ps "*) cat "$here/running" 2>/dev/null || true ;;
  "compose version") ;;
  "compose "*)
    case " $* " in
      *" up "*) echo a-container >"$here/running" ;;
      *) echo a-container ;;
    esac ;;
  *) exit 1 ;;
esac
DOCKER
  plays timedatectl <<<'echo yes'
  plays sshd <<<'echo port 22'
  borrowed_site_speaks "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384"
}

# The kernel's settings, as a machine with 1 GB of memory begins with them. One of them is the whole machine's: never tried
# for real.
a_kernel() {
  mkdir -p "$SYSCTLS"/net/{ipv4,netfilter}
  echo 0 >"$SYSCTLS/net/ipv4/tcp_migrate_req"
  echo 7872 >"$SYSCTLS/net/netfilter/nf_conntrack_max"
  echo 432000 >"$SYSCTLS/net/netfilter/nf_conntrack_tcp_timeout_established"
}

# In s_client's words, which are many: whoever stops listening at the first good one cuts it off.
borrowed_site_speaks() {
  plays openssl <<OPENSSL
cat >/dev/null
echo "\$*" >"\$MACHINE/asked"
printf '%s\n' 'CONNECTED(00000003)' '---' $(printf '%q ' "$@")
yes 'Secure Renegotiation IS NOT supported' | head --lines=10000
[[ \$? == 0 && '$1' != *NONE* ]]
OPENSSL
}

# PROGRAM does what comes in.
plays() {
  printf '#!/bin/bash\n%s\n' "$(cat)" >"$MACHINE/programs/$1"
  chmod 755 "$MACHINE/programs/$1"
}

# PATH without PROGRAM, wherever it is.
without() {
  local directory program
  mkdir "$MACHINE/others"
  for directory in ${PATH//:/ }; do
    for program in "$directory"/*; do
      [[ ${program##*/} == "$1" || -e $MACHINE/others/${program##*/} ]] || ln -s "$program" "$MACHINE/others/" 2>/dev/null || true
    done
  done
  PATH=$MACHINE/others
}

deploy() { (cd "$CHECKOUT" && ./deploy_node_b.sh --state "$STATE" "$@" </dev/null); }

# Everything that deploying may have changed: names, times and contents of the state, the firewall, what Docker was told
# to change.
everything() {
  [[ ! -e $STATE ]] || find "$STATE" -printf '%p %m %T@\n' | sort
  [[ ! -e $STATE ]] || find "$STATE" -type f -exec sha256sum {} + | sort
  nft list ruleset
  cat "$FSTAB" "$SYSCTL_FILE" "$MODULES_FILE" 2>/dev/null || true
  find "$SYSCTLS" -type f -exec sha256sum {} + | sort
  find "$MACHINE/docker" -name 'image-*' -o -name administrator -o -name running | sort
}

# All of the state but these files: contents and times.
files_but() {
  local name leave=()
  for name in "$@"; do leave+=(! -path "$STATE/$name"); done
  find "$STATE" -type f "${leave[@]}" -printf '%p %m %T@ ' -exec sha256sum {} \; | sort
}

was_told_to_change_nothing() {
  run ! grep --quiet --word-regexp 'build\|run\|exec\|up\|rm' "$MACHINE/docker/calls"
}

secrets() { sed --quiet 's/^[A-Z_]*\(KEY\|PASSWORD\|TOKEN\)=//p' "$STATE/keys.env"; }

shows_no_secret() {
  local secret
  while read -r secret; do
    [[ $1 != *"$secret"* ]] || { echo "shown: a secret of ${#secret} characters" && return 1; }
  done < <(secrets)
}
