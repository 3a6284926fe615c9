# Runs the command $text in a session of its own, and ends all that it has started when the caller ends our input.
# $mark is a random word; $size says how many bytes of the input are the command's.
exec 3<&0 </dev/null
ended=
trap 'ended=1' TERM HUP INT

nap() { sleep 0.1 2>/dev/null || sleep 1; }

# What is left of the command: its session, and whatever has its mark in the environment.
left() {
  for process in /proc/[0-9]*; do
    read -r stat 2>/dev/null <"$process/stat" || continue
    set -- ${stat##*) }
    if [ "$4" = "$leader" ] && [ "$1" != Z ]; then echo "${process#/proc/}"; fi
  done
  for process in $(grep -ls "RALLYFLOW_COMMAND=$mark" /proc/[0-9]*/environ 2>/dev/null); do
    process=${process#/proc/}
    echo "${process%/environ}"
  done
}

end_all() {
  kill -s TERM -- "-$leader" 2>/dev/null
  kill -s TERM $(left) 2>/dev/null
  round=0
  while [ "$round" -lt 20 ] && [ -n "$(left)" ]; do
    nap
    round=$((round + 1))
  done
  kill -s KILL "$leader" 2>/dev/null
  round=0
  while found=$(left) && [ -n "$found" ] && [ "$round" -lt 50 ]; do
    kill -s KILL $found 2>/dev/null
    nap
    round=$((round + 1))
  done
}

is_our_child() {
  [ -r /proc/self/stat ] || return 0
  read -r stat </proc/self/stat
  set -- ${stat##*) }
  [ "$2" = "$$" ]
}

# Gives the command its input, then waits for the end of ours: the caller has had enough, or is gone. While the command
# leaves its input unread, the end of ours can't be seen; that the caller is gone can.
watch() {
  trap - TERM HUP INT
  exec 2>/dev/null
  if [ "$size" -gt 0 ]; then
    head -c "$size" <&3 &
    exec >/dev/null
    while kill -0 "$!" && [ -d "$caller" ]; do
      is_our_child || exit
      nap
    done
  fi
  while read -r _ <&3; do :; done
  while is_our_child && kill -s TERM "$$"; do nap; done
}

# Opens a pipe without a name: 4 is its end to read, 5 its end to write. Without input there is nothing to read.
open_pipe() {
  if [ "$size" -eq 0 ]; then exec 4</dev/null 5>/dev/null; return; fi
  folder=$(mktemp -d) && mkfifo "$folder/pipe" || exit 125
  exec 6<>"$folder/pipe"
  exec 4<"$folder/pipe" 5>"$folder/pipe" 6>&-
  rm -r "$folder"
}

# Says on an output that the command's own is over, if need be until there is room: a command may have left it one that
# does not wait.
say_end() { until echo "$mark ends" || [ -n "$ended" ]; do nap; done 2>/dev/null; }

# The caller is our parent, sshd or who runs us on its own machine; with sudo in between, $0 says who it is.
case $0 in *[!0-9]*) caller=/proc/$PPID ;; *) caller=/proc/$0 ;; esac
[ -d "$caller" ] || caller=/

session=$(command -v setsid) || session=
# What a shell starts in the background ignores these signals, and so would all of the command.
signals='env --default-signal=INT,QUIT'
$signals true 2>/dev/null || signals=
inner='text=$RALLYFLOW_TEXT; unset RALLYFLOW_TEXT; eval "$text"'
open_pipe
echo "$mark begins"
echo "$mark begins" >&2
(exec >&5 4<&- 5>&- && watch) &
RALLYFLOW_COMMAND=$mark RALLYFLOW_TEXT=$text $session $signals sh -c "$inner" <&4 3<&- 4<&- 5>&- &
exec 4<&- 5>&-
leader=$!
wait "$leader"
code=$?
if [ -n "$ended" ]; then
  end_all
  code=143
fi
say_end
say_end >&2
exit "$code"
