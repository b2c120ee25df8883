# deploy_node_b.sh, with Docker and the clock played by programs of the test. The real engine is in tests/node_b/containers.

bats_require_minimum_version 1.5.0
load machine.bash

setup() { a_machine; }

@test "help says what there is, and needs nothing" {
  run deploy --help

  [ "$status" -eq 0 ]
  for option in --node-a --dry-run --show-secrets --rotate --confirm --state; do [[ $output == *"$option"* ]]; done
  [ ! -e "$STATE" ]
}

@test "an unknown option is refused by its name" {
  run deploy --frobnicate 1

  [ "$status" -eq 1 ]
  [[ $output == *"--frobnicate"*"--help"* ]]
}

@test "a dry run changes nothing" {
  before=$(everything)

  run deploy "${ANSWERS[@]}" --dry-run

  [ "$status" -eq 0 ]
  [ "$(everything)" = "$before" ]
  [ ! -e "$STATE" ]
  [[ $output == *"would run: docker build"*"nothing was changed"* ]]
  was_told_to_change_nothing
}

@test "a dry run over a node changes nothing and shows no secret, not even when asked to" {
  deploy "${ANSWERS[@]}"
  before=$(everything)
  : >"$MACHINE/docker/calls"

  run deploy --dry-run --show-secrets --rotate token

  [ "$status" -eq 0 ]
  was_told_to_change_nothing
  [ "$(everything)" = "$before" ]
  shows_no_secret "$output"
}

@test "the first run prints the block once" {
  run deploy "${ANSWERS[@]}"

  [ "$status" -eq 0 ]
  [ "$(grep --count '^NODES__DE1__AGENT_TOKEN=' <<<"$output")" -eq 1 ]
  [[ $output == *"NODES__DE1__AGENT_TOKEN=$(sed --quiet 's/^AGENT_TOKEN=//p' "$STATE/keys.env")"* ]]
  [ "$(find "$STATE" -type f -name '*.env' -perm 600 | wc -l)" -ge 4 ]
  nft list table inet qentvpn_node_b | grep --quiet 192.0.2.7
}

@test "the second run changes nothing, says so, and shows no secret" {
  deploy "${ANSWERS[@]}"
  before=$(everything)

  run deploy

  [ "$status" -eq 0 ]
  [ "$(everything)" = "$before" ]
  [[ $output == *"Nothing had to be changed"* ]]
  [[ $output != *NODES__* ]]
  shows_no_secret "$output"
}

@test "the block is shown again only when asked for" {
  first=$(deploy "${ANSWERS[@]}" | grep ^NODES__)

  run deploy --show-secrets

  [ "$status" -eq 0 ]
  [ "$(grep ^NODES__ <<<"$output")" = "$first" ]
}

@test "without Docker nothing is changed, and the remedy is named" {
  without docker

  run deploy "${ANSWERS[@]}"

  [ "$status" -eq 1 ]
  [[ $output == *"Nothing was changed"*"Docker is not installed"* ]]
  [ ! -e "$STATE" ]
}

@test "a Docker that does not answer, and one without its compose plugin" {
  plays docker <<<'[[ $1 != info ]]'
  run deploy "${ANSWERS[@]}"
  [ "$status" -eq 1 ]
  [[ $output == *"Docker does not answer"* ]]

  plays docker <<<'[[ $1 != compose ]]'
  run deploy "${ANSWERS[@]}"
  [ "$status" -eq 1 ]
  [[ $output == *"compose plugin is missing"*"Debian 12"*docs.docker.com* ]]
}

@test "each busy port is named, with who has it" {
  "$PYTHON" -c 'import socket, time
held = [socket.create_server(("127.0.0.1", port)) for port in (2053, 8443)]
datagrams = socket.socket(type=socket.SOCK_DGRAM); datagrams.bind(("127.0.0.1", 443)); open("held", "w").close(); time.sleep(60)' 3>&- &
  holder=$!
  until [ -e held ]; do :; done
  rm held

  run deploy "${ANSWERS[@]}"
  kill "$holder"

  [ "$status" -eq 1 ]
  for port in 2053 8443 443; do [[ $output == *"port $port/"*"(process $holder)"* ]]; done
  [[ $output != *"443/tcp is taken"*"443/tcp is taken"*"443/tcp is taken"* ]]
  [ ! -e "$STATE" ]
}

