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

/* Settings and virtnet.conf.  See virtnet-conf.h. */

#include <config.h>

#include "virtnet-conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"
#include "virtnet-settings.h"

/* Far more than all keys take. */
#define CONF_MAX_SIZE (64 * 1024)

/* Objects within objects. */
#define CONF_MAX_DEPTH 4

#define MEMBER(NAME) offsetof(struct virtnet_settings, NAME)
#define ROW(KEY, CONF, TYPE, NAME, START, DEF, MIN, MAX, SECTION, HELP) \
    { KEY, CONF, VIRTNET_SETTING_##TYPE, MEMBER(NAME), START, DEF,      \
      MIN, MAX, { NULL, NULL }, SECTION, HELP }
#define START true
#define LIVE false

const struct virtnet_setting virtnet_settings_table[] = {
    ROW("virtnet-enable", NULL, BOOL, enable, START, "true", 0, 0,
        "Controller", "Whether the controller runs."),
    ROW("virtnet-conf-file", NULL, STRING, conf_file, START,
        "/opt/mellanox/mlnx_virtnet/virtnet.conf", 0, 0, NULL,
        "File with settings, in JSON.  What it says counts for more than "
        "`other_config`.  It need not exist."),
    ROW("virtnet-backend", NULL, STRING, backend, START, "soft", 0, 0, NULL,
        "What makes devices exist."),
    ROW("virtnet-serial", NULL, STRING, serial, START, "MT0000X00000", 0, 0,
        NULL, "Head of each VUID."),
    ROW("virtnet-recovery", "recovery", BOOL, recovery, START, "true", 0, 0,
        NULL, "Keep records of devices, and bring them back."),
    ROW("virtnet-recovery-dir", NULL, STRING, recovery_dir, START, NULL,
        0, 0, NULL, "Where the records are; by default "
        "`<dbdir>/virtnet/recovery`."),

    ROW("virtnet-emulation-enable", NULL, BOOL, emulation_enable, START,
        "true", 0, 0, "In place of a card's firmware configuration",
        "Emulation as a whole."),
    ROW("virtnet-num-pf", NULL, UINT, num_pf, START, "0", 0, 31, NULL,
        "Static PFs."),
    ROW("virtnet-num-vf", NULL, UINT, num_vf, START, "0", 0, 1008, NULL,
        "VFs that each static PF can have."),
    ROW("virtnet-num-msix", NULL, UINT, num_msix, START, "64", 4, 1024, NULL,
        "MSI-X vectors of a static PF, from which its queue pairs follow."),
    ROW("virtnet-num-vf-msix", NULL, UINT, num_vf_msix, START, "0", 0, 1024,
        NULL, "MSI-X vectors that a VF is born with; 0: as many as a PF."),
    /* A card has at most 31 ports; software may have more, as many as there
     * are SF numbers for hotplug devices. */
    ROW("virtnet-switch-num-port", NULL, UINT, switch_num_port, START, "31",
        0, 1000, NULL, "Hotplug PFs at most.  A card has 31."),
    ROW("virtnet-pf-total-sf", NULL, UINT, pf_total_sf, START, "0", 0, 65536,
        NULL, "SFs that there are, one for each device; 0: any number."),
    ROW("virtnet-max-vfs", NULL, UINT, max_vfs, START, "1008", 0, 4096,
        NULL, "VFs of all PFs together.  Those that there are already stay."),
    ROW("virtnet-max-functions", NULL, UINT, max_functions, START, "0",
        0, 8192, NULL, "PCIe functions of all kinds together; 0: automatic."),
    ROW("virtnet-max-hotplug-with-vfs", NULL, UINT, max_hotplug_with_vfs,
        START, "15", 0, 1000, NULL,
        "Hotplug PFs at most while VFs are configured."),

    ROW("virtnet-ib-dev-p0", "ib_dev_p0", STRING, ib_dev_p0, START, "mlx5_0",
        0, 0, "Parents and defaults of devices",
        "RDMA device of port 0, parent of devices."),
    ROW("virtnet-ib-dev-p1", "ib_dev_p1", STRING, ib_dev_p1, START, "mlx5_1",
        0, 0, NULL, "RDMA device of port 1."),
    ROW("virtnet-ib-dev-lag", "ib_dev_lag", STRING, ib_dev_lag, START,
        "mlx5_bond_0", 0, 0, NULL, "RDMA device of the bond; in the file not "
        "together with the two above."),
    ROW("virtnet-ib-dev-for-static-pf", "ib_dev_for_static_pf", STRING,
        ib_dev_for_static_pf, START, NULL, 0, 0, NULL,
        "Parent of static PFs; by default the first one."),
    ROW("virtnet-is-lag", "is_lag", BOOL, is_lag, START, "false", 0, 0, NULL,
        "The ports are bonded, and the bond is the parent of all devices.  "
        "Not with `virtnet-single-port`."),
    ROW("virtnet-single-port", "single_port", BOOL, single_port, START,
        "false", 0, 0, NULL, "The card has one port."),
    ROW("virtnet-static-pf-mac-base", "static_pf.mac_base", MAC,
        static_pf_mac_base, START, NULL, 0, 0, NULL,
        "MAC address of the first static PF; the others follow.  By default "
        "made up."),
    ROW("virtnet-static-pf-features", "static_pf.features", HEX,
        static_pf_features, START, NULL, 0, 0, NULL,
        "Feature bits of static PFs."),
    ROW("virtnet-vf-mac-base", "vf.mac_base", MAC, vf_mac_base, START, NULL,
        0, 0, NULL, "MAC address of the first VF; the others follow.  Needs "
        "`virtnet-vf-vfs-per-pf`."),
    ROW("virtnet-vf-features", "vf.features", HEX, vf_features, START, NULL,
        0, 0, NULL, "Feature bits of VFs."),
    ROW("virtnet-vf-vfs-per-pf", "vf.vfs_per_pf", UINT, vf_vfs_per_pf, START,
        NULL, 0, 1008, NULL, "VFs of each PF that get MAC addresses of their "
        "own; with more, addresses repeat."),
    ROW("virtnet-vf-max-queue-pairs", "vf.max_queue_pairs", UINT,
        vf_max_queue_pairs, START, NULL, 0, 128, NULL,
        "Queue pairs of a VF; 0: by its vectors.  `vf.qp_num` means the "
        "same."),
    ROW("virtnet-vf-max-queue-size", "vf.max_queue_size", POW2,
        vf_max_queue_size, START, NULL, 4, 32768, NULL,
        "Descriptors of the queues of a VF; by default 256."),
    ROW("virtnet-packed-vq", "packed_vq", BOOL, packed_vq, START, "false",
        0, 0, NULL, "Offer packed rings by default.  Cards have none."),
    ROW("virtnet-mrg-rxbuf", "mrg_rxbuf", BOOL, mrg_rxbuf, START, "false",
        0, 0, NULL,
        "Offer mergeable receive buffers by default.  On a card, if its "
        "firmware has them."),
    ROW("virtnet-sf-pool-percent", "sf_pool_percent", UINT, sf_pool_percent,
        START, "0", 0, 100, NULL,
        "Percentage of `virtnet-pf-total-sf` to be made in advance."),
    ROW("virtnet-sf-pool-force-destroy", "sf_pool_force_destroy", BOOL,
        sf_pool_force_destroy, START, "false", 0, 0, NULL,
        "Destroy free SFs when the controller restarts."),
    ROW("virtnet-lm-prov", "lm_prov", STRING, lm_prov, START, NULL, 0, 0,
        NULL, "Provider of live migration: with `kernel`, VFs are "
        "transitional.  The software backend leaves migration itself to the "
        "front end."),
    ROW("virtnet-dpa-core-start", "dpa_core_start", UINT, dpa_core_start,
        START, NULL, 1, 10, NULL, "First core of the card's packet "
        "processor, with the next one.  Accepted; packet threads of the "
        "software backend are the switch's, see `pmd-cpu-mask`."),
    ROW("virtnet-dpa-core-end", "dpa_core_end", UINT, dpa_core_end, START,
        NULL, 1, 10, NULL, "Last such core, above the first."),
    ROW("virtnet-eth-vq-workers", "eth_vq_workers", UINT, eth_vq_workers,
        START, NULL, 1, 24, NULL, "Accepted; of no effect."),
    ROW("virtnet-admin-cmd-workers", "admin_cmd_workers", UINT,
        admin_cmd_workers, START, NULL, 1, 16, NULL,
        "Accepted; of no effect."),

    { "virtnet-mlx5-mode", NULL, VIRTNET_SETTING_CHOICE,
      MEMBER(mlx5_vendor), START, "native", 0, 0, { "native", "vendor" },
      "BlueField", "Who owns the card: `native`, the switch; `vendor`, "
      "NVIDIA's virtio-net-controller service, which the switch drives." },
    ROW("virtnet-mlx5-cli", NULL, STRING, mlx5_cli, START, NULL, 0, 0, NULL,
        "Path of that service's own `virtnet` program; `vendor` needs it."),

    ROW("virtnet-socket-dir", NULL, STRING, socket_dir, START, NULL, 0, 0,
        "Software backend", "Directory of vhost-user sockets, each "
        "`<representor>.sock`; by default `<rundir>/virtnet`."),
    { "virtnet-vhost-mode", NULL, VIRTNET_SETTING_CHOICE,
      MEMBER(vhost_server), START, "client", 0, 0, { "client", "server" },
      NULL, "`client`: the front end listens.  `server`: the switch does." },
    ROW("virtnet-mempool-size", NULL, UINT, mempool_size, START, "32768",
        1024, 4194304, NULL, "Packet buffers.  They are in use only while a "
        "packet passes, or waits in the queue of a physical port."),

    ROW("virtnet-auto-port", NULL, BOOL, auto_port, LIVE, "true", 0, 0,
        "Ports", "Whether devices become ports by themselves."),
    ROW("virtnet-bridge", NULL, STRING, bridge, LIVE, NULL, 0, 0, NULL,
        "The bridge that they become ports of."),
    ROW("virtnet-bridge-p0", NULL, STRING, bridge_p0, LIVE, NULL, 0, 0, NULL,
        "The same for the devices of one parent; counts for more."),
    ROW("virtnet-bridge-p1", NULL, STRING, bridge_p1, LIVE, NULL, 0, 0, NULL,
        "Likewise."),
    ROW("virtnet-bridge-lag", NULL, STRING, bridge_lag, LIVE, NULL, 0, 0,
        NULL, "Likewise."),
    ROW("virtnet-uplink-p0", NULL, STRING, uplink_p0, LIVE, "p0", 0, 0, NULL,
        "Without any of the above, the bridge that holds the parent's "
        "uplink, which has this name, is the one."),
    ROW("virtnet-uplink-p1", NULL, STRING, uplink_p1, LIVE, "p1", 0, 0, NULL,
        "Likewise."),
    ROW("virtnet-uplink-lag", NULL, STRING, uplink_lag, LIVE, "bond0", 0, 0,
        NULL, "Likewise."),
    ROW("virtnet-queue-stats", NULL, BOOL, queue_stats, LIVE, "false", 0, 0,
        NULL, "Show statistics of each queue of devices with many."),
};
const size_t virtnet_n_settings = ARRAY_SIZE(virtnet_settings_table);

