# shellcheck shell=bash
# Where sshd listens, one port a line. Sourced; changes nothing.

# Where it listens, and where it will after its next start.
ssh_ports() {
  {
    listening_ssh_ports
    # Its ListenAddress may name a port of its own, and `port` is said all the same.
    { sshd -T 2>/dev/null || true; } | awk '
      /^port / { ports = ports $2 "\n" }
      /^listenaddress / { sub(/.*:/, ""); addresses = addresses $0 "\n" }
      END { printf "%s", addresses ? addresses : ports }'
  } | sort --numeric-sort --unique
}

# By itself or, before anybody connects, through systemd; and where this very connection came in.
listening_ssh_ports() {
  local socket
  {
    ss --no-header --listening --tcp --numeric --processes | awk '/"sshd"/ { print $4 }' | sed 's/.*://'
    # Debian ships a socket that does not wait unless somebody wants it to.
    for socket in ssh.socket sshd.socket; do
      if ! systemctl --quiet is-active "$socket" 2>/dev/null; then continue; fi
      { systemctl show --property=Listen "$socket" || true; } |
        sed --quiet --regexp-extended 's/.*[:=]([0-9]+) \(Stream\)$/\1/p'
    done
    [[ ! ${SSH_CONNECTION:-} ]] || echo "${SSH_CONNECTION##* }"
  } | sort --numeric-sort --unique
}