@test "all problems are told at once: clock, memory, the borrowed site" {
  plays timedatectl <<<'echo no'
  plays chronyc <<<'exit 1'
  borrowed_site_speaks "New, (NONE), Cipher is (NONE)"
  printf 'MemTotal: 500000 kB\nSwapTotal: 0 kB\n' >"$MEMINFO"

  run deploy "${ANSWERS[@]}"

  [ "$status" -eq 1 ]
  [[ $output == *"488 MB"*"--swap"* ]]
  [[ $output == *"clock is not synchronised"* ]]
  [[ $output == *"borrowed.test does not answer with TLS 1.3"* ]]
  [ ! -e "$STATE" ]
}

@test "where nobody can be asked, all missing answers are named" {
  run deploy

  [ "$status" -eq 1 ]
  for option in --code --host --name-ru --name-en --borrow --node-a; do [[ $output == *"$option is missing"* ]]; done
  [ ! -e "$STATE" ]
}

# Answers come in, each on a line, as typed at a terminal.
deploy_at_a_terminal() {
  script --quiet --return --echo never --command "$CHECKOUT/deploy_node_b.sh --state '$STATE' $*" /dev/null
}

@test "at a terminal what is missing is asked for" {
  run deploy_at_a_terminal --name-en DE --node-a 192.0.2.7 --without-proof < <(printf '%s\n' de1 127.0.0.1 "Германия 1" borrowed.test:8444)

  [ "$status" -eq 0 ]
  [[ $output == *"The node's code"*"public name or address"*"Russian customers"*"site to borrow"* ]]
  [[ $output != *"English customers"* && $output != *"Node A's address"* ]]
  [[ $output == *"NODES__DE1__HOST=127.0.0.1"* ]]
  grep --quiet "^NODE_NAME_RU=Германия 1$" "$STATE/node.env"
  grep --quiet "^REALITY_SERVER_NAME=borrowed.test$" "$STATE/node.env"
  grep --quiet "^REALITY_TARGET=borrowed.test:8444$" "$STATE/node.env"
}

@test "an answer that does not come is a missing one" {
  run deploy_at_a_terminal < <(printf '%s\n' DE1 "" "Германия 1" "Germany 1" borrowed.test 192.0.2.7)

  [ "$status" -eq 1 ]
  [[ $output == *"Nothing was changed"*"--host is missing"* ]]
  [ ! -e "$STATE" ]
}

@test "swap is offered at a terminal, and made only after a yes" {
  printf 'MemTotal: 500000 kB\nSwapTotal: 0 kB\n' >"$MEMINFO"
  for program in dd mkswap swapon; do plays "$program" <<<'touch "$SWAP_FILE"'; done
  deploy_with_answers() { deploy_at_a_terminal "${ANSWERS[@]@Q}"; }

  run deploy_with_answers <<<""
  [ "$status" -eq 1 ]
  [[ $output == *"Only 488 MB of memory"*"--swap"* ]]
  [ ! -e "$SWAP_FILE" ]

  run deploy_with_answers <<<yes
  [ "$status" -eq 0 ]
  [ -e "$SWAP_FILE" ]
}

@test "answers that would break a file are refused" {
  run deploy "${ANSWERS[@]}" --host "https://vpn.test" --node-a "node-a.test"

  [ "$status" -eq 1 ]
  [[ $output == *"--host: a name or an address"* ]]
  [[ $output == *"--node-a: addresses"* ]]
}

# Each refused before anything is changed, by its option.
refused() {
  run deploy "${ANSWERS[@]}" "$1" "$2" --dry-run
  [ "$status" -eq 1 ] || { echo "taken: $1 $2" && return 1; }
  [[ $output == *"Nothing was changed"*"$1:"* ]] || { echo "$output" && return 1; }
}

