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

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

/* The tables.  Columns as in struct virtnet_option; rows in the order in which
 * the echo line names them. */

#define FLAG VIRTNET_OPT_FLAG
#define NUMBER VIRTNET_OPT_NUMBER
#define HEX VIRTNET_OPT_HEX
#define STRING VIRTNET_OPT_STRING
#define PATH VIRTNET_OPT_PATH
#define CHOICE VIRTNET_OPT_CHOICE

#define OPT(NAME, BRIEF, TYPE, REQUIRED, HELP) \
    { NAME, BRIEF, TYPE, REQUIRED, 0, false, NULL, NULL, false, HELP }
#define OPT_ECHO(NAME, BRIEF, TYPE, GROUP, ECHO, ALWAYS, HELP) \
    { NAME, BRIEF, TYPE, false, GROUP, false, NULL, ECHO, ALWAYS, HELP }
#define OPT_ONE_OF(NAME, BRIEF, TYPE, GROUP, ECHO, HELP) \
    { NAME, BRIEF, TYPE, false, GROUP, true, NULL, ECHO, false, HELP }
#define OPT_CHOICE(NAME, BRIEF, REQUIRED, CHOICES, ECHO, HELP) \
    { NAME, BRIEF, CHOICE, REQUIRED, 0, false, CHOICES, ECHO, false, HELP }
#define OPT_END { NULL, NULL, FLAG, false, 0, false, NULL, NULL, false, NULL }

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
    { "all", "a", FLAG, false, 1, true, NULL, "all", true, "all devices" },
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
    { "all", "a", FLAG, false, 1, true, NULL, "all", true, "all devices" },
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
    { "pf", "p", NUMBER, false, 1, false, NULL, NULL, false, "PF id" },
    { "vuid", "u", STRING, false, 1, false, NULL, NULL, false,
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
#undef COMMAND
};

/* Looking up. */

const struct virtnet_command *
virtnet_command_lookup(const char *name)
{
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        if (!strcmp(virtnet_commands[i].name, name)) {
            return &virtnet_commands[i];
        }
    }
    return NULL;
}

bool
virtnet_command_has_option(const struct virtnet_command *command,
                           const char *name)
{
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (!strcmp(o->name, name)) {
            return true;
        }
    }
    return false;
}

static size_t
option_index(const struct virtnet_command *command, const char *name)
{
    for (size_t i = 0; ; i++) {
        ovs_assert(command->options[i].name);
        if (!strcmp(command->options[i].name, name)) {
            return i;
        }
    }
}

bool
virtnet_arg_given(const struct virtnet_args *args, const char *name)
{
    return args->values[option_index(args->command, name)].given;
}

const char *
virtnet_arg_text(const struct virtnet_args *args, const char *name)
{
    return args->values[option_index(args->command, name)].text;
}

uint64_t
virtnet_arg_number(const struct virtnet_args *args, const char *name)
{
    return args->values[option_index(args->command, name)].number;
}

/* Parsing. */

static bool OVS_PRINTF_FORMAT(2, 3)
bad(char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return false;
}

static bool
is_choice(const char *choices, const char *value)
{
    size_t n = strlen(value);

    while (choices) {
        if (n && !strncmp(choices, value, n)
            && (!choices[n] || choices[n] == ',')) {
            return true;
        }
        choices = strchr(choices, ',');
        choices = choices ? choices + 1 : NULL;
    }
    return false;
}

/* Finds the option that 'name', a word without its two dashes, names; an
 * unambiguous beginning is enough.  If the word has its value with it, stores
 * that in '*value'. */
static const struct virtnet_option *
find_long(const struct virtnet_command *command, const char *name,
          const char **value, char **errp)
{
    const struct virtnet_option *found = NULL;
    size_t n = strcspn(name, "=");

    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (!strncmp(o->name, name, n)) {
            if (!o->name[n]) {
                found = o;
                break;
            } else if (found) {
                bad(errp, "ambiguous option: --%s", name);
                return NULL;
            }
            found = o;
        }
    }
    if (found && name[n] == '=') {
        *value = name + n + 1;
    }
    return found;
}

/* Likewise, for 'letters' behind one dash.  "-qp" is an option of its own;
 * "-p0" and "-p=0" are "-p 0"; "-ab" is "-a -b", of which '*more' is "b". */
static const struct virtnet_option *
find_brief(const struct virtnet_command *command, const char *letters,
           const char **value, const char **more)
{
    const struct virtnet_option *found = NULL;
    size_t n = strcspn(letters, "=");

    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (!o->brief) {
            continue;
        } else if (strlen(o->brief) == n && !strncmp(o->brief, letters, n)) {
            if (letters[n]) {
                *value = letters + n + 1;
            }
            return o;
        } else if (!o->brief[1] && o->brief[0] == letters[0]) {
            found = o;
        }
    }
    if (found && found->type == VIRTNET_OPT_FLAG) {
        *more = letters + 1;
    } else if (found) {
        *value = letters + 1;
    }
    return found;
}

