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

/* The JSON of NVIDIA's service.  See mlx5-vendor-json.h. */

#include <config.h>

#include "mlx5-vendor-json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "util.h"
#include "virtnet-compat.h"
#include "virtnet-error.h"

/* Members. */

static const struct json *
member(const struct json *object, const char *name)
{
    return (object && object->type == JSON_OBJECT
            ? shash_find_data(json_object(object), name) : NULL);
}

static const char *
get_text(const struct json *object, const char *name)
{
    const struct json *j = member(object, name);

    return j && j->type == JSON_STRING ? json_string(j) : NULL;
}

/* Stores the number 'name', however it is written, in '*x' if it is there and
 * at most 'max'.  A dictionary of bits has its number in "value". */
static bool
get_number(const struct json *object, const char *name, uint64_t max,
           uint64_t *x)
{
    const struct json *j = member(object, name);
    unsigned long long int number;

    if (j && j->type == JSON_OBJECT) {
        j = member(j, "value");
    }
    if (!j) {
        return false;
    } else if (j->type == JSON_INTEGER && json_integer(j) >= 0) {
        number = json_integer(j);
    } else if (j->type != JSON_STRING
               || !str_to_ullong(json_string(j), 0, &number)) {
        return false;
    }
    if (number > max) {
        return false;
    }
    *x = number;
    return true;
}

/* Numbers of a device. */
struct number {
    const char *name;
    size_t offset;              /* In struct mlx5_vendor_device. */
    size_t size;
    uint64_t max;
};
#define NUMBER(NAME, MEMBER, MAX)                                           \
    { NAME, offsetof(struct mlx5_vendor_device, MEMBER),                    \
      sizeof ((struct mlx5_vendor_device *) NULL)->MEMBER, MAX }
static const struct number NUMBERS[] = {
    NUMBER("pci_vhca_id", vhca_id, UINT16_MAX),
    NUMBER("pci_max_vfs", max_vfs, UINT16_MAX),
    NUMBER("enabled_vfs", enabled_vfs, UINT16_MAX),
    NUMBER("num_msix", config.num_msix, UINT16_MAX),
    NUMBER("enabled_queues", enabled_queues, UINT16_MAX),
    NUMBER("max_queue_size", config.max_queue_size, VIRTNET_QUEUE_SIZE_MAX),
    NUMBER("max_queue_pairs", config.max_queue_pairs, UINT16_MAX),
    NUMBER("msix_config_vector", driver.msix_config_vector, UINT16_MAX),
    NUMBER("mtu", config.mtu, UINT16_MAX),
    NUMBER("speed", config.speed, UINT32_MAX),
    NUMBER("rss_max_key_size", config.rss_key_size, UINT8_MAX),
    NUMBER("supported_hash_types", config.hash_types, UINT16_MAX),
    NUMBER("ctrl_mq", driver.enabled_pairs, UINT16_MAX),
    NUMBER("sf_num", sf_num, UINT32_MAX),
    NUMBER("sf_rep_net_ifindex", rep_ifindex, INT32_MAX),
    NUMBER("sf_vhca_id", sf_vhca_id, UINT16_MAX),
};

static void
get_numbers(const struct json *j, struct mlx5_vendor_device *dev)
{
    for (size_t i = 0; i < ARRAY_SIZE(NUMBERS); i++) {
        const struct number *n = &NUMBERS[i];
        char *p = (char *) dev + n->offset;
        uint64_t x;

        if (!get_number(j, n->name, n->max, &x)) {
            continue;
        }
        switch (n->size) {
        case 1:
            *(uint8_t *) p = x;
            break;
        case 2:
            *(uint16_t *) p = x;
            break;
        case 4:
            *(uint32_t *) p = x;
            break;
        default:
            OVS_NOT_REACHED();
        }
    }
}

static bool
get_type(const struct json *j, enum virtnet_function_type *type)
{
    const char *text = get_text(j, "function_type");

    if (!text) {
        /* Older versions do not tell, but a VF has other ids. */
        *type = (member(j, "parent_pf_id") ? VIRTNET_VF : VIRTNET_STATIC_PF);
        return member(j, "pf_id") || member(j, "parent_pf_id");
    }
    for (int i = VIRTNET_STATIC_PF; i <= VIRTNET_VF; i++) {
        if (!strcmp(text, virtnet_function_type_name(i))) {
            *type = i;
            return true;
        }
    }
    return false;
}