/* Other names in the file. */
static const struct {
    const char *alias, *conf;
} aliases[] = {
    { "vf.qp_num", "vf.max_queue_pairs" },
};

/* Keys of the file that may not be given together; with 'if_true', only if
 * both are 1. */
static const struct {
    const char *a, *b;
    bool if_true;
} exclusions[] = {
    { "is_lag", "single_port", true },
    { "ib_dev_lag", "ib_dev_p0", false },
    { "ib_dev_lag", "ib_dev_p1", false },
};

/* Keys that make sense only with others. */
static const struct {
    const char *key, *needs;
} needs[] = {
    { "dpa_core_start", "dpa_core_end" },
    { "dpa_core_end", "dpa_core_start" },
    { "vf.mac_base", "vf.vfs_per_pf" },
};

/* Values. */

static bool
is_mac(const char *s)
{
    bool zero = true;

    if (strlen(s) != 17) {
        return false;
    }
    for (int i = 0; i < 17; i++) {
        if (i % 3 == 2 ? s[i] != ':'
            : !s[i] || !strchr("0123456789abcdefABCDEF", s[i])) {
            return false;
        }
        zero = zero && (s[i] == '0' || s[i] == ':');
    }
    return !zero && !(strtoul(s, NULL, 16) & 1);
}

