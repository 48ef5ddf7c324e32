/*
 * Copyright (c) 2026 The ovs-virtio-emu authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/* Commands and their options.  See virtnet-option.h. */

#include <config.h>

#include "virtnet-option.h"

/* The tables.  Columns as in struct virtnet_option; rows in the order in which
 * the echo line names them. */

#define FLAG VIRTNET_OPT_FLAG
#define NUMBER VIRTNET_OPT_NUMBER
#define HEX VIRTNET_OPT_HEX
#define STRING VIRTNET_OPT_STRING
#define PATH VIRTNET_OPT_PATH
#define CHOICE VIRTNET_OPT_CHOICE

#define OPT(NAME, BRIEF, TYPE, REQUIRED, HELP) \
    { NAME, BRIEF, TYPE, REQUIRED, 0, false, NULL, NULL, false, false, HELP }
#define OPT_ECHO(NAME, BRIEF, TYPE, GROUP, ECHO, ALWAYS, HELP) \
    { NAME, BRIEF, TYPE, false, GROUP, false, NULL, ECHO, ALWAYS, false, HELP }
#define OPT_ONE_OF(NAME, BRIEF, TYPE, GROUP, ECHO, HELP) \
    { NAME, BRIEF, TYPE, false, GROUP, true, NULL, ECHO, false, false, HELP }
#define OPT_CHOICE(NAME, BRIEF, REQUIRED, CHOICES, ECHO, HELP) \
    { NAME, BRIEF, CHOICE, REQUIRED, 0, false, CHOICES, ECHO, false, false, \
      HELP }
#define ARGUMENT(NAME, TYPE, HELP) \
    { NAME, NULL, TYPE, true, 0, false, NULL, NULL, false, true, HELP }
#define OPT_END \
    { NULL, NULL, FLAG, false, 0, false, NULL, NULL, false, false, NULL }

/* --vf goes with --pf, so it is in no group of its own. */
#define SELECTOR_VF \
    OPT_ECHO("vf", "v", NUMBER, 0, "vf", false, "VF id, with --pf")

static const struct virtnet_option hotplug_options[] = {
    OPT("ib_device", "i", STRING, true,
        "parent RDMA device: mlx5_0 (port 1), mlx5_1 (port 2), "
        "mlx5_bond_0 (LAG)"),
    OPT("features", "f", HEX, false,
        "feature bits to offer, hexadecimal; 0x0 for the default set"),
    OPT("mac", "m", STRING, true, "MAC address, unique"),
    OPT("mtu", "t", NUMBER, true,
        "MTU, 68 to 9216, and not above that of the uplink"),
    OPT_ONE_OF("max_queues", "n", NUMBER, 1, NULL,
               "number of virtqueues, with the control queue (deprecated)"),
    OPT_ONE_OF("max_queue_pairs", "qp", NUMBER, 1, NULL,
               "number of data queue pairs"),
    OPT("max_queue_size", "s", NUMBER, true,
        "descriptors of a queue: a power of 2 from 4 to 32768"),
    OPT("sf_num", "u", NUMBER, false, "SF number, 2000 to 2999, unused"),
    OPT("legacy", "l", FLAG, false, "make a transitional device"),
    OPT("bridge", NULL, STRING, false,
        "bridge whose port the device becomes (default: by the settings)"),
    OPT("vhost-path", NULL, PATH, false,
        "path of the vhost-user socket (default: <socket directory>/"
        "<representor>.sock)"),
    OPT_CHOICE("vhost-mode", NULL, false, "client,server", NULL,
               "side of the vhost-user socket that the switch takes"),
    OPT("count", NULL, NUMBER, false,
        "make that many devices, with MAC addresses from --mac on; all or "
        "none"),
    OPT_END
};

static const struct virtnet_option unplug_options[] = {
    OPT_ONE_OF("pf", "p", NUMBER, 1, "id", "PF id, as hotplug returned it"),
    OPT_ONE_OF("vuid", "u", STRING, 1, "vuid", "VUID of the device"),
    OPT_END
};

static const struct virtnet_option no_options[] = {
    OPT_END
};