static bool
get_enabled(const struct json *j, const char *name)
{
    const char *text = get_text(j, name);

    return text && !strcasecmp(text, "enabled");
}

/* Returns NULL, or why 'j' is not a device. */
static const char *
parse_device(const struct json *j, struct mlx5_vendor_device *dev)
{
    const char *vuid = get_text(j, "vuid");
    const char *rep = get_text(j, "sf_rep_net_device");
    const char *ib_device = get_text(j, "sf_parent_device");
    const char *text;
    unsigned int bus, slot, fn;
    uint64_t x;
    bool vf;
    int n = 0;

    dev->config.link_up = true;
    dev->config.speed = VIRTNET_DEFAULT_SPEED;
    dev->config.mtu = VIRTNET_DEFAULT_MTU;
    dev->config.max_queue_pairs = VIRTNET_DEFAULT_QUEUE_PAIRS;
    dev->config.max_queue_size = VIRTNET_DEFAULT_QUEUE_SIZE;
    dev->driver.msix_config_vector = VIRTNET_NO_MSIX_VECTOR;
    dev->driver.numa_id = -1;
    if (!vuid || !*vuid || strlen(vuid) > 128
        || strspn(vuid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                  "0123456789-_.") != strlen(vuid)) {
        return "no usable VUID";
    } else if (!get_type(j, &dev->type)) {
        return "unknown function_type";
    }
    vf = dev->type == VIRTNET_VF;
    if (!get_number(j, vf ? "parent_pf_id" : "pf_id", UINT16_MAX, &x)) {
        return "no pf_id";
    }
    dev->pf_id = x;
    if (vf) {
        if (!get_number(j, "vf_id", UINT16_MAX, &x)) {
            return "no vf_id";
        }
        dev->vf_id = x;
    }
    /* The name is only where to look first, but has to be one. */
    if (!rep || !*rep || strlen(rep) >= sizeof dev->rep_name
        || strpbrk(rep, "/ \t\n:")) {
        return "no usable representor";
    }
    text = get_text(j, "mac");
    if (!text || !eth_addr_from_string(text, &dev->config.mac)) {
        return "no MAC address";
    }

    ovs_strlcpy(dev->rep_name, rep, sizeof dev->rep_name);
    get_numbers(j, dev);
    if (!dev->config.max_queue_pairs
        || dev->config.max_queue_pairs > VIRTNET_MAX_QUEUE_PAIRS) {
        dev->config.max_queue_pairs = MIN(
            MAX(dev->config.max_queue_pairs, 1), VIRTNET_MAX_QUEUE_PAIRS);
    }
    text = get_text(j, "pci_bdf");
    if (text && sscanf(text, "%x:%x.%x%n", &bus, &slot, &fn, &n) == 3
        && !text[n] && bus < 256 && slot < 32 && fn < 8) {
        dev->bdf = VIRTNET_BDF(bus, slot, fn);
    }
    text = get_text(j, "ctrl_mac");
    if (text) {
        eth_addr_from_string(text, &dev->driver.ctrl_mac);
    }
    if (get_number(j, "link_status", UINT32_MAX, &x)) {
        dev->config.link_up = x & 1;
    }
    if (get_number(j, "transitional", 1, &x)) {
        dev->config.transitional = x;
    }
    dev->config.aarfs = get_enabled(j, "aarfs");
    dev->config.dim = get_enabled(j, "dim");
    if (get_number(j, "device_feature", UINT64_MAX, &x)) {
        dev->config.features = x;
        dev->has_features = true;
    }
    if (get_number(j, "status", UINT8_MAX, &x)) {
        dev->driver.status = x;
        dev->has_status = true;
        if (get_number(j, "driver_feature", UINT64_MAX, &x)) {
            dev->driver.features = x;
        }
    }
    dev->vuid = xstrdup(vuid);
    dev->ib_device = nullable_xstrdup(ib_device);
    dev->pci_addr = nullable_xstrdup(get_text(j, "sf_parent_device_pci_addr"));
    return NULL;
}

static void
device_uninit(struct mlx5_vendor_device *dev)
{
    free(dev->vuid);
    free(dev->ib_device);
    free(dev->pci_addr);
}

