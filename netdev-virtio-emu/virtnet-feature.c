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

/* Bits and their names.  See virtnet-feature.h. */

#include <config.h>

#include "virtnet-feature.h"

#include <stdbool.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

/* VIRTIO 1.2, sections 5.1.3 and 6, and for the names the command reference,
 * which spells bit 15 in its own way. */
const struct virtnet_bit virtnet_feature_bits[] = {
    { 0, "VIRTIO_NET_F_CSUM" },
    { 1, "VIRTIO_NET_F_GUEST_CSUM" },
    { 2, "VIRTIO_NET_F_CTRL_GUEST_OFFLOADS" },
    { 3, "VIRTIO_NET_F_MTU" },
    { 5, "VIRTIO_NET_F_MAC" },
    { 7, "VIRTIO_NET_F_GUEST_TSO4" },
    { 8, "VIRTIO_NET_F_GUEST_TSO6" },
    { 9, "VIRTIO_NET_F_GUEST_ECN" },
    { 10, "VIRTIO_NET_F_GUEST_UFO" },
    { 11, "VIRTIO_NET_F_HOST_TSO4" },
    { 12, "VIRTIO_NET_F_HOST_TSO6" },
    { 13, "VIRTIO_NET_F_HOST_ECN" },
    { 14, "VIRTIO_NET_F_HOST_UFO" },
    { 15, "VIRTIO_F_MRG_RX_BUFFER" },
    { 16, "VIRTIO_NET_F_STATUS" },
    { 17, "VIRTIO_NET_F_CTRL_VQ" },
    { 18, "VIRTIO_NET_F_CTRL_RX" },
    { 19, "VIRTIO_NET_F_CTRL_VLAN" },
    { 20, "VIRTIO_NET_F_CTRL_RX_EXTRA" },
    { 21, "VIRTIO_NET_F_GUEST_ANNOUNCE" },
    { 22, "VIRTIO_NET_F_MQ" },
    { 23, "VIRTIO_NET_F_CTRL_MAC_ADDR" },
    { 24, "VIRTIO_F_NOTIFY_ON_EMPTY" },
    { 26, "VHOST_F_LOG_ALL" },
    { 27, "VIRTIO_F_ANY_LAYOUT" },
    { 28, "VIRTIO_F_RING_INDIRECT_DESC" },
    { 29, "VIRTIO_F_RING_EVENT_IDX" },
    { 30, "VHOST_USER_F_PROTOCOL_FEATURES" },
    { 32, "VIRTIO_F_VERSION_1" },
    { 33, "VIRTIO_F_IOMMU_PLATFORM" },
    { 34, "VIRTIO_F_RING_PACKED" },
    { 35, "VIRTIO_F_IN_ORDER" },
    { 36, "VIRTIO_F_ORDER_PLATFORM" },
    { 37, "VIRTIO_F_SR_IOV" },
    { 38, "VIRTIO_F_NOTIFICATION_DATA" },
    { 40, "VIRTIO_F_RING_RESET" },
    { 41, "VIRTIO_F_ADMIN_VQ" },
    { 52, "VIRTIO_NET_F_VQ_NOTF_COAL" },
    { 53, "VIRTIO_NET_F_NOTF_COAL" },
    { 54, "VIRTIO_NET_F_GUEST_USO4" },
    { 55, "VIRTIO_NET_F_GUEST_USO6" },
    { 56, "VIRTIO_NET_F_HOST_USO" },
    { 57, "VIRTIO_NET_F_HASH_REPORT" },
    { 59, "VIRTIO_NET_F_GUEST_HDRLEN" },
    { 60, "VIRTIO_NET_F_RSS" },
    { 61, "VIRTIO_NET_F_RSC_EXT" },
    { 62, "VIRTIO_NET_F_STANDBY" },
    { 63, "VIRTIO_NET_F_SPEED_DUPLEX" },
    { 0, NULL },
};

const struct virtnet_bit virtnet_status_bits[] = {
    { 0, "ACK" },
    { 1, "DRIVER" },
    { 2, "DRIVER_OK" },
    { 3, "FEATURES_OK" },
    { 6, "DEVICE_NEEDS_RESET" },
    { 7, "FAILED" },
    { 0, NULL },
};

const struct virtnet_bit virtnet_queue_type_bits[] = {
    { 0, "SPLIT" },
    { 1, "PACKED" },
    { 0, NULL },
};

const struct virtnet_bit virtnet_event_mode_bits[] = {
    { 0, "NO_MSIX_MODE" },
    { 1, "QP_MODE" },
    { 2, "MSIX_MODE" },
    { 0, NULL },
};

/* Features that make sense only with another; VIRTIO 1.3, section
 * 5.1.3.1. */
static const struct {
    uint8_t bit;
    uint8_t needs;
} dependencies[] = {
    { 7, 1 },                   /* GUEST_TSO4 needs GUEST_CSUM. */
    { 8, 1 },                   /* GUEST_TSO6 likewise. */
    { 11, 0 },                  /* HOST_TSO4 needs CSUM. */
    { 12, 0 },                  /* HOST_TSO6 likewise. */
    { 18, 17 },                 /* CTRL_RX needs CTRL_VQ. */
    { 19, 17 },                 /* CTRL_VLAN. */
    { 21, 17 },                 /* GUEST_ANNOUNCE. */
    { 22, 17 },                 /* MQ. */
    { 23, 17 },                 /* CTRL_MAC_ADDR. */
    { 54, 1 },                  /* GUEST_USO4 needs GUEST_CSUM. */
    { 55, 1 },                  /* GUEST_USO6 likewise. */
    { 56, 0 },                  /* HOST_USO needs CSUM. */
};

void
virtnet_features_format(uint64_t features, struct ds *s)
{
    bool first = true;

    for (const struct virtnet_bit *b = virtnet_feature_bits; b->name; b++) {
        if (features & (UINT64_C(1) << b->bit)) {
            ds_put_format(s, "%s%d %s", first ? "" : ", ", b->bit, b->name);
            first = false;
        }
    }
}

char *
virtnet_features_need(uint64_t features)
{
    for (size_t i = 0; i < ARRAY_SIZE(dependencies); i++) {
        if (features & (UINT64_C(1) << dependencies[i].bit)
            && !(features & (UINT64_C(1) << dependencies[i].needs))) {
            return xasprintf("feature bit %d needs bit %d",
                             dependencies[i].bit, dependencies[i].needs);
        }
    }
    return NULL;
}

uint64_t
virtnet_features_unknown(uint64_t features)
{
    for (const struct virtnet_bit *b = virtnet_feature_bits; b->name; b++) {
        features &= ~(UINT64_C(1) << b->bit);
    }
    return features;
}
