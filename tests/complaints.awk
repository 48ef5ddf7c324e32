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
# Where the main loop came round late because of the machine, that is left out:
#
#     - Its thread had to wait for pages of its own from a disk, to which they
#       had been taken away.
#
#     - Others had the processor.  The thread worked for less than half a
#       second, and hardly ever waited for anything ("voluntary").
#
# Nor is it told what threads that offload flows say ("hw_offload"): they sleep
# without the poll loop, in which they are only when a port is deleted, so their
# poll interval is the time since another one was.
#
# With 'sanitizers' other than "no" all is slow, and nothing said about it, be it
# by the thread itself or by one that waits for it ("ovs_rcu").

# Prints what is held of the last late round, unless it was the machine.
function tell() {
    if (!machine && sanitizers == "no") {
        printf "%s", held
    }
    held = ""
    machine = 0
}

/\|timeval\(hw_offload[0-9]*\)\|WARN\|/ {
    next
}
sanitizers != "no" && /\|(timeval\([^)]*\)|ovs_rcu(\([^)]*\))?)\|WARN\|/ {
    next
}
/\|timeval\|WARN\|Unreasonably long/ {
    tell()
    held = $0 "\n"
    split($0, part, /[^0-9]+ms |\(|ms user, |ms system/)
    worked = part[2] + part[3]
    next
}
/\|timeval\|WARN\|(faults|disk): / {
    held = held $0 "\n"
    machine = machine || /faults: .* [1-9][0-9]* major/
    next
}
/\|timeval\|WARN\|context switches: / {
    held = held $0 "\n"
    split($0, part, /context switches: | voluntary, | involuntary/)
    machine = machine || (worked < 500 && part[3] > 20 * part[2])
    tell()
    next
}
/\|(WARN|ERR|EMER)\|/ {
    tell()
    print
}
END {
    tell()
}
