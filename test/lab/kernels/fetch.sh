#!/bin/sh
# fetch.sh VERSION[,VERSION]...: gets QEMU and Debian's cloud kernels by apt and installs nothing; of versions with a comma between them the first
# that the mirror has. What is there already is kept. QEMU: FOLDER/root; kernels: FOLDER/kernels/VERSION, where FOLDER is NAILHOUSE_KERNELS or
# ~/.cache/nailhouse-kernels. Exits with 1 if one cannot be had, and says which. Needs Debian's apt on x86-64, dpkg and flock.
set -eu
folder=${NAILHOUSE_KERNELS:-$HOME/.cache/nailhouse-kernels}
mkdir -p "$folder/kernels" "$folder/lists/partial"
cd "$folder"
exec 9> lock
flock 9

# has_one VERSION,VERSION
has_one() {
  for version in $(echo "$1" | tr , ' '); do [ ! -e "kernels/$version/done" ] || return 0; done
  return 1
}

missing=
for choice in "$@"; do has_one "$choice" || missing="$missing $choice"; done
[ ! -e root/done ] || [ -n "$missing" ] || exit 0

# The mirror that apt already uses, with lists of our own: that machine's lists may be old or gone, and lack the other suites.
# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian$' | head -n 1)
[ -n "$mirror" ] || { echo "Cannot fetch kernels: apt knows no Debian mirror; run apt-get update" >&2; exit 1; }
# shellcheck source=/dev/null
here=$(. /etc/os-release && echo "$VERSION_CODENAME")
keys=/usr/share/keyrings/debian-archive-keyring.gpg
for suite in $(printf '%s\n' "$here" bullseye bookworm trixie-backports sid | sort -u); do
  echo "deb [signed-by=$keys] $mirror $suite main"
done > sources.list
echo "deb [signed-by=$keys] $mirror-security bookworm-security main" >> sources.list
own() {
  tool=$1
  shift
  "$tool" -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$folder/lists" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o Acquire::Retries=3 -o Debug::NoLocking=1 \
    -o APT::Default-Release="$here" "$@"
}
own apt-get update -qq || echo "fetch.sh: some suites of $mirror could not be read" >&2

# unpack FOLDER COMMAND...: runs the command, which downloads packages, and unpacks them there.
unpack() {
  target=$PWD/$1
  shift
  rm -rf "$target"
  mkdir -p "$target/debs/partial"
  (cd "$target/debs" && "$@")
  for deb in "$target"/debs/*.deb; do dpkg -x "$deb" "$target"; done
  rm -r "$target/debs"
}

# busybox and cpio may be installed already: `install` would leave them out. What QEMU needs and this machine has is left out.
# shellcheck disable=SC2317 # run by unpack
get_tools() {
  own apt-get download -qq busybox-static cpio seabios ipxe-qemu qemu-system-x86 qemu-system-data
  own apt-get install -y -qq --no-install-recommends --download-only -o Dir::Cache::archives="$PWD" qemu-system-x86 > /dev/null
}
if [ ! -e root/done ]; then
  unpack root get_tools
  touch root/done
fi

own apt-cache search --names-only '^linux-(image|binary|modules)-[0-9.]+.*-cloud-amd64$' | cut -d ' ' -f 1 | sort -V > available
# get_kernel VERSION, which the mirror has.
get_kernel() {
  # Newer packages are split: the kernel is in linux-binary, linux-image only needs it, the modules are apart.
  image=$(grep "^linux-binary-$1\.[0-9]" available | tail -n 1)
  [ -n "$image" ] || image=$(grep "^linux-image-$1\.[0-9]" available | tail -n 1)
  modules=$(grep -Fx "linux-modules-${image#linux-*-}" available || true)
  # shellcheck disable=SC2086 # no modules, no word
  unpack "kernels/$1" own apt-get download -qq "$image" $modules
  # Older packages have /lib/modules, newer ones /usr/lib/modules.
  [ -e "kernels/$1/lib" ] || ln -s usr/lib "kernels/$1/lib"
  for release in "kernels/$1"/lib/modules/*; do root/bin/busybox depmod -b "$PWD/kernels/$1" "${release##*/}"; done
  touch "kernels/$1/done"
}

status=0
for choice in $missing; do
  for version in $(echo "$choice" | tr , ' '); do
    # Not as a condition: sh would then go on after an error inside.
    grep -qE "^linux-(image|binary)-$version\.[0-9]" available || continue
    get_kernel "$version"
    break
  done
  has_one "$choice" || { echo "fetch.sh: no cloud kernel $choice on $mirror" >&2; status=1; }
done
exit $status
