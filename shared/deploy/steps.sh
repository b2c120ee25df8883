# shellcheck shell=bash
# What both deploy scripts are made of: saying and running steps, finding problems, the operator's and our own files.
# shellcheck disable=SC2034 # CHANGED is for whoever sources this
# Sourced. With DRY_RUN nothing is done, only said; CHANGED is set once something was.

# --- saying ---

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }

# Ends the script: what is wrong, then a remedy for each line.
fail() {
  printf 'deploy: %s\n' "$@" >&2
  exit 1
}

# --- doing ---

# Runs a command that changes the machine; in a dry run only says it. Secrets do not belong on a command line.
run() {
  if [[ ${DRY_RUN:-} ]]; then printf '    would run: %s\n' "$*"; else "$@"; fi
}

has() { command -v "$1" >/dev/null 2>&1; }

# Whether somebody is there to be asked.
can_ask() { [[ -t 0 && -t 2 ]]; }

# Prints the answer, or the default.
ask() {
  local question=$1 default=${2:-} answer
  read -r -p "$question${default:+ [$default]}: " answer || true
  printf '%s\n' "${answer:-$default}"
}

# --- problems: collected, so that all of them are told at once ---

PROBLEMS=()

problem() { PROBLEMS+=("$1"); }

refuse_if_problems() {
  ((${#PROBLEMS[@]})) || return 0
  printf 'Nothing was changed. To be put right first:\n' >&2
  printf '  - %s\n' "${PROBLEMS[@]}" >&2
  exit 1
}

# --- files of NAME=value lines ---

# The value of NAME in FILE, without quotes around it; nothing if there is none.
value_in() {
  local file=$1 name=$2
  [[ -r $file ]] || return 0
  sed --quiet "s/^$name=//p" "$file" | tail --lines=1 | sed --regexp-extended "s/^(['\"])(.*)\\1\$/\\2/"
}

# What comes in, with NAME=value in the place of its line, or at the end. Every other line stays as it is.
with_value() {
  local name=$1 value=$2 line said=
  while IFS= read -r line; do
    if [[ $line == "$name="* ]]; then line=$name=$value said=1; fi
    printf '%s\n' "$line"
  done
  [[ $said ]] || printf '%s=%s\n' "$name" "$value"
}

# What comes in becomes FILE, mode 600, in one step; an identical file is left alone. In a dry run only said.
write_file() {
  local file=$1 content
  content=$(cat)
  if [[ -e $file && $(<"$file") == "$content" ]]; then return; fi
  if [[ ${DRY_RUN:-} ]]; then printf '    would write: %s\n' "$file" && return; fi
  (umask 077 && printf '%s\n' "$content" >"$file.new")
  mv "$file.new" "$file"
  CHANGED=1
}

# A checksum of what the files hold; those that are not there hold nothing.
fingerprint() { { cat "$@" 2>/dev/null || true; } | sha256sum | cut --characters=1-16; }

# --- one at a time ---

# Holds a lock on DIRECTORY until the script ends. What lives on afterwards must be started with 9<&-.
lock() {
  local directory=$1
  exec 9<"$directory"
  flock --nonblock 9 || fail "another deploy is at work on $directory: wait until it has ended"
}
