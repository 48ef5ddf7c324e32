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

/* What backends of a card have in common.  See mlx5-base.h. */

#include <config.h>

#include "mlx5-base.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "virtnet-settings.h"

size_t
mlx5_wanted_parents(const struct virtnet_settings *s,
                    struct virtnet_ib_device wanted[MLX5_MAX_PARENTS])
{
    size_t n = 0;

    if (s->is_lag) {
        wanted[n++] = (struct virtnet_ib_device) { .name = s->ib_dev_lag };
    } else {
        wanted[n++] = (struct virtnet_ib_device) { .name = s->ib_dev_p0 };
        if (!s->single_port) {
            wanted[n++] = (struct virtnet_ib_device) {
                .name = s->ib_dev_p1, .port = 1,
            };
        }
    }
    return n;
}

/* Is 'name' that of a device for bonded ports?  mlx5_ib gives them names of
 * their own. */
static bool
is_bond(const struct virtnet_settings *s, const char *name)
{
    return (!strncmp(name, "mlx5_bond_", strlen("mlx5_bond_"))
            || nullable_string_is_equal(name, s->ib_dev_lag));
}

void
mlx5_complain_of_lag(const struct virtnet_settings *s,
                     const char *const names[], size_t n)
{
    const char *bond = NULL, *port = NULL;

    for (size_t i = 0; i < n; i++) {
        if (is_bond(s, names[i])) {
            bond = names[i];
        } else if (!strcmp(names[i], s->ib_dev_p0)) {
            port = names[i];
        }
    }
    if (!s->is_lag && bond) {
        virtnet_settings_complain("virtnet-is-lag", "is false, and the ports "
                                  "of the card are bonded: there is RDMA "
                                  "device %s", bond);
    } else if (s->is_lag && !bond && port) {
        virtnet_settings_complain("virtnet-is-lag", "is true, and the ports "
                                  "of the card are not bonded: there is RDMA "
                                  "device %s", port);
    }
}

void
mlx5_parents_add(struct mlx5_parents *parents,
                 const struct virtnet_ib_device *wanted, const char *pci_addr)
{
    ovs_assert(parents->n < MLX5_MAX_PARENTS);
    parents->devs[parents->n++] = (struct virtnet_ib_device) {
        .name = xstrdup(wanted->name),
        .pci_addr = xstrdup(pci_addr),
        .port = wanted->port,
    };
}

const struct virtnet_ib_device *
mlx5_parents_find(const struct mlx5_parents *parents, const char *name)
{
    for (size_t i = 0; name && i < parents->n; i++) {
        if (!strcmp(parents->devs[i].name, name)) {
            return &parents->devs[i];
        }
    }
    return NULL;
}

/* Settings that stand for a card's firmware configuration.  The entries of
 * mlxconfig are those of Documentation/bluefield.md. */
static const struct {
    const char *key;
    bool native;                /* In mode "native", too? */
    const char *why;
} firmware_settings[] = {
    { "virtnet-num-pf", true, "firmware says how many static PFs there are: "
      "set VIRTIO_NET_EMULATION_NUM_PF with mlxconfig" },
    { "virtnet-num-vf", true, "firmware says how many VFs a PF can have: set "
      "VIRTIO_NET_EMULATION_NUM_VF with mlxconfig" },
    { "virtnet-switch-num-port", true, "firmware says how many hotplug PFs "
      "there can be: set PCI_SWITCH_EMULATION_NUM_PORT with mlxconfig" },
    { "virtnet-num-msix", false, "firmware says how many vectors a PF has: "
      "set VIRTIO_NET_EMULATION_NUM_MSIX with mlxconfig" },
    { "virtnet-num-vf-msix", false, "firmware says how many vectors a VF has: "
      "set VIRTIO_NET_EMULATION_NUM_VF_MSIX with mlxconfig" },
    { "virtnet-pf-total-sf", false, "firmware says how many SFs there can be: "
      "set PF_TOTAL_SF with mlxconfig" },
};

const char *
mlx5_firmware_says(const char *key, bool all)
{
    for (size_t i = 0; i < ARRAY_SIZE(firmware_settings); i++) {
        if (!strcmp(key, firmware_settings[i].key)) {
            return (all || firmware_settings[i].native
                    ? firmware_settings[i].why : NULL);
        }
    }
    return NULL;
}

static struct mlx5_base *
mlx5_base_cast(const struct virtnet_backend *backend)
{
    return CONTAINER_OF(backend, struct mlx5_base, up);
}

void
mlx5_base_uninit(struct mlx5_base *base)
{
    for (size_t i = 0; i < base->parents.n; i++) {
        const struct virtnet_ib_device *ib = &base->parents.devs[i];

        free(CONST_CAST(char *, ib->name));
        free(CONST_CAST(char *, ib->pci_addr));
    }
    free(CONST_CAST(char *, base->caps.emulation_manager));
}

const struct virtnet_backend_caps *
mlx5_base_get_caps(const struct virtnet_backend *backend)
{
    return &mlx5_base_cast(backend)->caps;
}

size_t
mlx5_base_get_ib_devices(const struct virtnet_backend *backend,
                         const struct virtnet_ib_device **devs)
{
    const struct mlx5_base *base = mlx5_base_cast(backend);

    *devs = base->parents.devs;
    return base->parents.n;
}
