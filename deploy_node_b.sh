#!/usr/bin/env bash
# Sets up Node B on this machine, or brings it up to date; safe to repeat. `--help` says how.
set -euo pipefail
CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=shared/deploy/steps.sh
source "$CHECKOUT/shared/deploy/steps.sh"
# shellcheck source=shared/deploy/checks.sh
source "$CHECKOUT/shared/deploy/checks.sh"
PATH=$PATH:/usr/sbin:/sbin # which `su` leaves out on Debian

main() {
  parse_arguments "$@"
  check_root
  refuse_if_problems
  lock_state
  if [[ $ONLY_FIREWALL ]]; then
    change_node_a
    return
  fi
  read_answers

  # Pre-flight: nothing has changed yet, and all problems are told at once.
  check_docker
  check_programs openssl nft ss flock
  check_memory 1400 # panel 230, two Xrays, agent, proxy, Docker; and room for connections
  check_disk "$STATE" 2000
  check_clock
  check_ssh_ports
  check_collisions
  # shellcheck disable=SC2046 # several words
  check_ports "$PROJECT" 443/tcp 443/udp 2053/tcp 8443/tcp 8000/tcp 8081/tcp $(outline_ports)
  check_name "$(answer NODE_HOST)"
  check_borrowed_site
  name_builds
  check_answers
  refuse_if_problems

  # From here on the machine changes.
  ensure_swap
  ensure_state
  ensure_kernel
  build_images
  ensure_keys
  rotate_keys
  render_configs
  start_services
  remove_older_builds
  ensure_panel
  ensure_firewall
  report
}

usage() {
  cat <<'USAGE'
Usage: ./deploy_node_b.sh [OPTION…]

Sets up Node B on this machine (Debian or Ubuntu with Docker), or brings it up to date. The second run changes nothing.
What is missing at the first run is asked for, or refused by name where nobody can be asked.

At the first run, and later to change one thing:
  --code CODE             the node's code in Node A's settings, such as DE1; never changes afterwards
  --host NAME             this machine's public name or address, as it stands in customers' keys
  --name-ru NAME          what Russian customers see, such as "🇩🇪 Германия 1"
  --name-en NAME          what English customers see, such as "🇩🇪 Germany 1"
  --borrow SITE[:PORT]    the site that VLESS with Reality borrows its face from: TLS 1.3, foreign, well known, not yours
  --node-a ADDRESS[,…]    Node A's addresses, IPv4 and IPv6: nobody else reaches port 8443. Given alone later, it changes
                          the firewall and nothing else
  --ssh-ports PORT[,…]    the ports of sshd; found by itself
  --outline PORT|off      classic Shadowsocks for Outline's client, on a port of its own (default: off)
  --torrents block|allow  (default: block; --no-torrent-block is allow)

Anything else:
  --rotate NAME           a new reality or short-id (every VLESS key of this node is dead), shadowsocks (every Shadowsocks
                          key is), token, password or certificate (no customer notices); node_b/README.md says more
  --show-secrets          print the block for Node A's .env again
  --confirm               keep the firewall rules that wait for their proof; for a second terminal
  --without-proof         keep new firewall rules at once: without it they go back after 60 s, unless a new SSH connection
                          comes in meanwhile, somebody types "keep", or --confirm is run
  --swap                  make a swap file of 2 GB if memory is short, without asking
  --state DIRECTORY       where everything that must be kept is (default: /var/lib/qentvpn-node-b)
  --dry-run               check and say what would be done; changes nothing, prints no secret
  --help                  this text

From the environment, and kept for later runs: IMAGE_REGISTRY and IMAGE_REGISTRY_GHCR, mirrors of Docker Hub and of ghcr.io
(default: docker.io, ghcr.io).
USAGE
}

# --- what is asked for ---

declare -A GIVEN=() # what the options say, by the names in node.env
DRY_RUN='' SHOW_SECRETS='' ROTATE='' MAKE_SWAP='' ONLY_FIREWALL='' WITHOUT_PROOF='' CHANGED=''
STATE=/var/lib/qentvpn-node-b
PROJECT=qentvpn-node-b
SYSCTL_FILE=${SYSCTL_FILE:-/etc/sysctl.d/60-qentvpn-node-b.conf}
MODULES_FILE=${MODULES_FILE:-/etc/modules-load.d/qentvpn-node-b.conf}
SYSCTLS=${SYSCTLS:-/proc/sys}
COMPOSE_FILE=$CHECKOUT/docker-compose.node-b.yml
FIREWALL=$CHECKOUT/node_b/firewall/apply.sh