static const struct virtnet_option query_options[] = {
    { "all", "a", FLAG, false, 1, true, NULL, "all", true, false,
      "all devices" },
    SELECTOR_VF,
    OPT_ONE_OF("pf", "p", NUMBER, 1, "pf", "PF id"),
    OPT_ONE_OF("vuid", "u", STRING, 1, "vuid", "VUID of the device"),
    OPT_ECHO("queue_id", "q", NUMBER, 0, "queue_id", false,
             "this queue only"),
    OPT_ECHO("dbg_stats", NULL, FLAG, 0, "dbg_stats", true,
             "debug counters of the queues, too"),
    OPT_ECHO("brief", "b", FLAG, 0, "brief", true, "without the queues"),
    OPT_ECHO("latency_stats", NULL, FLAG, 0, "latency_stats", true,
             "latency statistics, too (accepted; nothing measures them)"),
    OPT_ECHO("stats_clear", NULL, FLAG, 0, "stats_clear", true,
             "clear the debug counters"),
    OPT_END
};

static const struct virtnet_option stats_options[] = {
    SELECTOR_VF,
    OPT_ONE_OF("pf", "p", NUMBER, 1, "pf", "PF id"),
    OPT_ONE_OF("vuid", "u", STRING, 1, "vuid", "VUID of the device"),
    OPT_ECHO("queue_id", "q", NUMBER, 0, "queue_id", false,
             "this queue only"),
    OPT_END
};

/* Selectors of commands that may concern all devices. */
static const struct virtnet_option modify_options[] = {
    SELECTOR_VF,
    OPT_ONE_OF("pf", "p", NUMBER, 1, "pf", "PF id"),
    OPT_ONE_OF("vuid", "u", STRING, 1, "vuid", "VUID of the device"),
    { "all", "a", FLAG, false, 1, true, NULL, "all", true, false,
      "all devices" },
    OPT_END
};

static const struct virtnet_option modify_device_options[] = {
    OPT_ECHO("mac", "m", STRING, 0, "mac", false,
             "MAC address (driver unbound)"),
    OPT_ECHO("mtu", "t", NUMBER, 0, "mtu", false,
             "MTU, 68 to 9216, and not above that of the uplink (driver "
             "unbound)"),
    OPT_ECHO("speed", "e", NUMBER, 0, "speed", false,
             "link speed in Mb/s: 10, 100, 1000, 2500, 5000, 10000, 14000, "
             "20000, 25000, 40000, 50000, 56000, 100000, 200000, 400000 or "
             "800000"),
    OPT_ECHO("link", "l", NUMBER, 0, "link", false,
             "link that the driver sees: 0 down, 1 up"),
    OPT_ECHO("state", "s", NUMBER, 0, "state", false,
             "device status bits; 0 resets the device"),
    OPT_ECHO("features", "f", HEX, 0, "features", false,
             "feature bits to offer, hexadecimal (driver unbound)"),
    OPT_ECHO("supported_hash_types", "o", HEX, 0, "supported_hash_types",
             false, "hash types to offer, hexadecimal bits: 0 IPv4, 1 TCPv4, "
             "2 UDPv4, 3 IPv6, 4 TCPv6, 5 UDPv6, 6 IP_EX, 7 TCP_EX, 8 UDP_EX; "
             "with VIRTIO_NET_F_HASH_REPORT"),
    OPT_ECHO("rss_max_key_size", "k", NUMBER, 0, "rss_max_key_size", false,
             "size of the RSS key: 40; with VIRTIO_NET_F_RSS or "
             "VIRTIO_NET_F_HASH_REPORT"),
    OPT_ECHO("rx_mode", "r", HEX, 0, "rx_mode", false,
             "receive mode, hexadecimal bits: 0 promisc, 1 allmulti, "
             "2 alluni, 3 nomulti, 4 nouni, 5 nobcast"),
    OPT_ECHO("msix_num", "n", NUMBER, 0, "msix_num", false,
             "number of MSI-X vectors of a VF, even (driver unbound; not with "
             "--max_queue_pairs)"),
    OPT_ECHO("max_queue_size", "q", NUMBER, 0, "max_queue_size", false,
             "descriptors of a queue: a power of 2 from 4 to 32768 (driver "
             "unbound)"),
    OPT_ECHO("dst_port", "d", HEX, 0, "dst_port", false,
             "IPv4 destination port of a rule, hexadecimal (deprecated)"),
    OPT_ECHO("rx_dma_q_num", "b", NUMBER, 0, "rx_dma_q_num", false,
             "greatest number of receive DMA queues"),
    OPT_CHOICE("drop_counter", "dc", false, "enable,disable", "drop_counter",
               "count packets that find no buffer (driver probed)"),
    OPT_CHOICE("packet_counter", "pkt_cnt", false, "enable,disable",
               "packet_counter", "count packets by size (driver probed)"),
    OPT_CHOICE("aarfs_config", "aarfs", false, "enable,disable",
               "aarfs_config", "accelerated RFS (PFs only)"),
    OPT_ECHO("max_queue_pairs", "qp", NUMBER, 0, "max_queue_pairs", false,
             "number of data queue pairs (driver unbound)"),
    OPT_CHOICE("dim_config", "dim", false, "enable,disable", "dim_config",
               "interrupt moderation by the device"),
    OPT_CHOICE("net_dim_config", "netdim", false, "enable,disable",
               "net_dim_config", "interrupt moderation by the card's network "
               "driver (driver unbound)"),
    OPT_END
};