char *
virtnet_setting_check(const struct virtnet_setting *s, const char *value)
{
    unsigned long long int x;

    switch (s->type) {
    case VIRTNET_SETTING_BOOL:
        return (!strcmp(value, "true") || !strcmp(value, "false") ? NULL
                : xasprintf("is neither \"true\" nor \"false\""));

    case VIRTNET_SETTING_CHOICE:
        return (!strcmp(value, s->choices[0])
                || !strcmp(value, s->choices[1]) ? NULL
                : xasprintf("is neither \"%s\" nor \"%s\"", s->choices[0],
                            s->choices[1]));

    case VIRTNET_SETTING_UINT:
    case VIRTNET_SETTING_POW2:
        if (value[strspn(value, "0123456789")]
            || !str_to_ullong(value, 10, &x) || x < s->min || x > s->max
            || (s->type == VIRTNET_SETTING_POW2 && x & (x - 1))) {
            return xasprintf("is not a %s from %u to %u",
                             s->type == VIRTNET_SETTING_POW2
                             ? "power of two" : "number", s->min, s->max);
        }
        return NULL;

    case VIRTNET_SETTING_STRING:
        return *value ? NULL : xasprintf("is empty");

    case VIRTNET_SETTING_MAC:
        return (is_mac(value) ? NULL
                : xasprintf("is not a unicast MAC address"));

    case VIRTNET_SETTING_HEX:
        return (*value != '-' && *value != '+'
                && str_to_ullong(value, 16, &x) ? NULL
                : xasprintf("is not a hexadecimal number"));
    }
    OVS_NOT_REACHED();
}

