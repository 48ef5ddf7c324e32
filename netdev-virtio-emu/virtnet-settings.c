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

/* Settings from other_config:virtnet-*.  See virtnet-settings.h. */

#include <config.h>

#include "virtnet-settings.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_settings);

enum setting_type {
    SETTING_BOOL,               /* "true" or "false". */
    SETTING_UINT,               /* Decimal number within [min, max]. */
    SETTING_STRING,             /* Any nonempty text. */
    SETTING_CHOICE,             /* 'choices[0]' is false, [1] is true. */
};

struct setting {
    const char *key;            /* In other_config. */
    enum setting_type type;
    size_t offset;              /* In struct virtnet_settings. */
    bool at_start;              /* Read only when the controller starts. */
    const char *def;            /* Default, as text; NULL for none. */
    unsigned int min, max;      /* SETTING_UINT only. */
    const char *choices[2];     /* SETTING_CHOICE only. */
};

#define MEMBER(NAME) offsetof(struct virtnet_settings, NAME)
#define S_BOOL(KEY, NAME, START, DEF) \
    { KEY, SETTING_BOOL, MEMBER(NAME), START, DEF, 0, 0, { NULL, NULL } }
#define S_UINT(KEY, NAME, START, DEF, MIN, MAX) \
    { KEY, SETTING_UINT, MEMBER(NAME), START, DEF, MIN, MAX, { NULL, NULL } }
#define S_STRING(KEY, NAME, START, DEF) \
    { KEY, SETTING_STRING, MEMBER(NAME), START, DEF, 0, 0, { NULL, NULL } }
#define S_CHOICE(KEY, NAME, START, DEF, C0, C1) \
    { KEY, SETTING_CHOICE, MEMBER(NAME), START, DEF, 0, 0, { C0, C1 } }

static const struct setting VIRTNET_SETTINGS[] = {
    S_BOOL("virtnet-enable", enable, true, "true"),
    S_STRING("virtnet-backend", backend, true, "soft"),
    S_STRING("virtnet-serial", serial, true, "MT0000X00000"),

    S_BOOL("virtnet-emulation-enable", emulation_enable, true, "true"),
    S_UINT("virtnet-num-pf", num_pf, true, "0", 0, 31),
    S_UINT("virtnet-num-vf", num_vf, true, "0", 0, 1008),
    S_UINT("virtnet-num-msix", num_msix, true, "64", 4, 1024),
    S_UINT("virtnet-num-vf-msix", num_vf_msix, true, "0", 0, 1024),
    /* A card has at most 31 ports; software may have more, as many as there
     * are SF numbers for hotplug devices. */
    S_UINT("virtnet-switch-num-port", switch_num_port, true, "31", 0, 1000),
    S_UINT("virtnet-pf-total-sf", pf_total_sf, true, "0", 0, 65536),
    S_UINT("virtnet-max-vfs", max_vfs, true, "1008", 0, 4096),
    S_UINT("virtnet-max-functions", max_functions, true, "0", 0, 8192),
    S_UINT("virtnet-max-hotplug-with-vfs", max_hotplug_with_vfs, true, "15",
           0, 1000),

    S_BOOL("virtnet-packed-vq", packed_vq, true, "false"),
    S_BOOL("virtnet-mrg-rxbuf", mrg_rxbuf, true, "false"),
    S_BOOL("virtnet-recovery", recovery, true, "true"),
    S_STRING("virtnet-ib-dev-p0", ib_dev_p0, true, "mlx5_0"),
    S_STRING("virtnet-ib-dev-p1", ib_dev_p1, true, "mlx5_1"),
    S_STRING("virtnet-ib-dev-lag", ib_dev_lag, true, "mlx5_bond_0"),
    S_BOOL("virtnet-is-lag", is_lag, true, "false"),
    S_BOOL("virtnet-single-port", single_port, true, "false"),
    S_STRING("virtnet-ib-dev-for-static-pf", ib_dev_for_static_pf, true,
             NULL),
    S_STRING("virtnet-static-pf-mac-base", static_pf_mac_base, true, NULL),
    S_STRING("virtnet-static-pf-features", static_pf_features, true, NULL),
    S_STRING("virtnet-vf-mac-base", vf_mac_base, true, NULL),
    S_STRING("virtnet-vf-features", vf_features, true, NULL),
    S_UINT("virtnet-vf-vfs-per-pf", vf_vfs_per_pf, true, "0", 0, 1008),
    S_UINT("virtnet-vf-max-queue-pairs", vf_max_queue_pairs, true, "0",
           0, 128),
    S_UINT("virtnet-vf-max-queue-size", vf_max_queue_size, true, "0",
           0, 32768),
    S_UINT("virtnet-sf-pool-percent", sf_pool_percent, true, "0", 0, 100),
    S_BOOL("virtnet-sf-pool-force-destroy", sf_pool_force_destroy, true,
           "false"),
    S_STRING("virtnet-lm-prov", lm_prov, true, NULL),
    S_STRING("virtnet-recovery-dir", recovery_dir, true, NULL),

    S_STRING("virtnet-socket-dir", socket_dir, true, NULL),
    S_CHOICE("virtnet-vhost-mode", vhost_server, true, "client",
             "client", "server"),
    S_UINT("virtnet-mempool-size", mempool_size, true, "32768",
           1024, 4194304),

    S_BOOL("virtnet-auto-port", auto_port, false, "true"),
    S_STRING("virtnet-bridge", bridge, false, NULL),
    S_STRING("virtnet-bridge-p0", bridge_p0, false, NULL),
    S_STRING("virtnet-bridge-p1", bridge_p1, false, NULL),
    S_STRING("virtnet-bridge-lag", bridge_lag, false, NULL),
    S_STRING("virtnet-uplink-p0", uplink_p0, false, "p0"),
    S_STRING("virtnet-uplink-p1", uplink_p1, false, "p1"),
    S_STRING("virtnet-uplink-lag", uplink_lag, false, "bond0"),
    S_BOOL("virtnet-queue-stats", queue_stats, false, "false"),
};