static const struct virtnet_option modify_queue_options[] = {
    OPT_CHOICE("period_mode", "e", false, "event,cqe", "period_mode",
               "what starts the timer again: an event, or a completion"),
    OPT_ECHO("period", "n", NUMBER, 0, "period", false,
             "interrupt moderation timer, microseconds"),
    OPT_ECHO("max_count", "c", NUMBER, 0, "max_count", false,
             "packets that end the wait"),
    OPT_END
};

static const struct virtnet_command modify_subcommands[] = {
    { "device", "modify device", modify_device_options, NULL,
      "modify a device" },
    { "queue", "modify queue", modify_queue_options, NULL,
      "modify interrupt moderation of its receive queues" },
    { NULL, NULL, NULL, NULL, NULL },
};

static const struct virtnet_option log_options[] = {
    OPT_CHOICE("level", "l", true, "info,err,debug", "level", "log level"),
    OPT_END
};

static const struct virtnet_option validate_options[] = {
    OPT("file", "f", PATH, true, "configuration file"),
    OPT_END
};

static const struct virtnet_option update_options[] = {
    OPT_ONE_OF("start", "s", FLAG, 1, "start", "start the update"),
    OPT_ONE_OF("status", "t", FLAG, 1, "status", "show its status"),
    OPT_END
};

static const struct virtnet_command health_subcommands[] = {
    { "show", "health show", no_options, NULL, "show health" },
    { NULL, NULL, NULL, NULL, NULL },
};

static const struct virtnet_option list_options[] = {
    OPT_CHOICE("format", NULL, false, "json,table", NULL,
               "how to print (default: json)"),
    OPT_CHOICE("type", NULL, false, "static,hotplug,vf", NULL,
               "devices of this kind only"),
    OPT("pf", "p", NUMBER, false, "this PF and its VFs only"),
    OPT_CHOICE("state", NULL, false,
               "created,driver-found,features-ok,driver-ok,reset", NULL,
               "devices in this state only"),
    OPT("bridge", NULL, STRING, false, "ports of this bridge only"),
    OPT_END
};

static const struct virtnet_option debug_options[] = {
    OPT("vf", "v", NUMBER, false, "VF id, with --pf"),
    { "pf", "p", NUMBER, false, 1, false, NULL, NULL, false, false, "PF id" },
    { "vuid", "u", STRING, false, 1, false, NULL, NULL, false, false,
      "VUID of the device" },
    OPT_END
};

static const struct virtnet_option debug_vq_options[] = {
    OPT("queue_id", "q", NUMBER, false, "this queue only"),
    OPT_END
};

static const struct virtnet_option debug_fault_options[] = {
    OPT_CHOICE("next", NULL, true, "modify,hotplug,sf,record,none", NULL,
               "what fails the next time"),
    OPT_END
};

static const struct virtnet_command debug_subcommands[] = {
    { "vq", "debug vq", debug_vq_options, NULL,
      "show all that is known of the queues of a device" },
    { "pool", "debug pool", no_options, NULL,
      "show pools: SFs, and vectors and queue pairs of each PF's VFs" },
    { "fault", "debug fault", debug_fault_options, NULL,
      "make the next step of some kind fail, to see what becomes of it" },
    { NULL, NULL, NULL, NULL, NULL },
};