/* Parsing. */

struct parser {
    struct virtnet_conf *conf;
    const char *p;
    int line;
    bool failed;                /* No use in going on. */
};

static void OVS_PRINTF_FORMAT(4, 5)
problem(struct virtnet_conf *conf, int line, const char *key,
        const char *format, ...)
{
    struct virtnet_conf_problem *new;
    va_list args;

    conf->problems = xrealloc(conf->problems, (conf->n_problems + 1)
                              * sizeof *conf->problems);
    new = &conf->problems[conf->n_problems++];
    new->line = line;
    new->key = key && *key ? xasprintf("%s", key) : NULL;
    va_start(args, format);
    new->text = xvasprintf(format, args);
    va_end(args);
}

static void
syntax_error(struct parser *p, const char *what)
{
    if (!p->failed) {
        problem(p->conf, p->line, NULL, "%s", what);
        p->failed = true;
    }
}

static void
skip_space(struct parser *p)
{
    for (; *p->p && strchr(" \t\r\n", *p->p); p->p++) {
        p->line += *p->p == '\n';
    }
}

/* Parses a string, at its quotation mark, into '*s'.  Escapes other than of
 * single characters are no use in any setting. */
static bool
parse_string(struct parser *p, struct ds *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *x;

    for (p->p++; *p->p != '"'; p->p++) {
        if ((unsigned char) *p->p < ' ') {
            syntax_error(p, *p->p ? "control character in a string"
                         : "string without end");
            return false;
        } else if (*p->p != '\\') {
            ds_put_char(s, *p->p);
            continue;
        }
        p->p++;
        x = *p->p ? strchr(from, *p->p) : NULL;
        if (!x) {
            syntax_error(p, "unknown escape in a string");
            return false;
        }
        ds_put_char(s, to[x - from]);
    }
    p->p++;
    return true;
}

/* Skips a number, as RFC 8259, section 6, has it.  Returns true if there is
 * one; '*integer' is whether it is not negative and has only digits. */