parse_arguments() {
  local option value
  while (($#)); do
    option=$1 value=${2:-}
    case $option in
      --help | -h) usage && exit 0 ;;
      --dry-run) DRY_RUN=1 && shift && continue ;;
      --show-secrets) SHOW_SECRETS=1 && shift && continue ;;
      --swap) MAKE_SWAP=1 && shift && continue ;;
      --confirm) exec "$FIREWALL" --confirm ;;
      --without-proof) WITHOUT_PROOF=1 && shift && continue ;;
      --no-torrent-block) GIVEN[BLOCK_TORRENTS]=false && shift && continue ;;
      --*) [[ $value && $value != --* ]] || fail "$option needs a value, or is unknown: ./deploy_node_b.sh --help" ;;
    esac
    case $option in
      --state) STATE=$(realpath --canonicalize-missing "$value") ;;
      --rotate) ROTATE=$value ;;
      *) given "$option" "$value" || fail "$option is unknown: ./deploy_node_b.sh --help" ;;
    esac
    shift 2
  done
  NODE_ENV=$STATE/node.env
  if [[ -e $STATE/handed-over && ${#GIVEN[@]} == 1 && ${GIVEN[NODE_A_ADDRESSES]:-} && ! $ROTATE$SHOW_SECRETS ]]; then
    ONLY_FIREWALL=1
  fi
}

# What an option says, or the operator when asked for it.
given() {
  local option=$1 value=$2
  case $option in
    --code) GIVEN[NODE_CODE]=${value^^} ;;
    --host) GIVEN[NODE_HOST]=$value ;;
    --name-ru) GIVEN[NODE_NAME_RU]=$value ;;
    --name-en) GIVEN[NODE_NAME_EN]=$value ;;
    --borrow) borrow "$value" ;;
    --node-a) GIVEN[NODE_A_ADDRESSES]=$value ;;
    --ssh-ports) GIVEN[SSH_PORTS]=$value ;;
    --outline) GIVEN[OUTLINE_PORT]=${value#off} ;;
    --torrents) torrents "$value" ;;
    *) return 1 ;;
  esac
}

torrents() {
  case $1 in
    allow) GIVEN[BLOCK_TORRENTS]=false ;;
    block) GIVEN[BLOCK_TORRENTS]=true ;;
    *) fail "--torrents is block or allow, not $1" ;;
  esac
}

borrow() {
  GIVEN[REALITY_SERVER_NAME]=${1%:*}
  GIVEN[REALITY_TARGET]=''
  [[ $1 != *:* ]] || GIVEN[REALITY_TARGET]=$1
}

# What an option says, or else what node.env says.
answer() {
  if [[ ${GIVEN[$1]+given} ]]; then echo "${GIVEN[$1]}"; else value_in "$NODE_ENV" "$1"; fi
}

read_answers() {
  local was
  require NODE_CODE --code "The node's code in Node A's settings, such as DE1"
  require NODE_HOST --host "This machine's public name or address, for customers' keys"
  require NODE_NAME_RU --name-ru "What Russian customers see, such as 🇩🇪 Германия 1"
  require NODE_NAME_EN --name-en "What English customers see, such as 🇩🇪 Germany 1"
  require REALITY_SERVER_NAME --borrow "The site to borrow for Reality (TLS 1.3, foreign, well known, not yours)"
  require NODE_A_ADDRESSES --node-a "Node A's address (several with commas between)"

  was=$(value_in "$NODE_ENV" NODE_CODE)
  [[ ! $was || $(answer NODE_CODE) == "$was" ]] || problem "--code: this node is $was, in every customer's keys: it stays so"
  fits NODE_CODE '^[A-Z][A-Z0-9]{1,15}$' "--code: a letter, then letters or digits, such as DE1"
  fits NODE_HOST "^($NAME|$ADDRESS)\$" "--host: a name or an address, without https:// and port"
  fits NODE_NAME_RU "^[^\"'#\\\\]*\$" "--name-ru: without quotes, # and \\"
  fits NODE_NAME_EN "^[^\"'#\\\\]*\$" "--name-en: without quotes, # and \\"
  fits REALITY_SERVER_NAME "^$NAME\$" "--borrow: a name such as www.SITE, perhaps with :PORT"
  fits REALITY_TARGET "^.+:$PORT\$" "--borrow: what follows the colon is a port"
  check_node_a
  fits SSH_PORTS "^$PORT(,$PORT)*\$" "--ssh-ports: ports with commas between"
  fits OUTLINE_PORT "^$PORT\$" "--outline: a port, or off"
  [[ $ROTATE =~ ^(|reality|short-id|shadowsocks|token|password|certificate)$ ]] || problem "--rotate: there is no $ROTATE to make anew: --help"
}

