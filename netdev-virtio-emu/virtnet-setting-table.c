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

/* Settings: the table of all of them.  See virtnet-conf.h. */

#include <config.h>

#include "virtnet-conf.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"
#include "virtnet-feature.h"
#include "virtnet-settings.h"

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
    ROW("virtnet-serial", NULL, WORD, serial, START, "MT0000X00000", 1, 64,
        NULL, "Head of each VUID.  Records with another one are set aside."),
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
    { "virtnet-mlx5-representor", NULL, VIRTNET_SETTING_CHOICE,
      MEMBER(mlx5_kernel_rep), START, "auto", 0, 0, { "auto", "kernel" },
      NULL, "What packets of ports in the userspace datapath go through: "
      "`auto`, a port of DPDK, or the representor's network interface where "
      "DPDK has none; `kernel`, that interface." },
    ROW("virtnet-mlx5-devargs", NULL, STRING, mlx5_devargs, START,
        "{pci},representor={port}", 0, 0, NULL,
        "What DPDK is to probe for a representor: `{pci}` stands for the "
        "address of the card's PCI function, `{port}` for `sf` and the SF's "
        "number, with `pf` and the function's number before them if the "
        "ports are bonded, `{sf}` for the SF's number alone, `{rep}` for the "
        "representor's name."),

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
    char *lack;

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

    case VIRTNET_SETTING_WORD:
        return (value[strspn(value, "0123456789abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]
                || strlen(value) < s->min || strlen(value) > s->max
                ? xasprintf("is not %u to %u letters and digits", s->min,
                            s->max) : NULL);

    case VIRTNET_SETTING_MAC:
        return (is_mac(value) ? NULL
                : xasprintf("is not a unicast MAC address"));

    case VIRTNET_SETTING_HEX:
        if (*value == '-' || *value == '+'
            || !str_to_ullong(value, 16, &x)) {
            return xasprintf("is not a hexadecimal number");
        } else if (virtnet_features_unknown(x)) {
            return xasprintf("has feature bits 0x%"PRIx64", of which nothing "
                             "is known", virtnet_features_unknown(x));
        }
        lack = virtnet_features_need(x);
        if (lack) {
            char *why = xasprintf("is inconsistent: %s", lack);

            free(lack);
            return why;
        }
        return NULL;
    }
    OVS_NOT_REACHED();
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
    case VIRTNET_SETTING_WORD:
        ds_put_format(out, "%u to %u letters and digits", s->min, s->max);
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