static bool
parse_number(struct parser *p, bool *integer)
{
    const char *start = p->p;
    size_t n;

    *integer = true;
    if (*p->p == '-') {
        *integer = false;
        p->p++;
    }
    n = strspn(p->p, "0123456789");
    if (!n || (n > 1 && *p->p == '0')) {
        p->p = start;
        return false;
    }
    p->p += n;
    if (*p->p == '.') {
        *integer = false;
        n = strspn(++p->p, "0123456789");
        p->p += n;
    }
    if (n && (*p->p == 'e' || *p->p == 'E')) {
        *integer = false;
        p->p++;
        p->p += *p->p == '+' || *p->p == '-';
        n = strspn(p->p, "0123456789");
        p->p += n;
    }
    return n > 0;
}

static const struct virtnet_setting *
lookup(const char *conf_key)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (!strcmp(conf_key, aliases[i].alias)) {
            conf_key = aliases[i].conf;
        }
    }
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const struct virtnet_setting *s = &virtnet_settings_table[i];

        if (s->conf && !strcmp(s->conf, conf_key)) {
            return s;
        }
    }
    return NULL;
}

/* Is 'key' an object that has settings, like "vf"? */
static bool
is_group(const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const char *conf = virtnet_settings_table[i].conf;

        if (conf && !strncmp(conf, key, n) && conf[n] == '.') {
            return true;
        }
    }
    return false;
}

/* Takes the value of 'key', of JSON type 'type' ('s' string, 'n' number that
 * is a whole one, 'f' other number, 'b' boolean). */
static void
take(struct parser *p, const char *key, int line, char type,
     const char *value)
{
    const struct virtnet_setting *s = lookup(key);
    struct virtnet_conf_value *v;
    char *why;

    if (!s) {
        problem(p->conf, line, key,
                is_group(key) ? "must be an object" : "unknown key");
        return;
    }
    v = &p->conf->values[s - virtnet_settings_table];
    switch (s->type) {
    case VIRTNET_SETTING_BOOL:
        if (type != 'n' || strlen(value) != 1 || *value > '1') {
            problem(p->conf, line, key, "must be 0 or 1");
            return;
        }
        value = *value == '1' ? "true" : "false";
        break;
    case VIRTNET_SETTING_UINT:
    case VIRTNET_SETTING_POW2:
        if (type != 'n') {
            problem(p->conf, line, key, "must be a number from %u to %u",
                    s->min, s->max);
            return;
        }
        break;
    case VIRTNET_SETTING_STRING:
    case VIRTNET_SETTING_MAC:
    case VIRTNET_SETTING_HEX:
    case VIRTNET_SETTING_CHOICE:
        if (type != 's') {
            problem(p->conf, line, key, "must be a string");
            return;
        }
        break;
    }
    why = virtnet_setting_check(s, value);
    if (why) {
        problem(p->conf, line, key, "\"%s\" %s", value, why);
        free(why);
    } else if (v->line) {
        problem(p->conf, line, key, "given already in line %d", v->line);
    } else {
        v->line = line;
        v->text = xasprintf("%s", value);
    }
}

static void parse_object(struct parser *, const char *prefix, int depth);

/* Parses the value of 'key'. */
static void
parse_value(struct parser *p, const char *key, int depth)
{
    static const struct {
        const char *word;
        char type;
    } words[] = { { "true", 'b' }, { "false", 'b' }, { "null", '0' } };
    const char *start = p->p;
    int line = p->line;
    struct ds s = DS_EMPTY_INITIALIZER;
    bool integer;

    if (*p->p == '"') {
        if (parse_string(p, &s)) {
            take(p, key, line, 's', ds_cstr(&s));
        }
    } else if (*p->p == '{') {
        if (!is_group(key)) {
            problem(p->conf, line, key, lookup(key)
                    ? "must not be an object" : "unknown key");
        }
        parse_object(p, key, depth + 1);
    } else if (*p->p == '[') {
        problem(p->conf, line, key, "must not be an array");
        p->failed = true;
    } else if (parse_number(p, &integer)) {
        for (const char *c = start; c < p->p; c++) {
            ds_put_char(&s, *c);
        }
        take(p, key, line, integer ? 'n' : 'f', ds_cstr(&s));
    } else {
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
            size_t n = strlen(words[i].word);

            if (!strncmp(p->p, words[i].word, n)) {
                p->p += n;
                /* "null" is as good as nothing. */
                if (words[i].type == 'b') {
                    take(p, key, line, 'b', words[i].word);
                } else if (!lookup(key) && !is_group(key)) {
                    problem(p->conf, line, key, "unknown key");
                }
                ds_destroy(&s);
                return;
            }
        }
        syntax_error(p, "value expected");
    }
    ds_destroy(&s);
}

