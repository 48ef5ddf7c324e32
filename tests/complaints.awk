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
# Where the main loop came round late because its thread had to wait for pages
# of its own from a disk, to which they had been taken away, it was the machine
# that took long: that is left out.

/\|timeval\|WARN\|Unreasonably long/ {
    held = held $0 "\n"
    next
}
held && /\|timeval\|WARN\|faults: .* [1-9][0-9]* major/ {
    held = ""
    machine = 1
    next
}
machine && /\|timeval\|WARN\|(disk|context switches): / {
    next
}
/\|(WARN|ERR|EMER)\|/ {
    printf "%s", held
    held = ""
    machine = 0
    print
}
END {
    printf "%s", held
}
