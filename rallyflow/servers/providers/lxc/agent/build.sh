# Builds one layer of an image, in namespaces of its own: whatever ends this, no mount and no process is left.
#   build.sh FOLDER RELEASE      FOLDER/rootfs becomes the layer; FOLDER has:
#     lower       the layers below, as overlay takes them; empty for a base
#     mirror      where debootstrap takes the base from
#     packages    names of packages, one a line
#     seed        shell commands, run in the root file system at the end
#     services    if there: what is installed here later may start its services
set -eu
folder=$1 release=$2
layer=$folder/rootfs root=$folder/merged
mkdir -p "$layer" "$root" "$folder/work"
lower=$(cat "$folder/lower")

say() { echo "image: $*" >&2; }

if [ -z "$lower" ]; then
  say "debootstrap $release"
  debootstrap --variant=minbase --include="$(paste -sd, "$folder/packages")" \
    "$release" "$layer" "$(cat "$folder/mirror")" >&2
  mount --bind "$layer" "$root"
else
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$layer,workdir=$folder/work" "$root"
fi
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /dev "$root/dev"

mkdir -p "$root/etc/apt/sources.list.d" "$root/etc/apt/apt.conf.d"
cp "$folder/sources" "$root/etc/apt/sources.list.d/host.sources"
: >"$root/etc/apt/sources.list"
cp "$folder/apt.conf" "$root/etc/apt/apt.conf.d/90host"
rm -f "$root/etc/apt/apt.conf.d/docker-clean"
rm -f "$root/etc/resolv.conf"
cat /etc/resolv.conf >"$root/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$root/etc/hosts"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

if [ -n "$lower" ] && [ -s "$folder/packages" ]; then
  say "apt-get update"
  chroot "$root" apt-get -q update >&2
  say "apt-get install of $(wc -l <"$folder/packages") packages and what they need"
  xargs -a "$folder/packages" chroot "$root" \
    apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 install >&2
fi
if [ -s "$folder/seed" ]; then
  say "running the seed commands"
  chroot "$root" sh -eu /dev/fd/3 3<"$folder/seed" >&2  # whatever reads its input reads nothing, and none of them
fi

# A container gets these when it is made: what stayed here would be the same in all of them. It is done inside: the seed
# may have made links of folders, and from out here they would lead to the host's own files.
[ -e "$folder/services" ] && services=yes || services=
chroot "$root" sh -eu -s "$services" >&2 <<'END'
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
[ ! -e /etc/machine-id ] || : >/etc/machine-id
rm -f /etc/resolv.conf /var/lib/dbus/machine-id /etc/hostname
[ -z "$1" ] || rm -f /usr/sbin/policy-rc.d
apt-get clean
for folder in /var/lib/apt/lists /tmp; do
  [ -L "$folder" ] || rm -rf "$folder"/*
done
END
chroot "$root" dpkg-query -W -f '${Package} ${Version}\n' >"$folder/versions"