# The renderer judges more strictly (check_answers), but at the first run there is none before much has been changed.
PORT='([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'
NAME='([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?'
BYTE='(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
IPV4="$BYTE(\\.$BYTE){3}"
GROUP='[0-9A-Fa-f]{1,4}'
IPV6="(($GROUP:){7}$GROUP|($GROUP(:$GROUP)*)?::($GROUP(:$GROUP)*)?)"
ADDRESS="($IPV4|$IPV6)"
# Wider networks keep nobody out.
NETWORK="($IPV4(/(1[6-9]|2[0-9]|3[0-2]))?|$IPV6(/(3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-8]))?)"

require() {
  local name=$1 option=$2 question=$3
  [[ ! $(answer "$name") ]] || return 0
  if can_ask; then given "$option" "$(ask "$question")"; fi
  [[ $(answer "$name") ]] || problem "$option is missing: $question"
}

check_node_a() {
  fits NODE_A_ADDRESSES "^$NETWORK(, *$NETWORK)*\$" "--node-a: addresses such as 192.0.2.7 or 2001:db8::7 with commas between, no names"
}

# What is missing is told already, or may be.
fits() {
  local value
  value=$(answer "$1")
  if [[ $value =~ (^|[^A-Za-z0-9])([Ee]xample|[Cc]hange[-_]?me)([^A-Za-z0-9]|$) ]]; then
    problem "${3%%:*}: $value is a placeholder"
  else
    [[ ! $value || $value =~ $2 ]] || problem "$3"
  fi
}