/* Parses an object, at its brace, whose keys come behind 'prefix'. */
static void
parse_object(struct parser *p, const char *prefix, int depth)
{
    if (depth > CONF_MAX_DEPTH) {
        syntax_error(p, "too many objects within objects");
        return;
    }
    p->p++;
    skip_space(p);
    if (*p->p == '}') {
        p->p++;
        return;
    }
    while (!p->failed) {
        struct ds key = DS_EMPTY_INITIALIZER;
        int line;

        if (*p->p != '"') {
            syntax_error(p, "key in quotation marks expected");
            return;
        }
        ds_put_format(&key, "%s%s", prefix, *prefix ? "." : "");
        if (parse_string(p, &key)) {
            skip_space(p);
            if (*p->p != ':') {
                syntax_error(p, "\":\" expected");
            } else {
                p->p++;
                skip_space(p);
                parse_value(p, ds_cstr(&key), depth);
            }
        }
        ds_destroy(&key);
        if (p->failed) {
            return;
        }

        line = p->line;
        skip_space(p);
        if (*p->p == '}') {
            p->p++;
            return;
        } else if (*p->p == ',') {
            line = p->line;
            p->p++;
            skip_space(p);
            if (*p->p == '}') {
                /* A favourite.  What follows can be understood. */
                problem(p->conf, line, NULL, "comma before \"}\"");
                p->p++;
                return;
            }
        } else if (*p->p == '"') {
            problem(p->conf, line, NULL, "comma missing at the end");
        } else {
            syntax_error(p, "\",\" or \"}\" expected");
        }
    }
}

static const struct virtnet_conf_value *
value_of(const struct virtnet_conf *conf, const char *key)
{
    return &conf->values[lookup(key) - virtnet_settings_table];
}

