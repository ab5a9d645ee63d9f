# Starting and stopping the two daemons in the background: read by scripts/run and scripts/stop.
#
# Paths are relative to the repository's top, where both scripts go first: the path of a Unix
# socket may have 107 bytes only, and a clone may lie deep.

bin=build/release/bin
var=${REEVE_STATE_DIR:-var}

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# The pid of a daemon that we started and that still runs, else nothing. The name of its
# program is checked, since the number may be somebody else's by now.
service_pid() {
	local pid
	pid=$(cat "$var/run/$1.pid" 2>/dev/null) || return 1
	case $(readlink "/proc/$pid/exe" 2>/dev/null) in
	*/"$1" | */"$1 (deleted)") echo "$pid" ;;
	*) return 1 ;;
	esac
}

# Was the program built anew since this process started?
service_is_old() {
	case $(readlink "/proc/$1/exe" 2>/dev/null) in
	*" (deleted)") return 0 ;;
	*) return 1 ;;
	esac
}

service_stop() {
	local pid tries=0
	pid=$(service_pid "$1") || { rm -f "$var/run/$1.pid"; return 0; }
	kill -TERM "$pid"
	while kill -0 "$pid" 2>/dev/null && service_pid "$1" >/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || die "$1 (process $pid) does not stop"
		sleep 0.05
	done
	rm -f "$var/run/$1.pid"
	echo "stopped $1 (process $pid)"
}

# service_start PROGRAM [ARGUMENT…]: starts it unless it runs, and waits until it is ready.
service_start() {
	local name=$1 pid log before tries=0
	log=$var/log/$name.log
	shift
	if pid=$(service_pid "$name"); then
		if ! service_is_old "$pid"; then
			echo "$name runs already (process $pid)"
			return 0
		fi
		service_stop "$name"
	fi
	before=$(stat -c %s "$log" 2>/dev/null || echo 0)
	setsid "$bin/$name" "$@" </dev/null >>"$log" 2>&1 &
	pid=$!
	echo "$pid" >"$var/run/$name.pid"
	until tail -c "+$((before + 1))" "$log" | grep -q 'ev=ready'; do
		tries=$((tries + 1))
		if ! kill -0 "$pid" 2>/dev/null || [ "$tries" -ge 600 ]; then
			tail -c "+$((before + 1))" "$log" >&2
			rm -f "$var/run/$name.pid"
			die "$name did not start; that was its log, $log"
		fi
		sleep 0.05
	done
	echo "started $name (process $pid)"
}
