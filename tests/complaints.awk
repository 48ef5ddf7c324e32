# Copyright (c) 2026 The ovs-virtio-emu authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at:
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

# Prints the warnings and errors in a log of Open vSwitch.
#
# Where a thread's loop came round late because of the machine, that is left out:
#
#     - The thread had to wait for pages of its own from a disk, to which they
#       had been taken away.
#
#     - Others had the processor.  The thread worked for less than half a
#       second, and hardly ever waited for anything ("voluntary").
#
# So is that others waited for the main thread then ("ovs_rcu").
#
# Nor is it told what threads that offload flows say ("hw_offload"): they sleep
# without the poll loop, in which they are only when a port is deleted, so their
# poll interval is the time since another one was.
#
# With 'sanitizers' other than "no" all is slow, and nothing said about it, be it
# by the thread itself or by one that waits for it ("ovs_rcu").

# Returns what the line's thread calls itself: "timeval" is the main thread.
function thread() {
    match($0, /\|timeval(\([^)]*\))?\|/)
    return substr($0, RSTART + 1, RLENGTH - 2)
}

# Prints what is held of the last late round of thread 't', unless it was the
# machine.
function tell(t) {
    if (!machine[t] && sanitizers == "no") {
        printf "%s", held[t]
    }
    held[t] = ""
    machine[t] = 0
}

/\|timeval\(hw_offload[0-9]*\)\|WARN\|/ {
    next
}
sanitizers != "no" && /\|(timeval\([^)]*\)|ovs_rcu(\([^)]*\))?)\|WARN\|/ {
    next
}
/\|ovs_rcu(\([^)]*\))?\|WARN\|blocked [0-9]+ ms waiting for main to quiesce/ {
    waited = waited $0 "\n"
    next
}
/\|timeval(\([^)]*\))?\|WARN\|Unreasonably long/ {
    t = thread()
    tell(t)
    held[t] = $0 "\n"
    if (t == "timeval") {
        held[t] = waited held[t]
        waited = ""
    }
    line = $0
    sub(/.*poll interval \(/, "", line)
    split(line, part, /ms user, |ms system/)
    worked[t] = part[1] + part[2]
    next
}
/\|timeval(\([^)]*\))?\|WARN\|(faults|disk): / {
    t = thread()
    held[t] = held[t] $0 "\n"
    machine[t] = machine[t] || /faults: .* [1-9][0-9]* major/
    next
}
/\|timeval(\([^)]*\))?\|WARN\|context switches: / {
    t = thread()
    held[t] = held[t] $0 "\n"
    split($0, part, /context switches: | voluntary, | involuntary/)
    machine[t] = machine[t] || (worked[t] < 500 && part[3] > 20 * part[2])
    tell(t)
    next
}
/\|(WARN|ERR|EMER)\|/ {
    print
}
END {
    for (t in held) {
        tell(t)
    }
    printf "%s", waited
}
