#!/bin/sh
# One machine, in the foreground: its network, its disk, its limits, and systemd-nspawn around its systemd.
# usage: machine.sh NAME ADDRESS CONTROL BRIDGE PREFIX LOWER_FOLDER FILES DISK_MB MEMORY_MB   (BRIDGE is a network namespace)
# Started in a mount namespace of its own (unshare --mount): its disk is mounted nowhere else.
set -eu
name=$1 address=$2 control=$3 bridge=$4 prefix=$5 lower=$6 files=$7 disk=$8 memory=$9
for each in systemd unified memory pids cpu; do
  own=/sys/fs/cgroup/$each/$prefix/$name
  mkdir -p "$own"
  echo $$ >"$own/cgroup.procs"
done
echo "${memory}M" >"/sys/fs/cgroup/memory/$prefix/$name/memory.limit_in_bytes"
net=$prefix-$name
ip -n "$bridge" link add "v-$name" type veth peer name eth0 netns "$net"
ip -n "$bridge" link set "v-$name" master br0 up
ip -n "$net" link set lo up
ip -n "$net" addr add "$address/24" dev eth0
ip -n "$net" link set eth0 up
ip -n "$net" route add default via "$control"
on=$(dirname "$files")/disk
mkdir -p "$on"
# no tmpfs: it would be of the machine's memory, and the kernel would kill whoever fills it
truncate -s "${disk}M" "$on.img"
mkfs.ext4 -q -O ^has_journal -L "$name" "$on.img"
mount -o loop "$on.img" "$on"
mkdir "$on/upper" "$on/work" "$on/root"
cp -a "$files/." "$on/upper/"
mount -t overlay -o "lowerdir=$lower/root,upperdir=$on/upper,workdir=$on/work" overlay "$on/root"
# a reboot that was asked for from inside ends it with 133, and it starts again
while :; do
  code=0
  "$lower/nspawn/usr/bin/systemd-nspawn" --quiet --directory="$on/root" --register=no --keep-unit \
    --network-namespace-path="/run/netns/$net" --hostname="$name" --machine="$name" \
    --capability=CAP_NET_ADMIN --drop-capability=CAP_SYS_RESOURCE --console=pipe --kill-signal=SIGRTMIN+3 \
    --resolv-conf=off --timezone=off /sbin/host-init </dev/null || code=$?
  [ "$code" = 133 ] || exit "$code"
done
