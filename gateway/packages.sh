# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Which Debian packages Kanal is built from, and how missing ones are installed. Sourced by
# gateway/run and tests/run. Installs nothing that is there, and starts no service.

# Tools, then libraries: "package pkg-config-module-or-library".
packages_tools="build-essential cmake ninja-build pkg-config ca-certificates libsasl2-modules"
packages_libraries="
  libcurl4-gnutls-dev libcurl
  libesmtp-dev -lesmtp
  libetpan-dev libetpan
  libgmime-3.0-dev gmime-3.0
  libxml2-dev libxml-2.0
  libjansson-dev jansson
  libsqlite3-dev sqlite3
  libmicrohttpd-dev libmicrohttpd
  libsodium-dev libsodium
  libunistring-dev -lunistring
  libuchardet-dev uchardet
  libvips-dev vips
  libinih-dev inih
  libseccomp-dev libseccomp
  libgnutls28-dev gnutls
  libsystemd-dev libsystemd
  libssl-dev openssl
  libglib2.0-dev gmodule-2.0"

packages_of_libraries() {
    echo "$packages_libraries" | while read -r package _; do
        if [ -n "$package" ]; then echo "$package"; fi
    done
}

packages_say() {
    echo "kanal: $*" >&2
}

packages_is_debian_12() {
    [ -r /etc/os-release ] || return 1
    # shellcheck disable=SC1091
    (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

# Those of the packages named that are not installed.
packages_missing() {
    local package
    for package in "$@"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            echo "$package"
        fi
    done
}

packages_as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Runs apt so that no package starts a service: tests start their own servers, on their own ports.
packages_apt() {
    # shellcheck disable=SC2016
    packages_as_root env DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 LC_ALL=C.UTF-8 \
        bash -c '
            policy=/usr/sbin/policy-rc.d
            if [ ! -e "$policy" ]; then
                trap "rm -f $policy" EXIT
                printf "#!/bin/sh\nexit 101\n" >"$policy"
                chmod 755 "$policy"
            fi
            apt-get update -q && apt-get install -yq --no-install-recommends "$@"
        ' bash "$@" </dev/null >&2
}

# Installs what is missing of the packages named.
packages_install() {
    local missing
    missing=$(packages_missing "$@")
    if [ -z "$missing" ]; then
        return 0
    fi
    # shellcheck disable=SC2086
    packages_say "installing by apt: "$missing
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        # shellcheck disable=SC2086
        packages_say "that needs root; run as root: apt-get install --no-install-recommends "$missing
        return 1
    fi
    # shellcheck disable=SC2086
    packages_apt $missing
}

# On a system we know no packages for: says what is missing by its own name.
packages_look() {
    local missing="" tool package probe
    for tool in cc cmake ninja pkg-config; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    while read -r package probe; do
        case $probe in
        "") continue ;;
        -l*) echo 'int main(void){return 0;}' | cc -x c - "$probe" -o /dev/null 2>/dev/null && continue ;;
        *) pkg-config --exists "$probe" 2>/dev/null && continue ;;
        esac
        missing="$missing ${probe#-l}(Debian: $package)"
    done <<<"$packages_libraries"
    if [ -n "$missing" ]; then
        packages_say "this is not Debian 12, so nothing is installed; missing here:$missing"
        return 1
    fi
}

# All that building the product needs.
packages_for_building() {
    if packages_is_debian_12; then
        # shellcheck disable=SC2046,SC2086
        packages_install $packages_tools $(packages_of_libraries)
    else
        packages_look
    fi
}
