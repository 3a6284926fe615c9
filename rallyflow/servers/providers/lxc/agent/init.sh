#!/bin/sh
# The first process of a container without systemd: starts sshd, reaps what others leave, and ends in order at TERM.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Pid files and sockets of an earlier boot are lies; the folders, which packages have made, stay.
find /run -xdev ! -type d -delete 2>/dev/null
mkdir -p /run/sshd /run/lock

# With cgroups of version 2 alone, a group that has processes can't have groups with limits below it: containers in
# this one want such. LXC takes away just this name to find out where it may make groups.
if [ -w /sys/fs/cgroup/cgroup.subtree_control ]; then
  mkdir -p /sys/fs/cgroup/init.scope && echo 1 >/sys/fs/cgroup/init.scope/cgroup.procs
fi

end() {
  trap '' TERM INT
  kill -s TERM -- -1 2>/dev/null
  round=0
  while [ "$round" -lt 300 ] && others; do
    sleep 0.1
    round=$((round + 1))
  done
  exit 0
}

# Whether any process but us is there that is more than a zombie; sleeps of ours are over by then.
others() {
  for process in /proc/[0-9]*; do
    [ "$process" = /proc/1 ] && continue
    read -r stat 2>/dev/null <"$process/stat" || continue
    set -- ${stat##*) }
    [ "$1" = Z ] || return 0
  done
  return 1
}

trap end TERM INT
/usr/sbin/sshd
while :; do
  sleep 86400 &
  wait "$!"
done