taken() {
  run deploy "${ANSWERS[@]}" "$1" "$2" --dry-run
  [ "$status" -eq 0 ] || { echo "refused: $1 $2: $output" && return 1; }
}

@test "answers that the renderer would refuse later are refused at once" {
  for addresses in 1.2.3 192.0.2.300 192.0.2.7/33 0.0.0.0/0 10.0.0.0/8 192.0.2.7, 2001:db8::7/16 2001:db8:::7 ::/0 1:2 dead; do
    refused --node-a "$addresses"
  done
  for addresses in 192.0.2.7 192.0.2.0/24 2001:db8::7 2001:db8::/64,192.0.2.7 1:2:3:4:5:6:7:8 ::1; do taken --node-a "$addresses"; done
  for host in vpn.example.org 1.2.3 vpn_1.test -vpn.test 2001:db8:::7; do refused --host "$host"; done
  for site in www.example.com 192.0.2.7 www.test:0 www.test:https; do refused --borrow "$site"; done
  for ports in 0 65536 022 22,, 22,443 22,8443 22,8000; do refused --ssh-ports "$ports"; done
  for port in 0 65536 443 2053 8443 8081 22; do refused --outline "$port"; done
  taken --outline 8388
  taken --outline off
}

@test "what only the renderer knows to be wrong is refused by it, and not kept" {
  deploy "${ANSWERS[@]}"
  before=$(everything)

  run deploy --node-a 192.0.2.7/24 --without-proof
  [ "$status" -eq 1 ]
  [[ $output == *"Nothing was changed"*NODE_A_ADDRESSES* ]]
  [ "$(everything)" = "$before" ]

  run deploy --node-a 192.0.2.7/24 --torrents allow --without-proof
  [ "$status" -eq 1 ]
  [[ $output == *"Nothing was changed"*NODE_A_ADDRESSES* ]]
  [ "$(everything)" = "$before" ]
}

@test "values that somebody has put into quotes by hand mean the same" {
  deploy "${ANSWERS[@]}"
  sed --in-place "s/^NODE_NAME_RU=.*/NODE_NAME_RU='Германия 1'/; s/^NODE_HOST=.*/NODE_HOST=\"127.0.0.1\"/" "$STATE/node.env"

  run deploy --show-secrets

  [ "$status" -eq 0 ]
  [[ $output == *"NODES__DE1__NAME_RU='Германия 1'"* ]]
}

@test "whoever is not root is told so before anything is asked" {
  # In a user namespace where root is nobody.
  run unshare --user "$CHECKOUT/deploy_node_b.sh" --state "$STATE"

  [ "$status" -eq 1 ]
  [[ $output == *"needs root"* ]]
  [[ $output != *"is missing"* && $output != *"Permission denied"* ]]
}

@test "programs of sbin are found by a root who has not got it in PATH" {
  PATH=$MACHINE/programs:/usr/local/bin:/usr/bin:/bin run deploy "${ANSWERS[@]}" --dry-run

  [ "$status" -eq 0 ]
}

@test "where no sshd is found, its port is asked for" {
  plays sshd <<<'exit 1'
  run deploy "${ANSWERS[@]}" --dry-run
  [ "$status" -eq 1 ]
  [[ $output == *"Nothing was changed"*"--ssh-ports"* ]]

  run deploy "${ANSWERS[@]}" --ssh-ports 2222 --dry-run
  [ "$status" -eq 0 ]
}

@test "a run that ended in the middle is continued, with the keys that it had made" {
  plays nft <<<'exit 1'
  run deploy "${ANSWERS[@]}"
  [ "$status" -ne 0 ]
  [[ $output != *NODES__* ]]
  keys=$(<"$STATE/keys.env")
  rm "$MACHINE/programs/nft"
  rm -r "$STATE/rendered"

  run deploy --without-proof

  [ "$status" -eq 0 ]
  [ "$(<"$STATE/keys.env")" = "$keys" ]
  [[ $output == *NODES__DE1__AGENT_TOKEN=* ]]
}

