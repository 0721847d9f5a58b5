#!/bin/sh
# need-package.sh NAME: installs one Debian package where that takes no question, as root or by a
# password-less sudo; otherwise prints the one command that does it, and fails.
set -eu
name=$1
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root="no"
fi
if [ "$as_root" = "no" ] || ! command -v apt-get >/dev/null; then
    echo "The package $name is missing. Install it, then run make again:" >&2
    echo "    sudo apt-get install --yes --no-install-recommends $name" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Without package lists, or with stale ones, the first attempt fails and one update helps.
$as_root apt-get install --yes --no-install-recommends "$name" >/dev/null 2>&1 || {
    $as_root apt-get update --quiet >/dev/null
    $as_root apt-get install --yes --no-install-recommends "$name" >/dev/null
}
