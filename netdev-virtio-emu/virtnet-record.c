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

/* The record of a device.  See virtnet-record.h. */

#include <config.h>

#include "virtnet-record.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "util.h"
#include "virtnet-backend-provider.h"

#define TEXT_MAX_LEN 1024

/* Writing. */

static void
put_integer(struct json *json, const char *key, long long int value)
{
    json_object_put(json, key, json_integer_create(value));
}

static void
put_string(struct json *json, const char *key, const char *value)
{
    if (value) {
        json_object_put_string(json, key, value);
    }
}

/* Members of the configuration that are in a record only if they are not
 * zero. */
static const struct optional_member {
    const char *key;
    size_t offset, size;        /* In struct virtnet_device_config. */
    uint32_t max;
} OPTIONAL_MEMBERS[] = {
#define OPTIONAL(KEY, MEMBER, MAX)                                      \
    { KEY, offsetof(struct virtnet_device_config, MEMBER),              \
      sizeof ((struct virtnet_device_config *) NULL)->MEMBER, MAX }
    OPTIONAL("rx_mode_set", rx_mode_set, 1),
    OPTIONAL("rx_mode", rx_mode, VIRTNET_RX_ALL_BITS),
    OPTIONAL("hash_types", hash_types, 0x1ff),
    OPTIONAL("rss_max_key_size", rss_key_size, 40),
    OPTIONAL("rx_dma_q_num", rx_dma_q_num, VIRTNET_MAX_QUEUE_PAIRS),
    OPTIONAL("aarfs", aarfs, 1),
    OPTIONAL("dim", dim, 1),
    OPTIONAL("netdim", net_dim, 1),
    OPTIONAL("netdim_set", net_dim_set, 1),
    OPTIONAL("drop_counter", drop_counter, 1),
    OPTIONAL("packet_counter", packet_counter, 1),
    OPTIONAL("rq_cq_period_mode", cq_period_mode, 2),
    OPTIONAL("rq_cq_period", cq_period, VIRTNET_CQ_MAX),
    OPTIONAL("rq_cq_max_count", cq_max_count, VIRTNET_CQ_MAX),
#undef OPTIONAL
};

static uint32_t
optional_get(const struct optional_member *m,
             const struct virtnet_device_config *c)
{
    const void *p = (const char *) c + m->offset;

    return (m->size == 1 ? *(const uint8_t *) p
            : m->size == 2 ? *(const uint16_t *) p : *(const uint32_t *) p);
}

static void
optional_set(const struct optional_member *m, struct virtnet_device_config *c,
             uint32_t value)
{
    void *p = (char *) c + m->offset;

    if (m->size == 1) {
        *(uint8_t *) p = value; /* A bool, too, of which 'max' is 1. */
    } else if (m->size == 2) {
        *(uint16_t *) p = value;
    } else {
        *(uint32_t *) p = value;
    }
}

struct json *
virtnet_record_to_json(const struct virtnet_device *dev)
{
    const struct virtnet_device_config *c = &dev->config;
    struct json *json = json_object_create();
    struct smap backend = SMAP_INITIALIZER(&backend);

    put_string(json, "port_ib_dev", dev->ib_device);
    put_integer(json, "pf_id", dev->pf_id);
    if (dev->type == VIRTNET_VF) {
        put_integer(json, "vf_id", dev->vf_id);
    } else if (dev->type == VIRTNET_STATIC_PF) {
        put_integer(json, "num_vfs", dev->num_vfs);
    }
    put_string(json, "function_type", dev->type == VIRTNET_VF ? "vf" : "pf");
    put_integer(json, "bdf_raw", dev->bdf);
    if (dev->type != VIRTNET_VF) {
        put_string(json, "device_type",
                   dev->type == VIRTNET_STATIC_PF ? "static" : "hotplug");
    }
    json_object_put_format(json, "mac", ETH_ADDR_FMT, ETH_ADDR_ARGS(c->mac));
    put_integer(json, "pf_num", VIRTNET_BDF_FN(dev->bdf));
    put_integer(json, "sf_num", dev->sf_num);
    put_integer(json, "mq", c->max_queue_pairs);

    put_integer(json, "mtu", c->mtu);
    json_object_put_format(json, "features", "0x%"PRIx64, c->features);
    put_integer(json, "max_queue_size", c->max_queue_size);
    put_integer(json, "num_msix", c->num_msix);
    put_integer(json, "speed", c->speed);
    put_integer(json, "link", c->link_up);
    put_integer(json, "transitional", c->transitional);
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONAL_MEMBERS); i++) {
        uint32_t value = optional_get(&OPTIONAL_MEMBERS[i], c);

        if (value) {
            put_integer(json, OPTIONAL_MEMBERS[i].key, value);
        }
    }
    put_string(json, "bridge", dev->bridge);
    put_string(json, "owner_port", dev->owner_port);
    put_string(json, "attachment_path", dev->attachment_path);
    put_string(json, "attachment_mode", dev->attachment_mode);
    if (dev->backend->class->save) {
        dev->backend->class->save(dev, &backend);
    }
    json_object_put(json, "backend", smap_to_json(&backend));
    smap_destroy(&backend);
    return json;
}