check_collisions() {
  local ours=,443,2053,8443,8000,8081, ssh outline port
  ssh=$(answer SSH_PORTS) outline=$(answer OUTLINE_PORT)
  for port in ${ssh//,/ }; do
    [[ $ours != *",$port,"* ]] || problem "--ssh-ports: $port is taken by this node: let sshd use another"
  done
  [[ ! $outline || $ours,$ssh, != *",$outline,"* ]] || problem "--outline: $outline is taken by this node or sshd: choose another"
}

# --- checks ---

lock_state() { [[ ! -d $STATE || $DRY_RUN ]] || lock "$STATE"; }

check_ssh_ports() {
  local found said port
  found=$("$FIREWALL" --ssh-ports) || true
  said=$(answer SSH_PORTS)
  [[ $found || $said ]] || problem "no sshd is found, and what is not open is closed: --ssh-ports 22, or where you come in"
  [[ $said ]] || GIVEN[SSH_PORTS]=$found said=$found
  for port in ${found//,/ }; do
    [[ ,$said, == *,$port,* ]] || problem "sshd is on port $port, which the firewall would close: --ssh-ports $said,$port"
  done
}

outline_ports() {
  local port
  port=$(answer OUTLINE_PORT)
  [[ ! $port ]] || echo "$port/tcp" "$port/udp"
}

check_borrowed_site() {
  local name target
  name=$(answer REALITY_SERVER_NAME) target=$(answer REALITY_TARGET)
  [[ $name ]] && has openssl || return 0 # told already
  speaks_tls13 "${target:-$name:443}" "$name" ||
    problem "$name does not answer with TLS 1.3 and X25519, which Reality needs: borrow another site with --borrow"
}

# By the line about a finished handshake: newer releases say `Protocol: TLSv1.3` of one that failed, too.
speaks_tls13() {
  local said
  said=$(timeout 20 openssl s_client -connect "$1" -servername "$2" -tls1_3 -groups X25519 </dev/null 2>/dev/null) || true
  grep --quiet '^New, TLSv1\.3, Cipher is TLS_' <<<"$said"
}

# What is to be kept, in the renderer's judgement, where its image is there already. Nothing is told twice.
check_answers() {
  local said line
  [[ ! $DRY_RUN && ${#PROBLEMS[@]} == 0 ]] && has_image "qentvpn-node-b:$BUILD" || return 0
  said=$(candidate | docker run --rm --interactive --log-driver none --network none --read-only --cap-drop ALL \
    --security-opt no-new-privileges "qentvpn-node-b:$BUILD" python -m node_b.decisions 2>&1) ||
    while IFS= read -r line; do problem "$line"; done <<<"$said"
}

# --- what changes the machine ---

ensure_state() {
  local directory
  step "What must be kept: $STATE"
  for directory in "$STATE" "$STATE"/{agent,certificate,marzban,rendered}; do
    [[ -d $directory ]] || run install --directory --mode=700 "$directory"
  done
  lock_state # the first run could not do it before
  write_answers
}

write_answers() { write_file "$NODE_ENV" < <(candidate); }

# node.env with the first run's answers; later only with what an option says. The operator's own lines stay as they are.
candidate() {
  local name content
  content=$(cat "$NODE_ENV" 2>/dev/null) ||
    content='# What the operator decided. Options of deploy_node_b.sh change it; whoever edits it runs that again.'
  for name in NODE_CODE NODE_NAME_RU NODE_NAME_EN NODE_HOST NODE_A_ADDRESSES REALITY_SERVER_NAME REALITY_TARGET SSH_PORTS \
    OUTLINE_PORT BLOCK_TORRENTS; do
    [[ ! ${GIVEN[$name]+given} ]] || content=$(with_value "$name" "${GIVEN[$name]}" <<<"$content")
  done
  printf '%s\n' "$content"
}

# At the agent's hand-over the kernel resets the connections that the old Xray had not accepted yet, unless it may give
# them to the fresh one; from Linux 5.14 on it can.
#
# The firewall knows connections by the kernel's table of them, in which a machine of 1 GB has room for some 7,800, and the
# silent ones stay for five days: once it is full, nobody comes in, by SSH neither. With room for 262,144, as machines of
# 8 GB have it, it takes some 80 MB, and only while there are so many.
KERNEL_SETTINGS=(
  "net.ipv4.tcp_migrate_req >= 1"
  "net.netfilter.nf_conntrack_max >= 262144"
  "net.netfilter.nf_conntrack_tcp_timeout_established <= 7200"
)

ensure_kernel() {
  local setting name relation value there file=''
  step "Kernel: connections survive the agent's nightly hand-over, and there is room for many"
  if [[ -e $SYSCTLS/net/netfilter/nf_conntrack_max ]] || run modprobe nf_conntrack; then
    # systemd-sysctl sets what is there when it runs: the module is loaded before it.
    write_file "$MODULES_FILE" <<<nf_conntrack
  else
    note "nf_conntrack cannot be loaded: how many connections there may be is for whoever runs this machine's kernel to say"
  fi
  for setting in "${KERNEL_SETTINGS[@]}"; do
    read -r name relation value <<<"$setting"
    there=$(cat "$SYSCTLS/${name//./\/}" 2>/dev/null) || continue # an older kernel
    # Whoever has set something better has a reason.
    if (("$there $relation $value && $there != $value")); then continue; fi
    file+="$name = $value"$'\n'
    ((there == value)) || set_kernel "$name" "$value"
  done
  [[ ! $file ]] || write_file "$SYSCTL_FILE" <<<"${file%$'\n'}"
}

# nf_conntrack_max is the whole machine's: in a container it cannot be set.
set_kernel() {
  local name=$1 value=$2
  if run put "$value" "$SYSCTLS/${name//./\/}" 2>/dev/null; then
    CHANGED=1
  else
    note "$name = $value cannot be set here: that is for whoever runs this machine's kernel"
  fi
}

put() { printf '%s\n' "$1" >"$2"; }

# Images are named after the checksum of what they are made from: built when that has changed, and only then. Each has a
# checksum of its own, because a service that is made anew cuts every tunnel.
name_builds() { BUILD=$(checksum agent_context) PANEL_BUILD=$(checksum panel_context); }

checksum() { "$@" | sha256sum | cut --characters=1-12; }

build_images() {
  ensure_image "qentvpn-node-b:$BUILD" node_b/Dockerfile agent_context
  ensure_image "qentvpn-node-b-panel:$PANEL_BUILD" node_b/marzban/Dockerfile panel_context
}

# What runs inside, and the templates: not what this machine itself runs.
agent_context() {
  packed --exclude='*.md' --exclude='*.sh' --exclude='*.service' --exclude='*.example' \
    --exclude=node_b/marzban/Dockerfile --exclude=node_b/marzban/healthy.py shared node_b
}

panel_context() { packed node_b/marzban/Dockerfile node_b/marzban/healthy.py; }

packed() {
  tar --create --directory "$CHECKOUT" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    --exclude=__pycache__ "$@"
}

ensure_image() {
  local image=$1 dockerfile=$2 context=$3
  if has_image "$image"; then return; fi
  step "Building $image"
  run docker build --quiet --tag "$image" --file "$dockerfile" \
    --build-arg "IMAGE_REGISTRY=$(kept IMAGE_REGISTRY docker.io)" \
    --build-arg "IMAGE_REGISTRY_GHCR=$(kept IMAGE_REGISTRY_GHCR ghcr.io)" - < <("$context") ||
    fail "$image could not be built: is the registry reachable? IMAGE_REGISTRY=… names a mirror"
  CHANGED=1
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# They have names, so that `docker system prune` leaves them.
remove_older_builds() {
  local name image
  for name in qentvpn-node-b qentvpn-node-b-panel; do
    for image in $(docker image ls --format '{{.Repository}}:{{.Tag}}' "$name"); do
      [[ $image == *"qentvpn-node-b:$BUILD" || $image == *"-panel:$PANEL_BUILD" ]] || run remove_image "$image"
    done
  done
}

# Docker keeps it if a container uses it.
remove_image() { docker image rm "$1" >/dev/null 2>&1 || true; }

# What the environment says, else what was said at an earlier run.
kept() {
  local before
  before=$(value_in "$STATE/compose.env" "$1")
  echo "${!1:-${before:-$2}}"
}

# A module of ours in our image, with the state and nothing else of this machine.
in_image() {
  local network=$1 mode=$2 module=$3
  shift 3
  # Docker's log would keep what is said here, secrets and all.
  run docker run --rm --log-driver none --network "$network" --read-only --cap-drop ALL \
    --security-opt no-new-privileges --volume "$STATE:$STATE:$mode" "qentvpn-node-b:$BUILD" python -m "$module" --state "$STATE" "$@"
}

render() { in_image none rw node_b.render "$@"; }

ensure_keys() {
  step "Keys and certificate: made once, never overwritten"
  watched render keys
}

rotate_keys() {
  [[ $ROTATE ]] || return 0
  step "A new $ROTATE"
  watched render rotate "$ROTATE"
}

render_configs() {
  step "Configurations"
  watched render configs
  write_compose_env
}

# Notices whether that changed the state's secrets or configurations.
watched() {
  local before
  before=$(rendered)
  "$@" || fail "see above; what was done so far stays, and the next run goes on from there"
  [[ $(rendered) == "$before" ]] || CHANGED=1
}

rendered() { fingerprint "$STATE"/keys.env "$STATE"/certificate/* "$STATE"/rendered/*; }

# A service whose checksum differs is made anew by `compose up`, also when an earlier run ended before it came to that.
write_compose_env() {
  write_file "$STATE/compose.env" <<COMPOSE
# Made by deploy_node_b.sh, for docker compose --env-file.
NODE_B_STATE=$STATE
NODE_B_BUILD=$BUILD
NODE_B_PANEL_BUILD=$PANEL_BUILD
NODE_B_PANEL_FILES=$(fingerprint "$STATE/rendered/vless_reality.json")
NODE_B_AGENT_FILES=$(fingerprint "$STATE/rendered/shadowsocks_2022.json")
NODE_B_PROXY_FILES=$(fingerprint "$STATE/rendered/Caddyfile" "$STATE"/certificate/node.{crt,key})
IMAGE_REGISTRY=$(kept IMAGE_REGISTRY docker.io)
IMAGE_REGISTRY_GHCR=$(kept IMAGE_REGISTRY_GHCR ghcr.io)
COMPOSE
}

start_services() {
  local before
  step "Panel, agent and proxy"
  before=$(containers)
  if ! run compose up --detach --remove-orphans --wait --wait-timeout 180; then
    compose ps --all >&2
    fail "not every service became healthy within three minutes. Why: $(compose_by_hand) logs --tail 50 SERVICE"
  fi
  [[ $(containers) == "$before" ]] || CHANGED=1
}

compose() {
  # These would go before what compose.env says.
  env --unset=NODE_B_STATE --unset=NODE_B_BUILD --unset=NODE_B_PANEL_BUILD --unset=COMPOSE_PROFILES \
    docker compose --project-name "$PROJECT" --env-file "$STATE/compose.env" --file "$COMPOSE_FILE" "$@"
}

compose_by_hand() { echo "docker compose --env-file $STATE/compose.env -f $COMPOSE_FILE"; }

containers() { docker ps --no-trunc --quiet --filter "label=com.docker.compose.project=$PROJECT" 2>/dev/null | sort; }

ensure_panel() {
  local said status=0
  step "The panel's administrator and addresses"
  if [[ $DRY_RUN ]]; then set_up_panel && return; fi
  said=$(set_up_panel) || status=$?
  if ((status == NO_ADMINISTRATOR)); then
    create_administrator && said=$(set_up_panel) && status=0
  fi
  ((status == 0)) || fail "the panel could not be set up. Why: $(compose_by_hand) logs --tail 50 panel"
  [[ $said == unchanged ]] || { note "$said" && CHANGED=1; }
}

NO_ADMINISTRATOR=3 # node_b/marzban/setup.py
set_up_panel() { in_image host ro node_b.marzban.setup; }

# With marzban-cli, which alone can make the first. The password goes by the environment: arguments are shown to everybody.
create_administrator() {
  note "an administrator for Node A"
  CHANGED=1
  MARZBAN_ADMIN_PASSWORD=$(value_in "$STATE/keys.env" PANEL_PASSWORD) \
    docker exec --env MARZBAN_ADMIN_PASSWORD "$(compose ps --quiet panel)" marzban-cli admin create --sudo \
    --username "$(value_in "$STATE/keys.env" PANEL_USERNAME)" --telegram-id 0 --discord-webhook 0 >/dev/null
}

# Goes back by itself unless the way in proves open: apply.sh tells the operator what to do, and waits for it.
ensure_firewall() {
  local before
  step "Firewall: port 8443 for $(answer NODE_A_ADDRESSES) and nobody else"
  before=$(firewall)
  run "$FIREWALL" ${WITHOUT_PROOF:+--without-proof} "$STATE/rendered/firewall.nft" 9<&- ||
    fail "the firewall is as it was. Everything else is done: run this again, or with --without-proof from a console"
  [[ $(firewall) == "$before" ]] || CHANGED=1
}

firewall() { fingerprint "$STATE/firewall/kept.nft" <(nft --stateless list table inet qentvpn_node_b 2>/dev/null); }

# --- Node A has moved ---

change_node_a() {
  # Those that run, whatever the checkout holds by now.
  BUILD=$(value_in "$STATE/compose.env" NODE_B_BUILD) PANEL_BUILD=$(value_in "$STATE/compose.env" NODE_B_PANEL_BUILD)
  check_docker
  check_programs nft
  check_node_a
  check_answers
  refuse_if_problems
  ensure_state
  render_configs
  ensure_firewall
}

# --- the end ---

report() {
  if [[ $DRY_RUN ]]; then
    step "A dry run: nothing was changed"
  elif [[ $SHOW_SECRETS || ! -e $STATE/handed-over ]]; then
    step "For Node A's .env. It holds secrets: paste it, keep it nowhere else. Only --show-secrets shows it again"
    echo
    render block
    echo
    write_file "$STATE/handed-over" <<<"Node A's block was printed."
  elif [[ $CHANGED ]]; then
    step "Done. Where keys have changed, so has Node A's block: --show-secrets prints it"
  else
    step "Nothing had to be changed"
  fi
}

main "$@"
