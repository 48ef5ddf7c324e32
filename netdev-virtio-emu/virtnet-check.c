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

/* Rules for single attributes.  See virtnet-check.h. */

#include <config.h>

#include "virtnet-check.h"

#include <inttypes.h>

#include "netdev-provider.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-controller.h"
#include "virtnet-error.h"
#include "virtnet-feature.h"
#include "virtnet-life.h"
#include "virtnet-settings.h"

#define VIRTIO_F_RING_PACKED 34         /* VIRTIO 1.2, section 6. */
#define VIRTIO_F_SR_IOV 37

int
virtnet_check_mac(const char *text, const struct virtnet_device *dev,
                  struct eth_addr *mac, char **errp)
{
    const struct virtnet_device *other;

    if (strlen(text) != ETH_ADDR_STRLEN || !eth_addr_from_string(text, mac)
        || eth_addr_is_zero(*mac) || eth_addr_is_multicast(*mac)) {
        return virtnet_refuse(VIRTNET_E_MAC_INVALID, errp,
                              "\"%s\" is not a unicast MAC address", text);
    }
    /* Nothing changes for a VF that shares its address and keeps it. */
    other = virtnet_device_by_mac(*mac);
    if (!other) {
        other = virtnet_making_by_mac(*mac);
    }
    if (!other) {
        other = virtnet_changing_to_mac(*mac);
    }
    if (other && !(dev && eth_addr_equals(dev->config.mac, *mac))) {
        return virtnet_refuse(VIRTNET_E_MAC_INVALID, errp,
                              "%s has the MAC address %s already",
                              other->vuid ? other->vuid : "another device",
                              text);
    }
    return 0;
}

int
virtnet_check_mtu(unsigned long long int mtu, const char *ib_device,
                  char **errp)
{
    const char *uplink = virtnet_settings_of_parent(
        virtnet_controller_settings(), ib_device).uplink;
    struct netdev *netdev;
    bool fits = true;
    int max = 0;

    if (mtu < VIRTNET_MTU_MIN || mtu > VIRTNET_MTU_MAX) {
        return virtnet_refuse(VIRTNET_E_MTU_INVALID, errp,
                              "MTU %llu is not from %d to %d", mtu,
                              VIRTNET_MTU_MIN, VIRTNET_MTU_MAX);
    }
    netdev = uplink ? netdev_from_name(uplink) : NULL;
    if (netdev && !netdev_get_mtu(netdev, &max)) {
        fits = (int) mtu <= max;
    }
    netdev_close(netdev);
    return (fits ? 0
            : virtnet_refuse(VIRTNET_E_MTU_INVALID, errp, "MTU %llu is above "
                             "that of the uplink %s, %d", mtu, uplink, max));
}

int
virtnet_check_queue_size(unsigned long long int size, char **errp)
{
    if (size < VIRTNET_QUEUE_SIZE_MIN || !IS_POW2(size)) {
        return virtnet_refuse(VIRTNET_E_QUEUE_SIZE_POW2, errp,
                              "queue size is %llu", size);
    } else if (size > VIRTNET_QUEUE_SIZE_MAX) {
        return virtnet_refuse(VIRTNET_E_QUEUE_SIZE, errp,
                              "queue size %llu is above %d", size,
                              VIRTNET_QUEUE_SIZE_MAX);
    }
    return 0;
}

unsigned int
virtnet_max_queue_pairs(const struct virtnet_backend_caps *caps)
{
    return MIN((caps->max_virt_queues - 1) / 2, VIRTNET_MAX_QUEUE_PAIRS);
}

int
virtnet_check_queue_pairs(unsigned long long int pairs,
                          const struct virtnet_backend_caps *caps, char **errp)
{
    unsigned int max = virtnet_max_queue_pairs(caps);

    return (pairs >= 1 && pairs <= max ? 0
            : virtnet_refuse(VIRTNET_E_QUEUES_INVALID, errp, "the number of "
                             "queue pairs must be from 1 to %u", max));
}

int
virtnet_check_migrating(const struct virtnet_device *dev, bool vfs,
                        char **errp)
{
    for (unsigned int i = 0; vfs && i < dev->n_vfs; i++) {
        const struct virtnet_device *vf = virtnet_device_by_vf(dev->pf_id, i);

        if (vf && vf->driver.migrating) {
            dev = vf;
            break;
        }
    }
    return (!dev->driver.migrating ? 0
            : virtnet_refuse(VIRTNET_E_MIGRATING, errp, "the guest of %s is "
                             "on its way to another host", dev->vuid));
}

uint64_t
virtnet_features_for(uint64_t features, enum virtnet_function_type type,
                     const struct virtnet_backend_caps *caps)
{
    if (type != VIRTNET_STATIC_PF) {
        features &= ~(UINT64_C(1) << VIRTIO_F_SR_IOV);
    }
    return (features & ~caps->left_out_features) | caps->required_features;
}

char *
virtnet_features_left_out(uint64_t features,
                          const struct virtnet_backend_caps *caps)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    features &= caps->left_out_features;
    if (!features) {
        return NULL;
    }
    ds_put_cstr(&s, "features that this backend cannot offer are left out: ");
    virtnet_features_format(features, &s);
    return ds_steal_cstr(&s);
}

int
virtnet_check_features(uint64_t features,
                       const struct virtnet_backend_caps *caps, char **errp)
{
    uint64_t unsupported = features & ~caps->supported_features;
    char *lack;

    if (unsupported) {
        return virtnet_refuse(VIRTNET_E_FEATURE_VALIDATE, errp,
                              "feature bits 0x%"PRIx64" are not supported",
                              unsupported);
    }
    lack = virtnet_features_need(features);
    if (lack) {
        *errp = lack;
        return VIRTNET_E_FEATURE_VALIDATE;
    }
    return 0;
}

int
virtnet_check_together(const struct virtnet_device_config *config,
                       const struct virtnet_backend_caps *caps, char **errp)
{
    uint64_t excluded = config->features & caps->packed_excludes;

    if (!(config->features & (UINT64_C(1) << VIRTIO_F_RING_PACKED))) {
        return 0;
    } else if (excluded) {
        return virtnet_refuse(VIRTNET_E_FEATURE_VALIDATE, errp,
                              "feature bits 0x%"PRIx64" do not go with packed "
                              "virtqueues", excluded);
    } else if (caps->packed_max_mtu && config->mtu > caps->packed_max_mtu) {
        return virtnet_refuse(VIRTNET_E_MTU_INVALID, errp,
                              "the MTU cannot be above %u with packed "
                              "virtqueues", caps->packed_max_mtu);
    }
    return 0;
}