/* Reading. */

static const struct json *
get_member(const struct json *json, const char *key)
{
    return shash_find_data(json_object(json), key);
}

/* Stores member 'key', a number from 'min' to 'max', in '*value'.  If it is
 * not there and 'def' is not negative, 'def'. */
static bool
get_integer(const struct json *json, const char *key, long long int min,
            long long int max, long long int def, long long int *value,
            char **errp)
{
    const struct json *m = get_member(json, key);

    if (!m && def >= 0) {
        *value = def;
        return true;
    }
    if (!m || m->type != JSON_INTEGER || m->integer < min
        || m->integer > max) {
        *errp = xasprintf("\"%s\" is not a number from %lld to %lld", key,
                          min, max);
        return false;
    }
    *value = m->integer;
    return true;
}

/* Stores a copy of member 'key' in '*value'; NULL if it is not there, which
 * 'required' forbids. */
static bool
get_text(const struct json *json, const char *key, bool required,
         char **value, char **errp)
{
    const struct json *m = get_member(json, key);

    *value = NULL;
    if (!m && !required) {
        return true;
    }
    if (!m || m->type != JSON_STRING || !*json_string(m)
        || strlen(json_string(m)) > TEXT_MAX_LEN) {
        *errp = xasprintf("\"%s\" is not a text", key);
        return false;
    }
    *value = xstrdup(json_string(m));
    return true;
}

static bool
get_type(const struct json *json, enum virtnet_function_type *type,
         char **errp)
{
    char *function = NULL;
    char *device = NULL;
    bool ok = false;

    if (get_text(json, "function_type", true, &function, errp)
        && get_text(json, "device_type", false, &device, errp)) {
        ok = true;
        if (!strcmp(function, "vf") && !device) {
            *type = VIRTNET_VF;
        } else if (!strcmp(function, "pf") && device
                   && !strcmp(device, "static")) {
            *type = VIRTNET_STATIC_PF;
        } else if (!strcmp(function, "pf") && device
                   && !strcmp(device, "hotplug")) {
            *type = VIRTNET_HOTPLUG_PF;
        } else {
            *errp = xstrdup("\"function_type\" and \"device_type\" make no "
                            "device");
            ok = false;
        }
    }
    free(function);
    free(device);
    return ok;
}

static bool
get_config(const struct json *json, bool vf, struct virtnet_device_config *c,
           char **errp)
{
    long long int mtu, pairs, size, msix, speed, link, transitional;
    unsigned long long int features;
    char *text;
    bool ok;

    if (!get_integer(json, "mtu", VIRTNET_MTU_MIN, VIRTNET_MTU_MAX,
                     VIRTNET_DEFAULT_MTU, &mtu, errp)
        || !get_integer(json, "mq", vf ? 0 : 1, VIRTNET_MAX_QUEUE_PAIRS, -1,
                        &pairs, errp)
        || !get_integer(json, "max_queue_size", VIRTNET_QUEUE_SIZE_MIN,
                        VIRTNET_QUEUE_SIZE_MAX, VIRTNET_DEFAULT_QUEUE_SIZE,
                        &size, errp)
        || !get_integer(json, "num_msix", 0, UINT16_MAX, 2 * pairs + 2, &msix,
                        errp)
        || !get_integer(json, "speed", 0, UINT32_MAX, VIRTNET_DEFAULT_SPEED,
                        &speed, errp)
        || !get_integer(json, "link", 0, 1, 1, &link, errp)
        || !get_integer(json, "transitional", 0, 1, 0, &transitional, errp)) {
        return false;
    }
    if (!IS_POW2(size)) {
        *errp = xstrdup("\"max_queue_size\" is not a power of two");
        return false;
    }
    c->mtu = mtu;
    c->max_queue_pairs = pairs;
    c->max_queue_size = size;
    c->num_msix = msix;
    c->speed = speed;
    c->link_up = link;
    c->transitional = transitional;
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONAL_MEMBERS); i++) {
        const struct optional_member *m = &OPTIONAL_MEMBERS[i];
        long long int value;

        if (!get_integer(json, m->key, 0, m->max, 0, &value, errp)) {
            return false;
        }
        optional_set(m, c, value);
    }

    if (!get_text(json, "mac", true, &text, errp)) {
        return false;
    }
    ok = (eth_addr_from_string(text, &c->mac) && !eth_addr_is_zero(c->mac)
          && !eth_addr_is_multicast(c->mac));
    free(text);
    if (!ok) {
        *errp = xstrdup("\"mac\" is not a unicast MAC address");
        return false;
    }

    if (!get_text(json, "features", true, &text, errp)) {
        return false;
    }
    ok = str_to_ullong(text, 16, &features);
    free(text);
    if (!ok) {
        *errp = xstrdup("\"features\" is not a hexadecimal number");
        return false;
    }
    c->features = features;
    return true;
}