/* Checks what concerns several keys. */
static void
check_together(struct virtnet_conf *conf)
{
    const struct virtnet_conf_value *start, *end;

    for (size_t i = 0; i < ARRAY_SIZE(exclusions); i++) {
        const struct virtnet_conf_value *a = value_of(conf, exclusions[i].a);
        const struct virtnet_conf_value *b = value_of(conf, exclusions[i].b);

        if (a->line && b->line
            && (!exclusions[i].if_true || (!strcmp(a->text, "true")
                                           && !strcmp(b->text, "true")))) {
            problem(conf, MAX(a->line, b->line), exclusions[i].a,
                    "excludes %s", exclusions[i].b);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        const struct virtnet_conf_value *a = value_of(conf, needs[i].key);
        const struct virtnet_conf_value *b = value_of(conf, needs[i].needs);

        if (a->line && (!b->line || !strcmp(b->text, "0"))) {
            problem(conf, a->line, needs[i].key, "needs %s", needs[i].needs);
        }
    }
    start = value_of(conf, "dpa_core_start");
    end = value_of(conf, "dpa_core_end");
    if (start->line && end->line && atoi(end->text) <= atoi(start->text)) {
        problem(conf, end->line, "dpa_core_end",
                "must be above dpa_core_start");
    }
}

static void
conf_parse(struct virtnet_conf *conf, const char *text)
{
    struct parser p = { .conf = conf, .p = text, .line = 1 };

    skip_space(&p);
    if (*p.p != '{') {
        syntax_error(&p, "not a JSON object");
        return;
    }
    parse_object(&p, "", 0);
    skip_space(&p);
    if (!p.failed && *p.p) {
        syntax_error(&p, "text behind the object");
    }
    check_together(conf);
}

/* Reads the regular file 'fd' into 'text', which has CONF_MAX_SIZE + 1 bytes.
 * Returns NULL, or what is wrong. */
static const char *
read_text(int fd, char *text)
{
    struct stat s;
    size_t size = 0;
    ssize_t n;

    if (fstat(fd, &s)) {
        return strerror(errno);
    } else if (!S_ISREG(s.st_mode)) {
        return "not a regular file";
    }
    while ((n = read(fd, text + size, CONF_MAX_SIZE + 1 - size)) > 0) {
        size += n;
        if (size > CONF_MAX_SIZE) {
            return "too large";
        }
    }
    if (n < 0) {
        return strerror(errno);
    }
    text[size] = '\0';
    return strlen(text) == size ? NULL : "it has a null byte";
}

void
virtnet_conf_read(struct virtnet_conf *conf, const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    memset(conf, 0, sizeof *conf);
    conf->values = xcalloc(virtnet_n_settings, sizeof *conf->values);
    if (fd < 0) {
        conf->missing = errno == ENOENT;
        problem(conf, 0, NULL, "%s", strerror(errno));
    } else {
        char *text = xmalloc(CONF_MAX_SIZE + 1);
        const char *why = read_text(fd, text);

        if (why) {
            problem(conf, 0, NULL, "%s", why);
        } else {
            conf_parse(conf, text);
        }
        free(text);
        close(fd);
    }
}

void
virtnet_conf_destroy(struct virtnet_conf *conf)
{
    for (size_t i = 0; conf->values && i < virtnet_n_settings; i++) {
        free(conf->values[i].text);
    }
    free(conf->values);
    for (size_t i = 0; i < conf->n_problems; i++) {
        free(conf->problems[i].key);
        free(conf->problems[i].text);
    }
    free(conf->problems);
}

void
virtnet_conf_format(const struct virtnet_conf *conf, const char *path,
                    struct ds *s)
{
    if (!conf->n_problems) {
        ds_put_format(s, "%s is valid\n", path);
    }
    for (size_t i = 0; i < conf->n_problems; i++) {
        const struct virtnet_conf_problem *p = &conf->problems[i];

        ds_put_format(s, "%s is invalid: ", path);
        if (p->line) {
            ds_put_format(s, "line %d: ", p->line);
        }
        if (p->key) {
            ds_put_format(s, "%s: ", p->key);
        }
        ds_put_format(s, "%s\n", p->text);
    }
}

/* Documentation. */

static void
put_range(const struct virtnet_setting *s, struct ds *out)
{
    switch (s->type) {
    case VIRTNET_SETTING_BOOL:
        ds_put_cstr(out, "`true`, `false`");
        break;
    case VIRTNET_SETTING_UINT:
        ds_put_format(out, "%u to %u", s->min, s->max);
        break;
    case VIRTNET_SETTING_POW2:
        ds_put_format(out, "power of two, %u to %u", s->min, s->max);
        break;
    case VIRTNET_SETTING_STRING:
        ds_put_cstr(out, "text");
        break;
    case VIRTNET_SETTING_MAC:
        ds_put_cstr(out, "MAC address");
        break;
    case VIRTNET_SETTING_HEX:
        ds_put_cstr(out, "hexadecimal");
        break;
    case VIRTNET_SETTING_CHOICE:
        ds_put_format(out, "`%s`, `%s`", s->choices[0], s->choices[1]);
        break;
    }
}

void
virtnet_settings_document(struct ds *out)
{
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const struct virtnet_setting *s = &virtnet_settings_table[i];

        if (s->section) {
            ds_put_format(out, "%s## %s\n\n"
                          "| key | in the file | default | range | meaning |\n"
                          "| --- | --- | --- | --- | --- |\n",
                          i ? "\n" : "", s->section);
        }
        ds_put_format(out, "| `%s` | ", s->key);
        if (s->conf) {
            ds_put_format(out, "`%s` ", s->conf);
        }
        ds_put_cstr(out, "| ");
        if (s->def) {
            ds_put_format(out, "`%s` ", s->def);
        }
        ds_put_cstr(out, "| ");
        put_range(s, out);
        ds_put_format(out, " | %s%s |\n", s->at_start ? "*start.* " : "",
                      s->help);
    }
}