static const struct virtnet_option wait_options[] = {
    SELECTOR_VF,
    OPT_ONE_OF("pf", "p", NUMBER, 1, "pf", "PF id"),
    OPT_ONE_OF("vuid", "u", STRING, 1, "vuid", "VUID of the device"),
    OPT_CHOICE("state", "s", true,
               "created,driver-found,features-ok,driver-ok,reset,port,gone",
               NULL, "state to wait for; \"port\": it is a port of a bridge; "
               "\"gone\": there is no such device"),
    OPT("timeout", "t", NUMBER, false,
        "seconds to wait at most (default: 30; at most 86400)"),
    OPT_END
};

static const struct virtnet_option events_options[] = {
    OPT("since", NULL, NUMBER, false,
        "number of the last event that is known already; 0 shows all that "
        "are remembered (default: only what happens from now on)"),
    OPT("timeout", "t", NUMBER, false,
        "seconds after which to stop (default: never)"),
    OPT("count", "c", NUMBER, false, "events after which to stop"),
    OPT_END
};

/* What a host does to its card, for backends without a host.  None of these
 * is the known program's, so there is no line of arguments to be printed. */

static const struct virtnet_option sriov_options[] = {
    OPT("no-wait", NULL, FLAG, false,
        "do not wait until the VFs are there, or gone"),
    ARGUMENT("pf", NUMBER, "id of a static PF"),
    ARGUMENT("num", NUMBER,
             "number of its VFs: 0, or another one if it has none"),
    OPT_END
};

static const struct virtnet_option flr_options[] = {
    OPT("vf", "v", NUMBER, false, "VF id, with --pf"),
    OPT_ONE_OF("pf", "p", NUMBER, 1, NULL, "PF id"),
    OPT_ONE_OF("vuid", "u", STRING, 1, NULL, "VUID of the device"),
    OPT_END
};

static const struct virtnet_option host_unload_options[] = {
    ARGUMENT("pf", NUMBER, "id of the PF"),
    OPT_END
};

static const struct virtnet_command host_subcommands[] = {
    { "reboot", "host reboot", no_options, NULL,
      "restart it: all functions are reset, and VFs go" },
    { "unload", "host unload", host_unload_options, NULL,
      "unload the driver of a PF: it is reset, and its VFs go" },
    { "power-cycle", "host power-cycle", no_options, NULL,
      "switch it off and on with the card: hotplug PFs go, too, and static "
      "PFs are as the firmware configuration says" },
    { NULL, NULL, NULL, NULL, NULL },
};

const struct virtnet_command virtnet_commands[VIRTNET_N_COMMANDS] = {
#define COMMAND(ID, NAME, OPTIONS, SUBCOMMANDS, HELP) \
    [VIRTNET_CMD_##ID] = { NAME, NAME, OPTIONS, SUBCOMMANDS, HELP }
    COMMAND(HOTPLUG, "hotplug", hotplug_options, NULL,
            "hotplug virtnet device"),
    COMMAND(UNPLUG, "unplug", unplug_options, NULL, "unplug virtnet device"),
    COMMAND(LIST, "list", list_options, NULL, "list all virtnet devices"),
    COMMAND(QUERY, "query", query_options, NULL,
            "query all or individual virtnet device(s)"),
    COMMAND(MODIFY, "modify", modify_options, modify_subcommands,
            "modify virtnet device"),
    COMMAND(LOG, "log", log_options, NULL, "set log level"),
    COMMAND(VERSION, "version", no_options, NULL,
            "show virtio net controller version info"),
    COMMAND(RESTART, "restart", no_options, NULL,
            "Do fast restart of controller without killing the service"),
    COMMAND(VALIDATE, "validate", validate_options, NULL,
            "validate configurations"),
    COMMAND(UPDATE, "update", update_options, NULL, "update controller"),
    COMMAND(HEALTH, "health", modify_options, health_subcommands,
            "controller health utility"),
    COMMAND(DEBUG, "debug", debug_options, debug_subcommands,
            "For debug purpose, cmds can be changed without notice"),
    COMMAND(STATS, "stats", stats_options, NULL, "stats of virtnet device"),
    COMMAND(WAIT, "wait", wait_options, NULL,
            "wait until a virtnet device is in some state"),
    COMMAND(EVENTS, "events", events_options, NULL,
            "follow what happens to virtnet devices"),
    COMMAND(SRIOV, "sriov", sriov_options, NULL,
            "set the number of VFs, in place of a host"),
    COMMAND(FLR, "flr", flr_options, NULL,
            "reset a function, in place of a host"),
    COMMAND(HOST, "host", no_options, host_subcommands,
            "what happens to a host"),
#undef COMMAND
};
