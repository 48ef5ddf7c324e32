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

/* The devices that there are.  See virtnet-registry.h. */

#include <config.h>

#include "virtnet-registry.h"

#include <string.h>

#include "bitmap.h"
#include "hash.h"
#include "packets.h"
#include "util.h"
#include "virtnet-controller.h"

/* SF numbers, of all kinds of devices. */
#define SF_MIN VIRTNET_SF_STATIC_MIN
#define SF_MAX (VIRTNET_SF_VF_MIN + VIRTNET_MAX_VFS - 1)
#define N_SFS (SF_MAX - SF_MIN + 1)

static struct {
    struct ovs_list devices;    /* By list_node, in order of ids. */
    size_t n[3];                /* By type. */
    struct hmap by_vuid;        /* By vuid_node. */
    struct hmap by_pf;          /* By id_node; PFs only. */
    struct hmap by_vf;          /* By id_node; VFs only. */
    struct hmap by_rep;         /* By rep_node. */
    struct hmap by_mac;         /* By mac_node. */
    struct hmap by_owner;       /* By owner_node, if there is an owner. */
    unsigned long *pf_ids;      /* Bitmap of those in use. */
    unsigned long *sfs;         /* Likewise; bit 0 is SF_MIN. */
} reg;

void
virtnet_registry_init(void)
{
    ovs_list_init(&reg.devices);
    hmap_init(&reg.by_vuid);
    hmap_init(&reg.by_pf);
    hmap_init(&reg.by_vf);
    hmap_init(&reg.by_rep);
    hmap_init(&reg.by_mac);
    hmap_init(&reg.by_owner);
    reg.pf_ids = bitmap_allocate(VIRTNET_MAX_PFS);
    reg.sfs = bitmap_allocate(N_SFS);
}

/* Looking up. */

struct ovs_list *
virtnet_controller_devices__(void)
{
    return &reg.devices;
}

size_t
virtnet_controller_n_devices(void)
{
    return hmap_count(&reg.by_vuid);
}

size_t
virtnet_registry_count(enum virtnet_function_type type)
{
    return reg.n[type];
}

bool
virtnet_registry_contains(const struct virtnet_device *dev)
{
    return !ovs_list_is_empty(&dev->list_node);
}

static uint32_t
hash_vf(unsigned int pf_id, unsigned int vf_id)
{
    return hash_2words(pf_id, vf_id);
}

struct virtnet_device *
virtnet_device_by_vuid(const char *vuid)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, vuid_node, hash_string(vuid, 0),
                             &reg.by_vuid) {
        if (!strcmp(dev->vuid, vuid)) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_pf(unsigned int pf_id)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, id_node, hash_int(pf_id, 0), &reg.by_pf) {
        if (dev->pf_id == pf_id) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_vf(unsigned int pf_id, unsigned int vf_id)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, id_node, hash_vf(pf_id, vf_id),
                             &reg.by_vf) {
        if (dev->pf_id == pf_id && dev->vf_id == vf_id) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_rep(const char *rep_name)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, rep_node, hash_string(rep_name, 0),
                             &reg.by_rep) {
        if (!strcmp(dev->rep_name, rep_name)) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_mac(const struct eth_addr mac)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, mac_node, hash_mac(mac, 0, 0),
                             &reg.by_mac) {
        if (eth_addr_equals(dev->config.mac, mac)) {
            return dev;
        }
    }
    return NULL;
}

struct virtnet_device *
virtnet_device_by_owner(const char *port_name)
{
    struct virtnet_device *dev;

    HMAP_FOR_EACH_WITH_HASH (dev, owner_node, hash_string(port_name, 0),
                             &reg.by_owner) {
        if (!strcmp(dev->owner_port, port_name)) {
            return dev;
        }
    }
    return NULL;
}

/* Adding and removing. */

/* Does 'a' come before 'b' where devices are listed? */
static bool
device_is_before(const struct virtnet_device *a,
                 const struct virtnet_device *b)
{
    if (a->pf_id != b->pf_id) {
        return a->pf_id < b->pf_id;
    } else if ((a->type == VIRTNET_VF) != (b->type == VIRTNET_VF)) {
        return b->type == VIRTNET_VF;
    }
    return a->vf_id < b->vf_id;
}

/* Returns the place in the list before the first PF whose id is above
 * 'pf_id'. */
static struct ovs_list *
next_pf(unsigned int pf_id)
{
    size_t id = pf_id;

    for (;;) {
        struct virtnet_device *dev;

        id = bitmap_scan(reg.pf_ids, 1, id + 1, VIRTNET_MAX_PFS);
        if (id >= VIRTNET_MAX_PFS) {
            return &reg.devices;
        }
        dev = virtnet_device_by_pf(id);
        if (dev) {
            return &dev->list_node;
        }
    }
}