/* Values that have been complained about: key to value.  Each is named once,
 * however often the database is read. */
static struct shash complaints = SHASH_INITIALIZER(&complaints);

static void
complain(const struct setting *s, const char *value)
{
    const char *last = shash_find_data(&complaints, s->key);
    if (last && !strcmp(last, value)) {
        return;
    }
    free(shash_replace(&complaints, s->key, xstrdup(value)));

    if (s->type == SETTING_UINT) {
        VLOG_WARN("other_config:%s: \"%s\" is not a number from %u to %u; "
                  "using %s", s->key, value, s->min, s->max, s->def);
    } else {
        VLOG_WARN("other_config:%s: \"%s\" is neither \"%s\" nor \"%s\"; "
                  "using \"%s\"", s->key, value,
                  s->type == SETTING_BOOL ? "true" : s->choices[0],
                  s->type == SETTING_BOOL ? "false" : s->choices[1], s->def);
    }
}

/* Stores 'value' as the setting 's'.  Returns false if it is no good. */
static bool
setting_store(struct virtnet_settings *settings, const struct setting *s,
              const char *value)
{
    void *p = (char *) settings + s->offset;

    switch (s->type) {
    case SETTING_BOOL:
        if (strcmp(value, "true") && strcmp(value, "false")) {
            return false;
        }
        *(bool *) p = !strcmp(value, "true");
        return true;

    case SETTING_CHOICE:
        if (strcmp(value, s->choices[0]) && strcmp(value, s->choices[1])) {
            return false;
        }
        *(bool *) p = !strcmp(value, s->choices[1]);
        return true;

    case SETTING_UINT: {
        unsigned int x;

        if (!str_to_uint(value, 10, &x) || x < s->min || x > s->max) {
            return false;
        }
        *(unsigned int *) p = x;
        return true;
    }

    case SETTING_STRING:
        free(*(char **) p);
        *(char **) p = xstrdup(value);
        return true;
    }
    OVS_NOT_REACHED();
}

void
virtnet_settings_from_smap(struct virtnet_settings *settings,
                           const struct smap *other_config, bool ports_only)
{
    for (size_t i = 0; i < ARRAY_SIZE(VIRTNET_SETTINGS); i++) {
        const struct setting *s = &VIRTNET_SETTINGS[i];
        const char *value = (other_config
                             ? smap_get(other_config, s->key) : NULL);

        if (ports_only && s->at_start) {
            continue;
        }
        if (value && *value) {
            if (setting_store(settings, s, value)) {
                continue;
            }
            complain(s, value);
        }
        if (s->def) {
            setting_store(settings, s, s->def);
        } else {
            char **p = (char **) ((char *) settings + s->offset);

            free(*p);
            *p = NULL;
        }
    }

    /* Directories whose default depends on where Open vSwitch lives. */
    if (!settings->socket_dir) {
        settings->socket_dir = xasprintf("%s/virtnet", ovs_rundir());
    }
    if (!settings->recovery_dir) {
        settings->recovery_dir = xasprintf("%s/virtnet/recovery",
                                           ovs_dbdir());
    }
}

void
virtnet_settings_destroy(struct virtnet_settings *settings)
{
    for (size_t i = 0; i < ARRAY_SIZE(VIRTNET_SETTINGS); i++) {
        const struct setting *s = &VIRTNET_SETTINGS[i];

        if (s->type == SETTING_STRING) {
            char **p = (char **) ((char *) settings + s->offset);

            free(*p);
            *p = NULL;
        }
    }
}
