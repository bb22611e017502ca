# Shared by deploy/quickstart and tests/run: messages, packages, the build. Source it with bash.

# Progress goes to stderr, one line each; `detail` lines are redrawn on a terminal.
step() { printf '\n== %s\n' "$*" >&2; }
say() { printf '   %s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages FILE... : what the lists name and this machine lacks, from Debian.
install_packages() {
    local missing
    mapfile -t missing < <(cat "$@" | while read -r package; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            echo "$package"
    done)
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "needs root or sudo to install: ${missing[*]}"
    say "installing ${#missing[@]} Debian packages (about 3 minutes on a bare system) …"
    local log
    log=$(mktemp)
    # Services of freshly installed packages must not start: a policy file says so, and goes again.
    local policy=/usr/sbin/policy-rc.d
    local made_policy=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod +x $policy
        made_policy=1
    fi
    local failed=
    { as_root apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
            --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || failed=1
    [ -z "$made_policy" ] || as_root rm -f $policy
    if [ -n "$failed" ]; then
        tail -n 8 "$log" >&2
        rm -f "$log"
        die "apt-get could not install the packages above; is a Debian 12 mirror reachable?"
    fi
    rm -f "$log"
    say "packages installed"
}

# build PRESET [TARGET...] : configures and builds in build/PRESET, with a percentage.
build() {
    local preset=$1
    shift
    local folder=build/$preset log
    # A clone elsewhere finds what another one compiled.
    export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
    log=$(mktemp)
    say "building in $folder (about 10 minutes the first time on 2 cores) …"
    local started=$SECONDS
    if ! cmake --preset "$preset" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "cmake could not configure; the lines above say why"
    fi
    local jobs
    jobs=$(nproc)
    if ! NINJA_STATUS='[%f/%t] ' cmake --build "$folder" -j "$jobs" ${1:+--target "$@"} 2>&1 |
        tee "$log" | show_build_progress; then
        grep -vE '^\[[0-9]+/[0-9]+\] ' "$log" | head -n 60 >&2
        die "the build failed; the lines above say why"
    fi
    rm -f "$log"
    say "built in $((SECONDS - started)) s"
}

show_build_progress() {
    local shown=-1 done_count total percent line
    while IFS= read -r line; do
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        done_count=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
        percent=$((done_count * 100 / total))
        if [ -t 2 ]; then
            printf '\r   %3d %%  (%d of %d)  ' "$percent" "$done_count" "$total" >&2
        elif [ $((percent / 10)) != "$shown" ]; then
            say "$percent % ($done_count of $total)"
        fi
        shown=$((percent / 10))
    done
    [ ! -t 2 ] || printf '\r                              \r' >&2
}

# wait_for SECONDS WHAT COMMAND... : until the command succeeds; dies naming WHAT.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || die "$what did not come up in time"
        sleep 0.2
    done
}