static void
list_insert(struct virtnet_device *dev)
{
    struct ovs_list *before = next_pf(dev->pf_id);

    /* The VFs of a PF come in order, so their place is at the end. */
    while (before->prev != &reg.devices) {
        struct virtnet_device *prev = CONTAINER_OF(before->prev,
                                                   struct virtnet_device,
                                                   list_node);

        if (device_is_before(prev, dev)) {
            break;
        }
        before = &prev->list_node;
    }
    ovs_list_insert(before, &dev->list_node);
}

void
virtnet_registry_insert(struct virtnet_device *dev)
{
    list_insert(dev);
    reg.n[dev->type]++;
    hmap_insert(&reg.by_vuid, &dev->vuid_node, hash_string(dev->vuid, 0));
    hmap_insert(&reg.by_rep, &dev->rep_node, hash_string(dev->rep_name, 0));
    hmap_insert(&reg.by_mac, &dev->mac_node, hash_mac(dev->config.mac, 0, 0));
    if (dev->owner_port) {
        hmap_insert(&reg.by_owner, &dev->owner_node,
                    hash_string(dev->owner_port, 0));
    }
    if (dev->type == VIRTNET_VF) {
        hmap_insert(&reg.by_vf, &dev->id_node,
                    hash_vf(dev->pf_id, dev->vf_id));
    } else {
        hmap_insert(&reg.by_pf, &dev->id_node, hash_int(dev->pf_id, 0));
    }
}

void
virtnet_registry_remove(struct virtnet_device *dev)
{
    ovs_list_remove(&dev->list_node);
    ovs_list_init(&dev->list_node);
    reg.n[dev->type]--;
    hmap_remove(&reg.by_vuid, &dev->vuid_node);
    hmap_remove(&reg.by_rep, &dev->rep_node);
    hmap_remove(&reg.by_mac, &dev->mac_node);
    if (dev->owner_port) {
        hmap_remove(&reg.by_owner, &dev->owner_node);
    }
    hmap_remove(dev->type == VIRTNET_VF ? &reg.by_vf : &reg.by_pf,
                &dev->id_node);
    virtnet_registry_release_numbers(dev);
}

void
virtnet_registry_set_mac(struct virtnet_device *dev, const struct eth_addr mac)
{
    bool contained = virtnet_registry_contains(dev);

    if (contained) {
        hmap_remove(&reg.by_mac, &dev->mac_node);
    }
    dev->config.mac = mac;
    if (contained) {
        hmap_insert(&reg.by_mac, &dev->mac_node, hash_mac(mac, 0, 0));
    }
}

/* Numbers. */

static void
set_numbers(const struct virtnet_device *dev, bool used)
{
    if (dev->type != VIRTNET_VF && dev->pf_id < VIRTNET_MAX_PFS) {
        bitmap_set(reg.pf_ids, dev->pf_id, used);
    }
    if (dev->sf_num >= SF_MIN && dev->sf_num <= SF_MAX) {
        bitmap_set(reg.sfs, dev->sf_num - SF_MIN, used);
    }
}

void
virtnet_registry_claim_numbers(const struct virtnet_device *dev)
{
    set_numbers(dev, true);
}

void
virtnet_registry_release_numbers(const struct virtnet_device *dev)
{
    set_numbers(dev, false);
}

unsigned int
virtnet_registry_free_pf_id(void)
{
    return bitmap_scan(reg.pf_ids, 0, 0, VIRTNET_MAX_PFS);
}

bool
virtnet_registry_pf_id_is_free(unsigned int pf_id)
{
    return pf_id < VIRTNET_MAX_PFS && !bitmap_is_set(reg.pf_ids, pf_id);
}

uint32_t
virtnet_sf_min(enum virtnet_function_type type)
{
    return (type == VIRTNET_STATIC_PF ? VIRTNET_SF_STATIC_MIN
            : type == VIRTNET_HOTPLUG_PF ? VIRTNET_SF_HOTPLUG_MIN
            : VIRTNET_SF_VF_MIN);
}

uint32_t
virtnet_sf_max(enum virtnet_function_type type)
{
    return (type == VIRTNET_STATIC_PF ? VIRTNET_SF_STATIC_MAX
            : type == VIRTNET_HOTPLUG_PF ? VIRTNET_SF_HOTPLUG_MAX
            : SF_MAX);
}

bool
virtnet_registry_free_sf_num(enum virtnet_function_type type,
                             uint32_t min, uint32_t *sf_num)
{
    size_t end = virtnet_sf_max(type) - SF_MIN + 1;
    size_t i = bitmap_scan(reg.sfs, 0,
                           MAX(min, virtnet_sf_min(type)) - SF_MIN, end);

    *sf_num = SF_MIN + i;
    return i < end;
}

bool
virtnet_registry_sf_num_is_free(uint32_t sf_num)
{
    return (sf_num >= SF_MIN && sf_num <= SF_MAX
            && !bitmap_is_set(reg.sfs, sf_num - SF_MIN));
}
