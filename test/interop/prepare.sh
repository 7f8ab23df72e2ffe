#!/usr/bin/env bash
# Makes the foreign LwM2M clients of the interop suite ready in test/interop/.peers (not in git):
#   leshan   our small client on Eclipse Leshan 2.0.0-M18, built by Maven          needs a JDK 17 or newer, mvn
#   wakaama  npm node-red-contrib-lwm2m 2.12.3, a Wakaama fork in C, compiled here needs python3, make, g++, the headers of Node.js
#   sloppy   npm lwm2m-node-lib 1.4.0 and coap-node 0.2.5                          needs npm
#   libcoap  its example client and server, Debian's libcoap3-bin                  needs apt-get and its rights, or them installed
#   gnutls   Debian's gnutls-bin                                                   needs the same
#   openssl  Debian's openssl                                                      needs the same
#   pion     our small DTLS client on pion 3.1.15, built by Go                     needs go
# Packages come through npm and mvn as they are configured on this machine. What is ready already stays. A peer that cannot be had is
# named and its tests are skipped; the exit code is 0 all the same, unless --strict is given.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=$here/.peers
strict=${1:-}
missing=0
mkdir -p "$peers"

skip() {
  echo "interop: no $1: $2"
  printf '%s\n' "$2" >"$peers/$1.missing"
  missing=$((missing + 1))
}

# ready NAME VERSION: whether this version is there; done_with NAME VERSION: it is now.
ready() {
  [ "$(cat "$peers/$1.ready" 2>/dev/null)" = "$2" ] && [ -d "$peers/$1" ]
}
done_with() {
  printf '%s\n' "$2" >"$peers/$1.ready"
  rm -f "$peers/$1.missing"
  echo "interop: $1 is ready (${SECONDS} s)"
}

# Runs a command quietly; shows the end of its output only when it fails.
quietly() {
  local output
  output=$("$@" 2>&1) && return 0
  printf '%s\n' "$output" | tail -n 15
  return 1
}

prepare_leshan() {
  local version
  version=$(cd "$here/leshan" && find pom.xml src -type f -print0 | sort -z | xargs -0 cat | cksum)
  ready leshan "$version" && return
  command -v java >/dev/null || { skip leshan 'there is no java'; return; }
  command -v mvn >/dev/null || { skip leshan 'there is no mvn'; return; }
  SECONDS=0
  rm -rf "$peers/leshan"
  if ! (cd "$here/leshan" && quietly mvn -q -B clean package); then
    skip leshan 'mvn could not build it'
    return
  fi
  mkdir -p "$peers/leshan"
  cp -r "$here/leshan/target/leshan-client.jar" "$here/leshan/target/lib" "$peers/leshan/"
  done_with leshan "$version"
}

# npm_folder NAME PACKAGE@VERSION ...: installs exactly these into a folder of its own, away from the package under test.
npm_folder() {
  local name=$1
  shift
  rm -rf "${peers:?}/$name"
  mkdir -p "$peers/$name"
  # npm asks before it runs the install script of a package that is not named here.
  printf '{ "name": "interop-%s", "private": true, "allowScripts": { "%s": true } }\n' "$name" "$1" >"$peers/$name/package.json"
  (cd "$peers/$name" && quietly npm install --no-audit --no-fund --save-exact "$@")
}

prepare_wakaama() {
  local package=node-red-contrib-lwm2m@2.12.3
  local version
  version="$package for Node.js $(node -p process.versions.modules)"
  ready wakaama "$version" && return
  local tool
  for tool in python3 make g++; do
    command -v "$tool" >/dev/null || { skip wakaama "there is no $tool to compile it with"; return; }
  done
  local prefix
  prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
  [ -e "$prefix/include/node/node_version.h" ] || { skip wakaama "there are no headers of Node.js in $prefix/include/node"; return; }
  SECONDS=0
  # Its build wants a command called `python`, and a version manager would look for the Python 2 that it names: this is neither.
  mkdir -p "$peers/bin"
  ln -sf "$(python3 -c 'import sys; print(sys.executable)')" "$peers/bin/python"
  export npm_config_build_from_source=true npm_config_nodedir=$prefix
  if ! PATH="$peers/bin:$PATH" npm_folder wakaama "$package"; then
    skip wakaama 'npm could not install it'
  elif ! ls "$peers"/wakaama/node_modules/node-red-contrib-lwm2m/dist/binding/*/wakatiwaiclient >/dev/null 2>&1; then
    skip wakaama 'its native client was not built'
  else
    done_with wakaama "$version"
  fi
  unset npm_config_build_from_source npm_config_nodedir
}

prepare_sloppy() {
  local packages='lwm2m-node-lib@1.4.0 coap-node@0.2.5'
  ready sloppy "$packages" && return
  SECONDS=0
  # shellcheck disable=SC2086
  if npm_folder sloppy $packages; then done_with sloppy "$packages"; else skip sloppy 'npm could not install it'; fi
}

# debian NAME PACKAGE COMMAND...: installs the package when one of its commands is missing.
debian() {
  local name=$1 package=$2
  shift 2
  have "$@" || {
    command -v apt-get >/dev/null || { skip "$name" "there is no apt-get to install $package with"; return; }
    SECONDS=0
    export DEBIAN_FRONTEND=noninteractive
    # What apt knows may be too old, or nothing.
    quietly apt-get -qq install -y --no-install-recommends "$package" >/dev/null ||
      { quietly apt-get -qq update && quietly apt-get -qq install -y --no-install-recommends "$package"; }
    have "$@" || { skip "$name" "apt-get could not install $package"; return; }
    echo "interop: $name is ready (${SECONDS} s)"
  }
  rm -f "$peers/$name.missing"
}
have() {
  local program
  for program in "$@"; do command -v "$program" >/dev/null || return 1; done
}

prepare_pion() {
  local version
  version=$(cd "$here/pion" && cat go.mod go.sum main.go | cksum)
  ready pion "$version" && return
  command -v go >/dev/null || { skip pion 'there is no go'; return; }
  SECONDS=0
  rm -rf "$peers/pion"
  mkdir -p "$peers/pion"
  if (cd "$here/pion" && quietly go build -trimpath -o "$peers/pion/pion-client" .); then
    done_with pion "$version"
  else
    skip pion 'go could not build it'
  fi
}

debian libcoap libcoap3-bin coap-client-notls coap-server-notls coap-client-openssl coap-client-gnutls
debian gnutls gnutls-bin gnutls-cli
debian openssl openssl openssl
prepare_pion
prepare_sloppy
prepare_wakaama
prepare_leshan

[ "$missing" -eq 0 ] || echo "interop: $missing of 7 could not be had; their tests are skipped"
if [ "$strict" = --strict ]; then exit "$missing"; fi
