#!/bin/sh
# The lab's own Docker engine, in the foreground. usage: engine.sh PREFIX FOLDER DISK_MB OWNER DOCKERD   (PREFIX is a network namespace)
# Started in a mount namespace of its own (unshare --mount): its mounts are nowhere else, and are gone with it. It sees no /run
# of the machine's. Its iptables rules and its bridges are those of its network namespace.
set -eu
prefix=$1 folder=$2 disk=$3 owner=$4 dockerd=$5
own=/sys/fs/cgroup/systemd/$prefix/engine
mkdir -p "$own"
echo $$ >"$own/cgroup.procs"
# the small disk of the database
mount -t tmpfs -o "size=${disk}m,mode=0700,uid=$owner,gid=$owner" "$prefix" "$folder/disk"
# by descriptor, because the names of network namespaces lie in /run
exec 9<"/run/netns/$prefix"
mount -t tmpfs -o mode=0755 "$prefix" /run
# an engine of Debian 12 leaves a key there
[ ! -d /etc/docker ] || mount -t tmpfs -o mode=0700 "$prefix" /etc/docker
exec nsenter --net=/proc/self/fd/9 "$dockerd" --config-file "$folder/daemon.json" --data-root "$folder/data" \
  --host "unix://$folder/docker.sock" --group root --bridge none --userland-proxy=false --cgroup-parent "/$prefix" --storage-driver overlay2