@test "services that do not become healthy are no success" {
  sed --in-place 's/\*" up "\*) .*/*" up "*) exit 1 ;;/' "$MACHINE/programs/docker"

  run deploy "${ANSWERS[@]}"

  [ "$status" -eq 1 ]
  [[ $output == *"not every service became healthy"*"logs --tail 50"* ]]
  [[ $output != *NODES__* ]]
}

@test "two runs at once: the second is sent away" {
  deploy "${ANSWERS[@]}"
  exec 8<"$STATE"
  flock 8

  run deploy

  exec 8<&-
  [ "$status" -eq 1 ]
  [[ $output == *"another deploy is at work"* ]]
}

@test "two first runs at once: one goes on, the other is sent away and changes nothing" {
  # The other looks at the machine before the first makes its state, and goes on after that.
  plays getent <<<'[[ ! ${WAITS:-} ]] || until [[ -e $MACHINE/building ]]; do sleep 0.05; done'
  sed --in-place 's|    cat >/dev/null$|&; touch "$MACHINE/building"; until [[ -e $MACHINE/sent-away ]]; do sleep 0.05; done|' \
    "$MACHINE/programs/docker"
  WAITS=1 deploy "${ANSWERS[@]}" --code FI1 >"$MACHINE/other" 2>&1 3>&- &
  other=$!
  deploy "${ANSWERS[@]}" >"$MACHINE/first" 2>&1 3>&- &
  first=$!

  status=0
  wait "$other" || status=$?
  touch "$MACHINE/sent-away"
  wait "$first"

  [ "$status" -eq 1 ]
  grep --quiet "another deploy is at work" "$MACHINE/other"
  grep --quiet "^NODES__DE1__" "$MACHINE/first"
  grep --quiet "^NODE_CODE=DE1$" "$STATE/node.env"
}

@test "the firewall's rules are kept from a second terminal" {
  deploy "${ANSWERS[@]/--without-proof/--swap}" >"$MACHINE/first" 2>&1 3>&- &
  first=$!
  until [ -e "$FIREWALL_RUN/seen" ]; do sleep 0.05; done

  run deploy --confirm

  [ "$status" -eq 0 ]
  [[ $output == *kept* ]]
  wait "$first"
  grep --quiet "^NODES__DE1__" "$MACHINE/first"
  nft list table inet qentvpn_node_b | grep --quiet 192.0.2.7

  run deploy --confirm
  [ "$status" -eq 1 ]
  [[ $output == *"no rules wait"* ]]
}