struct json *
mlx5_vendor_parse(const char *text, char **errp)
{
    struct json *json;
    const char *p = text;

    /* The arguments are on a line of their own, with single quotes. */
    p += strspn(p, " \t\r\n");
    if (p[0] == '{' && (p[1] == '\'' || !strncmp(p, "{}\n", 3))) {
        p += strcspn(p, "\n");
        p += strspn(p, " \t\r\n");
    }
    if (!*p) {
        *errp = xstrdup("it printed nothing");
        return NULL;
    }
    json = json_from_string(p);
    if (json->type == JSON_STRING && *p != '"') {
        *errp = xasprintf("what it printed is not JSON: %s",
                          json_string(json));
        json_destroy(json);
        return NULL;
    }
    return json;
}

static uint32_t
get_u32(const struct json *j, const char *name)
{
    uint64_t x = 0;

    get_number(j, name, UINT32_MAX, &x);
    return x;
}

static void
parse_controller(const struct json *j, struct mlx5_vendor_list *list)
{
    list->has_controller = true;
    list->emulation_manager = nullable_xstrdup(get_text(j,
                                                        "emulation_manager"));
    list->max_hotplug_devices = get_u32(j, "max_hotplug_devices");
    list->max_devices = get_u32(j, "max_virt_net_devices");
    list->max_virt_queues = get_u32(j, "max_virt_queues");
    list->max_tunnel_descriptors = get_u32(j, "max_tunnel_descriptors");
    get_number(j, "supported_features", UINT64_MAX,
               &list->supported_features);
    get_number(j, "supported_virt_queue_types", UINT32_MAX,
               &list->virt_queue_types);
    get_number(j, "supported_event_modes", UINT32_MAX, &list->event_modes);
}

/* Is 'dev' different from the 'n' devices before it in all that is to be
 * unique? */
static bool
is_unique(const struct mlx5_vendor_device *devs, size_t n,
          const struct mlx5_vendor_device *dev)
{
    for (size_t i = 0; i < n; i++) {
        const struct mlx5_vendor_device *d = &devs[i];

        if (!strcmp(d->vuid, dev->vuid)
            || !strcmp(d->rep_name, dev->rep_name)
            || ((d->type == VIRTNET_VF) == (dev->type == VIRTNET_VF)
                && d->pf_id == dev->pf_id && d->vf_id == dev->vf_id)) {
            return false;
        }
    }
    return true;
}

struct mlx5_vendor_list *
mlx5_vendor_parse_list(const struct json *j, char **errp)
{
    const struct json *devices = member(j, "devices");
    const struct json *controller = member(j, "controller");
    struct mlx5_vendor_list *list;

    if (!devices || devices->type != JSON_ARRAY) {
        const char *text = get_text(j, "errstr");

        text = text ? text : get_text(j, "Error");
        *errp = xasprintf("the answer has no devices%s%s",
                          text ? ": " : "", text ? text : "");
        return NULL;
    }

    list = xzalloc(sizeof *list);
    if (controller && controller->type == JSON_OBJECT) {
        parse_controller(controller, list);
    }
    list->devices = xcalloc(virtnet_array_size(devices) + 1,
                            sizeof *list->devices);
    for (size_t i = 0; i < virtnet_array_size(devices); i++) {
        struct mlx5_vendor_device *dev = &list->devices[list->n_devices];
        const char *problem = parse_device(virtnet_array_at(devices, i), dev);

        if (!problem && !is_unique(list->devices, list->n_devices, dev)) {
            problem = "there is another one with its identity";
        }
        if (!problem) {
            list->n_devices++;
        } else {
            list->n_bad++;
            if (!list->problem) {
                list->problem = xasprintf("device %"PRIuSIZE" of the list: "
                                          "%s", i, problem);
            }
            device_uninit(dev);
            memset(dev, 0, sizeof *dev);
        }
    }
    return list;
}

void
mlx5_vendor_list_destroy(struct mlx5_vendor_list *list)
{
    if (list) {
        for (size_t i = 0; i < list->n_devices; i++) {
            device_uninit(&list->devices[i]);
        }
        free(list->devices);
        free(list->emulation_manager);
        free(list->problem);
        free(list);
    }
}

int
mlx5_vendor_get_errno(const struct json *j)
{
    const struct json *error = member(j, "errno");

    if (error && error->type == JSON_INTEGER && json_integer(error) <= 0
        && json_integer(error) > -65536) {
        return json_integer(error);
    }
    return -EPROTO;
}
