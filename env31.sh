cd /tmp/w/h5
V=${V:-3.1.0}; B=${B:-_build}
export OVS_DIR=$PWD/$B/openvswitch-$V
export PATH=$PWD/$B/vswitchd:$PWD/$B/utilities:$OVS_DIR/utilities:$OVS_DIR/ovsdb:$PWD/$B/tests:$PWD/$B/tests/guest:$PATH