@test "the kernel hands connections over and has room for many, now and after a reboot" {
  deploy "${ANSWERS[@]}"

  [ "$(cat "$SYSCTLS"/net/*/* | paste --serial)" = "$(printf '1\t262144\t7200')" ]
  [ "$(<"$SYSCTL_FILE")" = "net.ipv4.tcp_migrate_req = 1
net.netfilter.nf_conntrack_max = 262144
net.netfilter.nf_conntrack_tcp_timeout_established = 7200" ]
  [ "$(<"$MODULES_FILE")" = nf_conntrack ]
}

@test "a kernel that already has more room is left alone" {
  echo 1048576 >"$SYSCTLS/net/netfilter/nf_conntrack_max"
  echo 600 >"$SYSCTLS/net/netfilter/nf_conntrack_tcp_timeout_established"

  deploy "${ANSWERS[@]}"

  [ "$(cat "$SYSCTLS"/net/netfilter/* | paste --serial)" = "$(printf '1048576\t600')" ]
  [ "$(<"$SYSCTL_FILE")" = "net.ipv4.tcp_migrate_req = 1" ]
}

@test "a kernel that cannot be told is no reason to stop" {
  # As in a container: one that not even root can write.
  ln --symbolic --force /proc/sys/kernel/ngroups_max "$SYSCTLS/net/netfilter/nf_conntrack_max"

  run deploy "${ANSWERS[@]}"
  [ "$status" -eq 0 ]
  [[ $output == *"nf_conntrack_max = 262144 cannot be set here"* ]]

  run deploy
  [ "$status" -eq 0 ]
  [[ $output == *"Nothing had to be changed"* ]]
}

@test "a kernel that is old and has no such module is none, either" {
  rm -r "$SYSCTLS/net"
  plays modprobe <<<'[[ $* != nf_conntrack ]]'

  run deploy "${ANSWERS[@]}"

  [ "$status" -eq 0 ]
  [[ $output == *"nf_conntrack cannot be loaded"* ]]
  [ ! -e "$SYSCTL_FILE" ]
  [ ! -e "$MODULES_FILE" ]
}

@test "connections are counted from the moment that the module is there" {
  mv "$SYSCTLS/net/netfilter" "$MACHINE/netfilter"
  plays modprobe <<<'mv "$MACHINE/netfilter" "$SYSCTLS/net/"'

  deploy "${ANSWERS[@]}"

  [ "$(<"$SYSCTLS/net/netfilter/nf_conntrack_max")" = 262144 ]
}

@test "Node A that has moved changes its address and the firewall, and no container" {
  deploy "${ANSWERS[@]}"
  others=$(grep --invert-match ^NODE_A_ADDRESSES= "$STATE/node.env")
  # Of an older checkout: what runs stays.
  sed --in-place 's/^NODE_B_BUILD=.*/NODE_B_BUILD=anolderone/' "$STATE/compose.env"
  files=$(files_but node.env rendered/firewall.nft firewall/kept.nft)
  touch "$MACHINE/docker/image-qentvpn-node-b:anolderone"
  : >"$MACHINE/docker/calls"

  run deploy --node-a 192.0.2.9 --without-proof

  [ "$status" -eq 0 ]
  nft list table inet qentvpn_node_b >"$MACHINE/rules"
  grep --quiet 192.0.2.9 "$MACHINE/rules"
  run ! grep --quiet 192.0.2.7 "$MACHINE/rules"
  [ "$(sed --quiet 's/^NODE_A_ADDRESSES=//p' "$STATE/node.env")" = 192.0.2.9 ]
  [ "$(grep --invert-match ^NODE_A_ADDRESSES= "$STATE/node.env")" = "$others" ]
  [ "$(files_but node.env rendered/firewall.nft firewall/kept.nft)" = "$files" ]
  run ! grep --quiet --word-regexp 'up\|build' "$MACHINE/docker/calls"
}

@test "a new token is kept beside the old one, and no secret is shown" {
  deploy "${ANSWERS[@]}"
  old=$(sed --quiet 's/^AGENT_TOKEN=//p' "$STATE/keys.env")

  run deploy --rotate token

  [ "$status" -eq 0 ]
  [ "$(sed --quiet 's/^AGENT_TOKEN=//p' "$STATE/keys.env")" != "$old" ]
  grep --quiet "AGENT_TOKEN=$old" "$STATE"/keys.env.*
  [[ $output == *"Customers notice nothing"* ]]
  shows_no_secret "$output"
}

@test "the operator's own lines in node.env stay" {
  deploy "${ANSWERS[@]}"
  echo "# mine" >>"$STATE/node.env"

  run deploy --outline 8388 --without-proof

  [ "$status" -eq 0 ]
  grep --quiet "^# mine$" "$STATE/node.env"
  grep --quiet "^OUTLINE_PORT=8388$" "$STATE/node.env"
}

@test "a dry run of Node A's move changes nothing" {
  deploy "${ANSWERS[@]}"
  before=$(everything)
  : >"$MACHINE/docker/calls"

  run deploy --node-a 192.0.2.9 --dry-run

  [ "$status" -eq 0 ]
  [[ $output == *"would write: $STATE/node.env"* ]]
  [ "$(everything)" = "$before" ]
  was_told_to_change_nothing
}

@test "Node A that has moved gets its block when it is asked for as well" {
  deploy "${ANSWERS[@]}"

  run deploy --node-a 192.0.2.9 --without-proof --show-secrets

  [ "$status" -eq 0 ]
  [[ $output == *NODES__DE1__AGENT_TOKEN=* ]]
  nft list table inet qentvpn_node_b | grep --quiet 192.0.2.9
}

@test "a Node A that is no address is refused before anything is changed" {
  deploy "${ANSWERS[@]}"
  before=$(everything)

  run deploy --node-a node-a.test --without-proof

  [ "$status" -eq 1 ]
  [[ $output == *"Nothing was changed"*"--node-a: addresses"* ]]
  [ "$(everything)" = "$before" ]
}

@test "Node A's address alone finishes a run that ended in the middle" {
  deploy "${ANSWERS[@]}"
  rm "$STATE/handed-over"

  run deploy --node-a 192.0.2.9 --without-proof

  [ "$status" -eq 0 ]
  [[ $output == *NODES__DE1__AGENT_TOKEN=* ]]
}

@test "options that would be misunderstood are refused" {
  run deploy "${ANSWERS[@]}" --torrents allowed
  [ "$status" -eq 1 ]
  [[ $output == *"--torrents is block or allow"* ]]

  run deploy "${ANSWERS[@]}" --rotate tokens
  [ "$status" -eq 1 ]
  [[ $output == *"there is no tokens"* ]]

  run deploy "${ANSWERS[@]}" --host
  [ "$status" -eq 1 ]
  [[ $output == *"--host needs a value"* ]]

  run deploy "${ANSWERS[@]}" --host --dry-run
  [ "$status" -eq 1 ]
  [[ $output == *"--host needs a value"* ]]
  [ ! -e "$STATE" ]
}

@test "a node keeps its code" {
  deploy "${ANSWERS[@]}"
  before=$(everything)

  run deploy --code FI1

  [ "$status" -eq 1 ]
  [[ $output == *"this node is DE1"* ]]
  [ "$(everything)" = "$before" ]
}

@test "a borrowed site is asked by its name at its own address" {
  run deploy "${ANSWERS[@]}" --borrow borrowed.test:8444

  [ "$status" -eq 0 ]
  [ "$(<"$MACHINE/asked")" = "s_client -connect borrowed.test:8444 -servername borrowed.test -tls1_3 -groups X25519" ]
}

@test "only a handshake that was finished counts, whatever OpenSSL's release" {
  # 3.0, then a newer one, which says the protocol before it is agreed on.
  for protocol in "" "Protocol: TLSv1.3"; do
    borrowed_site_speaks "New, (NONE), Cipher is (NONE)" ${protocol:+"$protocol"}
    run deploy "${ANSWERS[@]}" --dry-run
    [ "$status" -eq 1 ]
    [[ $output == *"TLS 1.3 and X25519"* ]]

    borrowed_site_speaks "New, TLSv1.3, Cipher is TLS_CHACHA20_POLY1305_SHA256" ${protocol:+"$protocol"}
    run deploy "${ANSWERS[@]}" --dry-run
    [ "$status" -eq 0 ]
  done
}

@test "the borrowed site's TLS, seen by the real openssl" {
  rm "$MACHINE/programs/openssl"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -keyout "$MACHINE/site.key" -out "$MACHINE/site.crt" 2>/dev/null
  looked_at() { # with these options of the site's
    openssl s_server -accept 9443 -www -key "$MACHINE/site.key" -cert "$MACHINE/site.crt" "$@" </dev/null >/dev/null 2>&1 3>&- &
    site=$!
    until [[ $(ss --no-header --listening --tcp --numeric "sport = :9443") ]]; do sleep 0.05; done
    run deploy "${ANSWERS[@]}" --borrow localhost:9443 --dry-run
    kill "$site"
    wait "$site" || true
  }

  looked_at -tls1_3
  [ "$status" -eq 0 ]

  looked_at -tls1_2
  [ "$status" -eq 1 ]
  [[ $output == *"localhost does not answer with TLS 1.3 and X25519"* ]]

  looked_at -tls1_3 -groups P-256
  [ "$status" -eq 1 ]
  [[ $output == *"localhost does not answer with TLS 1.3 and X25519"* ]]
}

@test "a name that does not resolve, and sshd's port that would be closed" {
  plays getent <<<'exit 2'
  plays sshd <<<'printf "port 22\nport 2222\n"'

  run deploy "${ANSWERS[@]}" --host nowhere.test --ssh-ports 22

  [ "$status" -eq 1 ]
  [[ $output == *"nowhere.test does not resolve"* ]]
  [[ $output == *"sshd is on port 2222"*"--ssh-ports 22,2222"* ]]
  [ ! -e "$STATE" ]
}

@test "sshd's ports are found, and stay open" {
  plays sshd <<<'printf "port 22\nport 2222\n"'

  run deploy "${ANSWERS[@]}"

  [ "$status" -eq 0 ]
  grep --quiet "^SSH_PORTS=22,2222$" "$STATE/node.env"
  nft list set inet qentvpn_node_b ssh_ports | grep --quiet "22, 2222"
}

# A checkout of the test's own, to be changed.
a_checkout() {
  cp --recursive "$CHECKOUT"/{deploy_node_b.sh,docker-compose.node-b.yml,node_b,shared} "$MACHINE/"
  CHECKOUT=$MACHINE
}

builds() { grep ^build "$MACHINE/docker/calls" | sed 's/.*--tag \([^:]*\):.*/\1/' | sort; }

@test "only what an image is made from makes it anew" {
  a_checkout
  deploy "${ANSWERS[@]}"
  [ "$(builds | paste --serial)" = "$(printf 'qentvpn-node-b\tqentvpn-node-b-panel')" ]

  : >"$MACHINE/docker/calls"
  for file in deploy_node_b.sh docker-compose.node-b.yml shared/deploy/checks.sh node_b/README.md node_b/firewall/apply.sh \
    node_b/proxy/nginx.conf.example; do echo "# Changed." >>"$CHECKOUT/$file"; done
  echo "# Changed." >>"$CHECKOUT/node_b/firewall/qentvpn-node-b-firewall.service"
  run deploy
  [ "$status" -eq 0 ]
  [[ $output == *"Nothing had to be changed"* ]]
  [ "$(builds)" = "" ]

  echo "# Changed." >>"$CHECKOUT/node_b/marzban/healthy.py"
  deploy
  [ "$(builds)" = qentvpn-node-b-panel ]

  : >"$MACHINE/docker/calls"
  echo "# Changed." >>"$CHECKOUT/node_b/agent/users.py"
  deploy
  [ "$(builds)" = qentvpn-node-b ]
}

@test "what a Dockerfile copies is in its context" {
  a_checkout
  sed --in-place 's|    cat >/dev/null$|    tar --extract --directory "$(mktemp --directory "$MACHINE/context.XXXX")"|' "$MACHINE/programs/docker"

  deploy "${ANSWERS[@]}"

  for context in "$MACHINE"/context.*; do
    dockerfile=$(find "$context" -name Dockerfile)
    sed --quiet 's/^COPY \([^-][^ ]*\) .*/\1/p' "$dockerfile" | while read -r copied; do [ -e "$context/$copied" ]; done
  done
  [ -z "$(find "$MACHINE"/context.* -name '*.sh' -o -name '*.service' -o -name '*.example' -o -name '*.md')" ]
}

@test "builds that nothing runs any more are removed, and nobody else's images" {
  deploy "${ANSWERS[@]}"
  touch "$MACHINE/docker/image-qentvpn-node-b:older" "$MACHINE/docker/image-qentvpn-node-b-panel:older"
  touch "$MACHINE/docker/image-somebody-elses:older"

  run deploy
  [ "$status" -eq 0 ]
  [ "$(find "$MACHINE/docker" -name '*:older')" = "$MACHINE/docker/image-somebody-elses:older" ]
  [ "$(find "$MACHINE/docker" -name 'image-qentvpn*' | wc -l)" -eq 2 ]

  run deploy
  [[ $output == *"Nothing had to be changed"* ]]
}

@test "what is asked of an image stands in no log of Docker's" {
  deploy "${ANSWERS[@]}"

  grep '^run ' "$MACHINE/docker/calls" >"$MACHINE/runs"
  run ! grep --invert-match --quiet -- '--log-driver none' "$MACHINE/runs"
}

@test "a mirror is kept for later runs" {
  IMAGE_REGISTRY=mirror.test deploy "${ANSWERS[@]}"
  grep --quiet -- "^build .*--build-arg IMAGE_REGISTRY=mirror.test " "$MACHINE/docker/calls"

  run deploy

  [ "$status" -eq 0 ]
  [[ $output == *"Nothing had to be changed"* ]]
  grep --quiet "^IMAGE_REGISTRY=mirror.test$" "$STATE/compose.env"
}

# What makes a swap file, with the options that the oldest of them knows (util-linux 2.37, Ubuntu 22.04).
swap_programs() {
  plays dd <<<'touch "$SWAP_FILE"; echo dd >>"$MACHINE/swap"'
  plays mkswap <<<'[[ $* == "$SWAP_FILE" ]] && echo mkswap >>"$MACHINE/swap" && echo "Setting up swapspace version 1"'
  plays swapon <<<'echo swapon >>"$MACHINE/swap"; echo "$SWAP_FILE file 2097148 0 -2" >>"$SWAPS"'
  printf 'MemTotal: 500000 kB\nSwapTotal: 0 kB\n' >"$MEMINFO"
}

@test "swap is made where memory is short, once" {
  swap_programs

  run deploy "${ANSWERS[@]}" --swap
  [ "$status" -eq 0 ]
  [[ $output != *swapspace* ]]
  [ "$(paste --serial "$MACHINE/swap")" = "$(printf 'dd\tmkswap\tswapon')" ]
  [ "$(<"$FSTAB")" = "$SWAP_FILE none swap sw 0 0" ]
  [ "$(stat --format=%a "$SWAP_FILE")" = 600 ]

  printf 'MemTotal: 500000 kB\nSwapTotal: 2097148 kB\n' >"$MEMINFO"
  run deploy --swap
  [ "$status" -eq 0 ]
  [[ $output == *"Nothing had to be changed"* ]]
}

@test "a swap file that does not fit leaves nothing behind" {
  swap_programs
  plays dd <<<'touch "$SWAP_FILE"; echo "No space left on device" >&2; exit 1'

  run deploy "${ANSWERS[@]}" --swap

  [ "$status" -eq 1 ]
  [[ $output == *"No space left"*"could not be made"* ]]
  [ ! -e "$SWAP_FILE" ]
  [ ! -s "$FSTAB" ]
}

@test "the disk must have room for the swap file, too" {
  swap_programs
  plays df <<<'printf "Avail\n3000\n"'

  run deploy "${ANSWERS[@]}" --swap
  [ "$status" -eq 1 ]
  [[ $output == *"3000 MB free, and 4048 are needed"* ]]
  [ ! -e "$MACHINE/swap" ]

  printf 'MemTotal: 4000000 kB\nSwapTotal: 0 kB\n' >"$MEMINFO"
  run deploy "${ANSWERS[@]}"
  [ "$status" -eq 0 ]
}

@test "a run that ended before the swap file was in fstab is made good" {
  echo "$SWAP_FILE file 2097148 0 -2" >"$SWAPS"

  deploy "${ANSWERS[@]}"
  deploy

  [ "$(<"$FSTAB")" = "$SWAP_FILE none swap sw 0 0" ]
}

@test "a copy of what is to be kept makes a new server the same node" {
  first=$(deploy "${ANSWERS[@]}" | grep ^NODES__)
  mv "$STATE" "$MACHINE/lost"
  install --directory --mode=700 "$STATE"
  cp --recursive "$MACHINE/lost"/{node.env,keys.env,certificate} "$STATE/"
  rm "$MACHINE"/docker/*
  nft delete table inet qentvpn_node_b

  run deploy --without-proof

  [ "$status" -eq 0 ]
  [ "$(grep ^NODES__ <<<"$output")" = "$first" ]
}

@test "what is kept is for root alone" {
  deploy "${ANSWERS[@]}"

  [ "$(stat --format=%a "$STATE")" = 700 ]
  [ -z "$(find "$STATE" -type f ! -perm 600 ! -name node.crt)" ]
}