static bool
parse_value(const struct virtnet_option *o, const char *text,
            uint64_t *number, char **errp)
{
    unsigned long long int x = 0;
    bool hex = !strncmp(text, "0x", 2) || !strncmp(text, "0X", 2);

    switch (o->type) {
    case VIRTNET_OPT_FLAG:
    case VIRTNET_OPT_STRING:
    case VIRTNET_OPT_PATH:
        break;
    case VIRTNET_OPT_NUMBER:
        if (text[0] == '-' || !str_to_ullong(text, hex ? 16 : 10, &x)) {
            return bad(errp, "argument --%s: invalid number: '%s'", o->name,
                       text);
        }
        break;
    case VIRTNET_OPT_HEX:
        if (text[0] == '-' || !str_to_ullong(text, 16, &x)) {
            return bad(errp, "argument --%s: invalid hexadecimal number: "
                       "'%s'", o->name, text);
        }
        break;
    case VIRTNET_OPT_CHOICE:
        if (!is_choice(o->choices, text)) {
            return bad(errp, "argument --%s: invalid choice: '%s' (choose "
                       "from %s)", o->name, text, o->choices);
        }
        break;
    }
    *number = x;
    return true;
}

/* Checks what concerns the options as a whole. */
static bool
check_args(const struct virtnet_args *args, char **errp)
{
    const struct virtnet_option *options = args->command->options;

    for (size_t i = 0; options[i].name; i++) {
        const struct virtnet_option *o = &options[i];
        bool any = args->values[i].given;

        if (o->required && !any) {
            return bad(errp, "the following arguments are required: --%s",
                       o->name);
        }
        if (o->group == VIRTNET_GROUP_NONE) {
            continue;
        }
        for (size_t j = 0; options[j].name; j++) {
            if (j != i && options[j].group == o->group
                && args->values[j].given) {
                if (args->values[i].given) {
                    return bad(errp, "argument --%s: not allowed with "
                               "argument --%s", options[MAX(i, j)].name,
                               options[MIN(i, j)].name);
                }
                any = true;
            }
        }
        if (o->group_required && !any) {
            struct ds s = DS_EMPTY_INITIALIZER;

            for (size_t j = i; options[j].name; j++) {
                if (options[j].group == o->group) {
                    ds_put_format(&s, "%s--%s", s.length ? " " : "",
                                  options[j].name);
                }
            }
            *errp = xasprintf("one of the arguments %s is required",
                              ds_cstr(&s));
            ds_destroy(&s);
            return false;
        }
    }
    for (size_t i = 0; options[i].name; i++) {
        if (!strcmp(options[i].name, "vf") && args->values[i].given
            && !virtnet_arg_given(args, "pf")) {
            return bad(errp, "argument --vf: needs argument --pf");
        }
    }
    return true;
}

/* Can 'word' be the value of an option?  Numbers can be negative, though none
 * of them makes sense. */
static bool
is_value(const char *word)
{
    return word[0] != '-' || !word[1] || (word[1] >= '0' && word[1] <= '9');
}

/* Parses options of 'command' up to the end, or to the name of a subcommand.
 * Stores the number of words that were used in '*n_used'. */
static bool
parse_options(struct virtnet_args *args,
              const struct virtnet_command *command, int argc,
              const char *const argv[], int *n_used, char **errp)
{
    const char *more = NULL;    /* Letters of this word that are left. */
    int i;

    memset(args, 0, sizeof *args);
    args->command = command;
    for (i = 0; i < argc; i += !more) {
        const struct virtnet_option *o;
        const char *word = argv[i];
        const char *letters = more ? more : word + 1;
        const char *value = NULL;
        size_t index;

        if (!more) {
            if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
                args->help = true;
                return true;
            }
            if (word[0] != '-' || !word[1] || !strcmp(word, "--")) {
                if (word[0] != '-' && command->subcommands) {
                    break;
                }
                return bad(errp, "unrecognized arguments: %s", word);
            }
        }
        more = NULL;
        if (letters == word + 1 && *letters == '-') {
            o = find_long(command, word + 2, &value, errp);
        } else {
            o = find_brief(command, letters, &value, &more);
        }
        if (!o) {
            return *errp ? false
                   : bad(errp, "unrecognized arguments: %s", word);
        }
        index = o - command->options;
        ovs_assert(index < VIRTNET_MAX_OPTIONS);
        if (o->type == VIRTNET_OPT_FLAG) {
            if (value) {
                return bad(errp, "argument --%s: ignored explicit argument "
                           "'%s'", o->name, value);
            }
        } else {
            if (!value) {
                if (i + 1 >= argc || !is_value(argv[i + 1])) {
                    return bad(errp, "argument --%s: expected one argument",
                               o->name);
                }
                value = argv[++i];
            }
            if (!parse_value(o, value, &args->values[index].number, errp)) {
                return false;
            }
            args->values[index].text = value;
        }
        args->values[index].given = true;
    }
    *n_used = i;
    return true;
}

static void
put_subcommands(const struct virtnet_command *command, struct ds *s)
{
    for (const struct virtnet_command *c = command->subcommands; c->name;
         c++) {
        ds_put_format(s, "%c%s", c == command->subcommands ? '{' : ',',
                      c->name);
    }
    ds_put_char(s, '}');
}