static bool
get_backend(const struct json *json, struct smap *backend, char **errp)
{
    const struct json *m = get_member(json, "backend");
    struct shash_node *node;

    if (!m) {
        return true;
    } else if (m->type != JSON_OBJECT) {
        *errp = xstrdup("\"backend\" is not an object");
        return false;
    }
    SHASH_FOR_EACH (node, json_object(m)) {
        const struct json *value = node->data;

        if (value->type != JSON_STRING) {
            *errp = xasprintf("\"%s\" is not a text", node->name);
            return false;
        }
        smap_add(backend, node->name, json_string(value));
    }
    return true;
}

void
virtnet_record_destroy(struct virtnet_record *r)
{
    if (r) {
        free(r->vuid);
        free(r->ib_device);
        free(r->bridge);
        free(r->owner_port);
        free(r->attachment_path);
        smap_destroy(&r->backend);
        free(r);
    }
}

struct virtnet_record *
virtnet_record_from_json(const char *vuid, const struct json *json,
                         char **errp)
{
    long long int pf_id, vf_id, num_vfs, bdf, sf_num, pf_num;
    struct virtnet_record *r;
    char *mode = NULL;

    if (json->type != JSON_OBJECT) {
        *errp = xstrdup("not a JSON object");
        return NULL;
    }
    r = xzalloc(sizeof *r);
    smap_init(&r->backend);
    r->vuid = xstrdup(vuid);
    if (!get_type(json, &r->type, errp)
        || !get_config(json, r->type == VIRTNET_VF, &r->config, errp)
        || !get_integer(json, "pf_id", 0, UINT16_MAX, -1, &pf_id, errp)
        || !get_integer(json, "vf_id", 0, UINT16_MAX,
                        r->type == VIRTNET_VF ? -1 : 0, &vf_id, errp)
        || !get_integer(json, "num_vfs", 0, UINT16_MAX, 0, &num_vfs, errp)
        || !get_integer(json, "bdf_raw", 0, UINT16_MAX, -1, &bdf, errp)
        || !get_integer(json, "pf_num", 0, UINT8_MAX, 0, &pf_num, errp)
        || !get_integer(json, "sf_num",
                        r->type == VIRTNET_HOTPLUG_PF ? VIRTNET_SF_HOTPLUG_MIN
                        : r->type == VIRTNET_STATIC_PF ? VIRTNET_SF_STATIC_MIN
                        : VIRTNET_SF_VF_MIN,
                        r->type == VIRTNET_HOTPLUG_PF ? VIRTNET_SF_HOTPLUG_MAX
                        : r->type == VIRTNET_STATIC_PF ? VIRTNET_SF_STATIC_MAX
                        : UINT16_MAX, -1, &sf_num, errp)
        || !get_text(json, "port_ib_dev", true, &r->ib_device, errp)
        || !get_text(json, "bridge", false, &r->bridge, errp)
        || !get_text(json, "owner_port", false, &r->owner_port, errp)
        || !get_text(json, "attachment_path", false, &r->attachment_path,
                     errp)
        || !get_text(json, "attachment_mode", false, &mode, errp)
        || !get_backend(json, &r->backend, errp)) {
        goto error;
    }
    r->pf_id = pf_id;
    r->vf_id = vf_id;
    r->num_vfs = r->type == VIRTNET_STATIC_PF ? num_vfs : 0;
    r->bdf = bdf;
    r->sf_num = sf_num;
    if (mode) {
        r->has_attachment_mode = true;
        r->attachment_server = !strcmp(mode, "server");
        if (!r->attachment_server && strcmp(mode, "client")) {
            *errp = xstrdup("\"attachment_mode\" is neither \"client\" nor "
                            "\"server\"");
            goto error;
        }
    }
    free(mode);
    return r;

error:
    free(mode);
    virtnet_record_destroy(r);
    return NULL;
}

void
virtnet_record_to_device(const struct virtnet_record *r,
                         struct virtnet_device *dev)
{
    dev->vuid = xstrdup(r->vuid);
    dev->pf_id = r->pf_id;
    dev->vf_id = r->vf_id;
    dev->num_vfs = r->num_vfs;
    dev->bdf = r->bdf;
    dev->ib_device = xstrdup(r->ib_device);
    dev->sf_num = r->sf_num;
    dev->config = r->config;
    dev->bridge = nullable_xstrdup(r->bridge);
    dev->owner_port = nullable_xstrdup(r->owner_port);
    dev->attachment_path = nullable_xstrdup(r->attachment_path);
    dev->attachment_mode = (!r->has_attachment_mode ? NULL
                            : r->attachment_server ? "server" : "client");
}
