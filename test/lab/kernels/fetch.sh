#!/bin/sh
# fetch.sh FOLDER: gets QEMU and several Debian kernels by apt into FOLDER, installing nothing. What is there already is kept.
# For each kernel: FOLDER/kernels/VERSION/{boot,lib,usr}; for QEMU: FOLDER/root. Needs apt, dpkg and a Debian mirror.
set -eu
folder=$1
versions="5.10 6.1 6.12 6.18 7.2"
mkdir -p "$folder/debs" "$folder/kernels"
cd "$folder"

# What this machine lacks of QEMU, with all that it needs; busybox and cpio apart, for one of them may be installed.
if [ ! -e root/done ]; then
  apt-get install -y -qq --no-install-recommends --download-only -o Dir::Cache::archives="$folder/debs" -o Debug::NoLocking=1 \
    qemu-system-x86 seabios ipxe-qemu > /dev/null
  (cd debs && apt-get download -qq busybox-static cpio qemu-system-x86 seabios ipxe-qemu qemu-system-data)
  for deb in debs/*.deb; do dpkg -x "$deb" root; done
  touch root/done
fi

# The other suites of the mirror that apt already uses, in lists of our own.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | grep '/debian$' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p lists/partial
for suite in bullseye bookworm trixie-backports sid; do echo "deb [signed-by=$keys] $mirror $suite main"; done > sources.list
echo "deb [signed-by=$keys] $mirror-security bookworm-security main" >> sources.list
own() {
  tool=$1
  shift
  "$tool" -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$folder/lists" \
    -o Dir::Cache::archives="$folder/debs" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o APT::Sandbox::User=root "$@"
}
missing=
for version in $versions; do [ -e "kernels/$version/done" ] || missing="$missing $version"; done
[ -n "$missing" ] || exit 0
own apt-get update -qq
own apt-cache search --names-only '^linux-(image|binary)-[0-9.]+.*-cloud-amd64$' | cut -d ' ' -f 1 | sort -V > kernels/available

for version in $missing; do
  # Newer packages are split: the kernel is in linux-binary, linux-image only needs it, the modules are apart.
  for kind in binary image; do
    image=$(grep "^linux-$kind-$version[.+-]" kernels/available | tail -n 1)
    [ -z "$image" ] || break
  done
  [ -n "$image" ] || { echo "no cloud kernel $version on this mirror" >&2; continue; }
  modules=$(own apt-cache search --names-only "^$(echo "$image" | sed 's/linux-[a-z]*-/linux-modules-/; s/[.+]/\\&/g')\$" | cut -d ' ' -f 1)
  rm -rf "kernels/$version"
  mkdir -p "kernels/$version/debs"
  # shellcheck disable=SC2086 # no modules, no word
  (cd "kernels/$version/debs" && own apt-get download -qq "$image" $modules)
  for deb in "kernels/$version/debs"/*.deb; do dpkg -x "$deb" "kernels/$version"; done
  rm -r "kernels/$version/debs"
  # Older packages have /lib/modules, newer ones /usr/lib/modules.
  [ -e "kernels/$version/lib" ] || ln -s usr/lib "kernels/$version/lib"
  depmod -b "kernels/$version" "$(ls "kernels/$version/lib/modules")" 2> /dev/null
  touch "kernels/$version/done"
done