bool
virtnet_args_parse(struct virtnet_args *args, struct virtnet_args *sub,
                   const struct virtnet_command *command,
                   int argc, const char *const argv[],
                   const struct virtnet_command **command_failed, char **errp)
{
    const struct virtnet_command *c;
    struct ds s = DS_EMPTY_INITIALIZER;
    int n = 0;

    *errp = NULL;
    *command_failed = command;
    memset(sub, 0, sizeof *sub);
    if (!parse_options(args, command, argc, argv, &n, errp)) {
        return false;
    } else if (args->help) {
        return true;
    } else if (!command->subcommands) {
        return check_args(args, errp);
    }

    for (c = command->subcommands; n < argc && c->name; c++) {
        if (!strcmp(c->name, argv[n])) {
            *command_failed = c;
            if (!parse_options(sub, c, argc - n - 1, argv + n + 1, &n,
                               errp)) {
                return false;
            } else if (sub->help) {
                return true;    /* Whatever the command itself lacks. */
            } else if (!check_args(sub, errp)) {
                return false;
            }
            *command_failed = command;
            return check_args(args, errp);
        }
    }
    put_subcommands(command, &s);
    if (n < argc) {
        bad(errp, "invalid choice: '%s' (choose from %s)", argv[n],
            ds_cstr(&s));
    } else {
        bad(errp, "the following arguments are required: %s", ds_cstr(&s));
    }
    ds_destroy(&s);
    return false;
}

/* Help. */

void
virtnet_option_metavar(const struct virtnet_option *o, struct ds *s)
{
    if (o->type == VIRTNET_OPT_CHOICE) {
        ds_put_format(s, " {%s}", o->choices);
    } else if (o->type != VIRTNET_OPT_FLAG) {
        ds_put_char(s, ' ');
        for (const char *p = o->name; *p; p++) {
            ds_put_char(s, *p == '-' ? '_' : *p >= 'a' && *p <= 'z'
                        ? *p - 'a' + 'A' : *p);
        }
    }
}

void
virtnet_command_usage(const struct virtnet_command *command, struct ds *s)
{
    ds_put_format(s, "usage: virtnet %s [-h]", command->path);
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        ds_put_cstr(s, o->required ? " " : " [");
        ds_put_format(s, "%s%s", o->brief ? "-" : "--",
                      o->brief ? o->brief : o->name);
        virtnet_option_metavar(o, s);
        ds_put_cstr(s, o->required ? "" : "]");
    }
    if (command->subcommands) {
        ds_put_char(s, ' ');
        put_subcommands(command, s);
        ds_put_cstr(s, " ...");
    }
    ds_put_char(s, '\n');
}

void
virtnet_command_help(const struct virtnet_command *command, struct ds *s)
{
    virtnet_command_usage(command, s);
    ds_put_format(s, "\n%s\n", command->help);
    if (command->subcommands) {
        ds_put_cstr(s, "\npositional arguments:\n");
        for (const struct virtnet_command *c = command->subcommands; c->name;
             c++) {
            ds_put_format(s, "  %s\n        %s\n", c->name, c->help);
        }
    }
    ds_put_cstr(s, "\noptions:\n"
                "  -h, --help\n        show this help message and exit\n");
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        ds_put_cstr(s, "  ");
        if (o->brief) {
            ds_put_format(s, "-%s", o->brief);
            virtnet_option_metavar(o, s);
            ds_put_cstr(s, ", ");
        }
        ds_put_format(s, "--%s", o->name);
        virtnet_option_metavar(o, s);
        ds_put_format(s, "\n        %s\n", o->help);
    }
}

/* Appends a member of the echo line.  '*first' tells whether it is the first
 * one. */
static void
put_echo(struct ds *s, bool *first, const char *key, const char *value)
{
    ds_put_format(s, "%s'%s': '%s'", *first ? "{" : ", ", key, value);
    *first = false;
}

static void
echo_options(const struct virtnet_args *args, struct ds *s, bool *first)
{
    for (size_t i = 0; args->command->options[i].name; i++) {
        const struct virtnet_option *o = &args->command->options[i];
        char number[32];

        if (!o->echo || (!o->echo_always && !args->values[i].given)) {
            continue;
        }
        snprintf(number, sizeof number, "0x%"PRIx64,
                 o->type == VIRTNET_OPT_FLAG ? args->values[i].given
                 : args->values[i].number);
        put_echo(s, first, o->echo,
                 o->type == VIRTNET_OPT_FLAG || o->type == VIRTNET_OPT_NUMBER
                 ? number : args->values[i].text);
    }
}

void
virtnet_args_echo(const struct virtnet_args *args,
                  const struct virtnet_args *sub, struct ds *s)
{
    bool first = true;

    echo_options(args, s, &first);
    if (sub->command && !first) {
        char number[32];

        snprintf(number, sizeof number, "0x%x",
                 (unsigned int) (sub->command - args->command->subcommands));
        put_echo(s, &first, "subcmd", number);
        echo_options(sub, s, &first);
    }
    if (!first) {
        ds_put_cstr(s, "}\n");
    }
}
