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

/* Objects that commands print.  See virtnet-field.h. */

#include <config.h>

#include "virtnet-field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-debug.h"
#include "virtnet-feature.h"
#include "virtnet-json.h"
#include "virtnet-pool.h"

/* Printed types, by the letters of the command reference. */
enum field_type {
    FIELD_N,                    /* JSON number. */
    FIELD_D,                    /* Decimal number in a string. */
    FIELD_H,                    /* Hexadecimal number in a string, lower. */
    FIELD_HU,                   /* Hexadecimal number in a string, upper. */
    FIELD_S,                    /* String. */
    FIELD_BITS,                 /* Bit dictionary. */
};

/* Where a field shows. */
#define IN_LIST (1 << 0)
#define IN_QUERY (1 << 1)
#define OF_PF (1 << 2)
#define OF_VF (1 << 3)
#define BOTH (IN_LIST | IN_QUERY)
#define ANY (OF_PF | OF_VF)

struct device_field {
    const char *key;
    enum field_type type;
    unsigned int where;         /* IN_* and OF_* bits. */

    /* One of these, by 'type'.  'text' may use 'buf' or return NULL, which
     * leaves the member out. */
    uint64_t (*number)(const struct virtnet_device *);
    const char *(*text)(const struct virtnet_device *, struct ds *buf);
    const struct virtnet_bit *bits; /* FIELD_BITS. */
};

/* Getters. */

#define NUMBER(NAME, EXPR)                                      \
    static uint64_t                                             \
    get_##NAME(const struct virtnet_device *dev OVS_UNUSED)     \
    {                                                           \
        return EXPR;                                            \
    }

#define TEXT(NAME, EXPR)                                        \
    static const char *                                         \
    get_##NAME(const struct virtnet_device *dev OVS_UNUSED,     \
               struct ds *buf OVS_UNUSED)                       \
    {                                                           \
        return EXPR;                                            \
    }

static const char *
put_mac(struct ds *buf, const struct eth_addr mac)
{
    for (int i = 0; i < ETH_ADDR_LEN; i++) {
        ds_put_format(buf, "%s%02X", i ? ":" : "", mac.ea[i]);
    }
    return ds_cstr(buf);
}

static const char *
put_bdf(struct ds *buf, uint16_t bdf)
{
    ds_put_format(buf, VIRTNET_BDF_FMT, VIRTNET_BDF_ARGS(bdf));
    return ds_cstr(buf);
}

static const struct virtnet_ib_device *
parent_device(const struct virtnet_device *dev)
{
    const struct virtnet_ib_device *devs;
    size_t n = dev->backend->class->get_ib_devices(dev->backend, &devs);

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(devs[i].name, dev->ib_device)) {
            return &devs[i];
        }
    }
    return NULL;
}

static const char *
parent_pci_addr(const struct virtnet_device *dev)
{
    const struct virtnet_ib_device *parent = parent_device(dev);

    return parent ? parent->pci_addr : "0000:00:00.0";
}

/* Packets that found no buffer, while they are counted. */
static const char *
put_drops(struct ds *buf, const struct virtnet_device *dev)
{
    const struct virtnet_backend_class *class = dev->backend->class;

    if (!dev->config.drop_counter) {
        return NULL;
    }
    ds_put_format(buf, "%"PRIu64, class->get_drops ? class->get_drops(dev)
                  : UINT64_C(0));
    return ds_cstr(buf);
}

NUMBER(zero, 0)
NUMBER(pf_id, dev->pf_id)
NUMBER(vf_id, dev->vf_id)
TEXT(function_type, virtnet_function_type_name(dev->type))
NUMBER(transitional, dev->config.transitional)
TEXT(vuid, dev->vuid)
TEXT(pci_bdf, put_bdf(buf, dev->bdf))
NUMBER(vhca_id, dev->vhca_id)
NUMBER(max_vfs, dev->max_vfs)
NUMBER(n_vfs, dev->n_vfs)
NUMBER(pci_dev_id, dev->config.transitional ? 0x1000 : 0x1041)
NUMBER(pci_vendor_id, 0x1af4)
NUMBER(pci_class_code, 0x20000)
NUMBER(pci_subsys_id, 0x1041)
NUMBER(pci_subsys_vendor_id, 0x1af4)
NUMBER(pci_revision_id, 1)
NUMBER(device_feature, dev->config.features)
NUMBER(driver_feature, dev->driver.features)
NUMBER(status, dev->driver.status)
NUMBER(reset, dev->state == VIRTNET_STATE_RESET)
NUMBER(enabled, dev->state != VIRTNET_STATE_UNPLUGGED && !dev->flr)
NUMBER(msix_pool, virtnet_device_free_msix(dev))
NUMBER(min_msix, dev->pool ? dev->pool->min_msix : 0)
NUMBER(max_msix, dev->pool ? dev->pool->max_msix : dev->config.num_msix)
NUMBER(min_qp, dev->pool ? dev->pool->min_queue_pairs : 0)
NUMBER(max_qp, dev->pool ? dev->pool->max_queue_pairs
       : dev->config.max_queue_pairs)
NUMBER(qp_pool, dev->pool ? MAX(dev->pool->queue_pairs, 0) : 0)
NUMBER(num_msix, dev->config.num_msix)
NUMBER(num_queues, virtnet_device_num_queues(dev))
NUMBER(enabled_queues, virtnet_device_enabled_queues(dev))
NUMBER(max_queue_size, dev->config.max_queue_size)
NUMBER(msix_config_vector, dev->driver.msix_config_vector)
TEXT(mac, put_mac(buf, dev->config.mac))
NUMBER(link_status, dev->config.link_up)
NUMBER(max_queue_pairs, dev->config.max_queue_pairs)
NUMBER(mtu, dev->config.mtu)
NUMBER(speed, dev->config.speed)
TEXT(ctrl_mac, put_mac(buf, dev->driver.ctrl_mac))
NUMBER(ctrl_mq, dev->driver.enabled_pairs)
NUMBER(sf_num, dev->sf_num)
TEXT(ib_device, dev->ib_device)
TEXT(parent_pci_addr, parent_pci_addr(dev))
TEXT(rep_name, dev->rep_name)
NUMBER(rep_ifindex, dev->rep_ifindex)
TEXT(none, "")
NUMBER(rss_key_size, dev->config.rss_key_size)
NUMBER(hash_types, dev->config.hash_types)
TEXT(aarfs, dev->config.aarfs ? "enabled" : "disabled")
TEXT(dim, dev->config.dim ? "enabled" : "disabled")
TEXT(net_dim, !dev->config.net_dim_set ? NULL
     : dev->config.net_dim ? "enabled" : "disabled")
TEXT(drops, put_drops(buf, dev))
NUMBER(sf_vhca_id, dev->sf_vhca_id)
TEXT(backend, dev->backend->class->type)
TEXT(attachment, dev->attachment)
TEXT(attachment_mode, dev->attachment_mode)
TEXT(socket, dev->attachment_path)
TEXT(device_state, virtnet_device_state_name(dev->state))
TEXT(port_status, dev->port_status)

#define N(KEY, TYPE, WHERE, GETTER) \
    { KEY, FIELD_##TYPE, WHERE, get_##GETTER, NULL, NULL }
#define S(KEY, WHERE, GETTER) \
    { KEY, FIELD_S, WHERE, NULL, get_##GETTER, NULL }
#define B(KEY, WHERE, GETTER, BITS) \
    { KEY, FIELD_BITS, WHERE, get_##GETTER, NULL, BITS }

static const struct device_field device_fields[] = {
    N("pf_id", N, BOTH | OF_PF, pf_id),
    N("vf_id", N, BOTH | OF_VF, vf_id),
    N("parent_pf_id", N, BOTH | OF_VF, pf_id),
    S("function_type", BOTH | ANY, function_type),
    N("transitional", N, BOTH | ANY, transitional),
    S("vuid", BOTH | ANY, vuid),
    S("pci_bdf", BOTH | ANY, pci_bdf),
    N("pci_vhca_id", HU, BOTH | ANY, vhca_id),
    N("pci_max_vfs", D, BOTH | ANY, max_vfs),
    N("enabled_vfs", D, BOTH | ANY, n_vfs),

    N("pci_dev_id", H, IN_QUERY | ANY, pci_dev_id),
    N("pci_vendor_id", H, IN_QUERY | ANY, pci_vendor_id),
    N("pci_class_code", H, IN_QUERY | ANY, pci_class_code),
    N("pci_subsys_id", H, IN_QUERY | ANY, pci_subsys_id),
    N("pci_subsys_vendor_id", H, IN_QUERY | ANY, pci_subsys_vendor_id),
    N("pci_revision_id", D, IN_QUERY | ANY, pci_revision_id),
    B("device_feature", IN_QUERY | ANY, device_feature, virtnet_feature_bits),
    B("driver_feature", IN_QUERY | ANY, driver_feature, virtnet_feature_bits),
    B("status", IN_QUERY | ANY, status, virtnet_status_bits),
    N("reset", D, IN_QUERY | ANY, reset),
    N("enabled", D, IN_QUERY | ANY, enabled),

    N("msix_num_pool_size", N, IN_LIST | OF_PF, msix_pool),
    N("min_msix_num", N, IN_LIST | OF_PF, min_msix),
    N("max_msix_num", N, IN_LIST | OF_PF, max_msix),
    N("min_num_of_qp", N, IN_LIST | OF_PF, min_qp),
    N("max_num_of_qp", N, IN_LIST | OF_PF, max_qp),
    N("qp_pool_size", N, IN_LIST | OF_PF, qp_pool),

    N("num_msix", D, BOTH | ANY, num_msix),
    N("num_queues", D, BOTH | ANY, num_queues),
    N("enabled_queues", D, BOTH | ANY, enabled_queues),
    N("max_queue_size", D, BOTH | ANY, max_queue_size),
    N("msix_config_vector", HU, BOTH | ANY, msix_config_vector),
    S("mac", BOTH | ANY, mac),
    N("link_status", D, BOTH | ANY, link_status),
    N("max_queue_pairs", D, BOTH | ANY, max_queue_pairs),
    N("mtu", D, BOTH | ANY, mtu),
    N("speed", D, BOTH | ANY, speed),
    N("rss_max_key_size", D, BOTH | ANY, rss_key_size),
    N("supported_hash_types", H, BOTH | ANY, hash_types),
    S("ctrl_mac", BOTH | ANY, ctrl_mac),
    N("ctrl_mq", D, BOTH | ANY, ctrl_mq),
    N("sf_num", N, BOTH | ANY, sf_num),
    S("sf_parent_device", BOTH | ANY, ib_device),
    S("sf_parent_device_pci_addr", BOTH | ANY, parent_pci_addr),
    S("sf_rep_net_device", BOTH | ANY, rep_name),
    N("sf_rep_net_ifindex", N, BOTH | ANY, rep_ifindex),
    S("sf_rdma_device", BOTH | ANY, none),
    N("sf_cross_mkey", HU, BOTH | ANY, zero),
    N("sf_vhca_id", HU, BOTH | ANY, sf_vhca_id),
    N("sf_rqt_num", HU, BOTH | ANY, zero),
    S("aarfs", BOTH | ANY, aarfs),
    S("dim", BOTH | ANY, dim),
    S("netdim", BOTH | ANY, net_dim),
    S("num_desc_drop_pkts", IN_QUERY | ANY, drops),
};

/* Beyond the command reference, and therefore after everything else. */
static const struct device_field extra_device_fields[] = {
    S("backend", BOTH | ANY, backend),
    S("attachment", BOTH | ANY, attachment),
    S("attachment_mode", BOTH | ANY, attachment_mode),
    S("socket", BOTH | ANY, socket),
    S("device_state", BOTH | ANY, device_state),
    S("port_status", BOTH | ANY, port_status),
};

static const struct device_field hotplug_fields[] = {
    S("bdf", ANY, pci_bdf),
    S("vuid", ANY, vuid),
    N("id", N, ANY, pf_id),
    N("transitional", N, ANY, transitional),
    S("sf_rep_net_device", ANY, rep_name),
};

static void
put_number(struct virtnet_json *j, const char *key, enum field_type type,
           uint64_t value)
{
    switch (type) {
    case FIELD_N:
        virtnet_json_number(j, key, value);
        break;
    case FIELD_D:
        virtnet_json_dec(j, key, value);
        break;
    case FIELD_H:
        virtnet_json_hex(j, key, value);
        break;
    case FIELD_HU:
        virtnet_json_hex_upper(j, key, value);
        break;
    case FIELD_S:
    case FIELD_BITS:
        OVS_NOT_REACHED();
    }
}

static void
put_device_fields(struct virtnet_json *j, const struct virtnet_device *dev,
                  const struct device_field *fields, size_t n,
                  unsigned int in)
{
    unsigned int of = dev->type == VIRTNET_VF ? OF_VF : OF_PF;
    struct ds buf = DS_EMPTY_INITIALIZER;

    for (const struct device_field *f = fields; f < &fields[n]; f++) {
        if (!(f->where & of) || (f->where & in) != in) {
            continue;
        }
        if (f->type == FIELD_S) {
            const char *text;

            ds_clear(&buf);
            text = f->text(dev, &buf);
            if (text) {
                virtnet_json_string(j, f->key, text);
            }
        } else if (f->type == FIELD_BITS) {
            virtnet_json_bits(j, f->key, f->bits, f->number(dev));
        } else {
            put_number(j, f->key, f->type, f->number(dev));
        }
    }
    ds_destroy(&buf);
}

void
virtnet_json_hotplug(struct virtnet_json *j, const struct virtnet_device *dev,
                     const char *mac)
{
    struct ds buf = DS_EMPTY_INITIALIZER;

    put_device_fields(j, dev, hotplug_fields, ARRAY_SIZE(hotplug_fields), 0);
    virtnet_json_string(j, "mac", mac ? mac : put_mac(&buf, dev->config.mac));
    ds_destroy(&buf);
}

/* Queues. */

struct queue_field {
    const char *key;
    enum field_type type;
    unsigned int where;         /* IN_QUERY, IN_STATS. */
    uint64_t (*number)(const struct virtnet_queue_info *);
};

#define IN_STATS (1 << 4)

#define QUEUE(NAME, EXPR)                                               \
    static uint64_t                                                     \
    queue_##NAME(const struct virtnet_queue_info *q OVS_UNUSED)         \
    {                                                                   \
        return EXPR;                                                    \
    }

QUEUE(index, q->index)
QUEUE(size, q->size)
QUEUE(msix_vector, q->msix_vector)
QUEUE(enabled, q->enabled)
QUEUE(notify_offset, q->notify_offset)
QUEUE(desc_addr, q->desc_addr)
QUEUE(driver_addr, q->driver_addr)
QUEUE(device_addr, q->device_addr)
QUEUE(received_desc, q->received_desc)
QUEUE(completed_desc, q->completed_desc)
QUEUE(bad_desc_errors, q->bad_desc_errors)
QUEUE(error_cqes, q->error_cqes)
QUEUE(exceed_max_chain, q->exceed_max_chain)
QUEUE(invalid_buffer, q->invalid_buffer)
QUEUE(zero, 0)
QUEUE(core_id, q->core_id)
QUEUE(total_bytes, q->total_bytes)
#define VIRTNET_SIZE(MAX, NAME) QUEUE(size_##MAX, q->sizes[VIRTNET_SIZE_##MAX])
VIRTNET_SIZES
#undef VIRTNET_SIZE
QUEUE(cq_max_count, q->cq_max_count)
QUEUE(cq_period, q->cq_period)
QUEUE(cq_period_mode, q->cq_period_mode)

#define Q(KEY, TYPE, WHERE, GETTER) \
    { KEY, FIELD_##TYPE, WHERE, queue_##GETTER }

static const struct queue_field queue_fields[] = {
    Q("VQ Index", N, IN_STATS, index),
#define VIRTNET_SIZE(MAX, NAME) Q(NAME, N, IN_STATS, size_##MAX),
    VIRTNET_SIZES
#undef VIRTNET_SIZE

    Q("index", D, IN_QUERY, index),
    Q("size", D, IN_QUERY, size),
    Q("msix_vector", HU, IN_QUERY, msix_vector),
    Q("enable", D, IN_QUERY, enabled),
    Q("notify_offset", D, IN_QUERY, notify_offset),
    Q("descriptor_address", H, IN_QUERY, desc_addr),
    Q("driver_address", H, IN_QUERY, driver_addr),
    Q("device_address", H, IN_QUERY, device_addr),

    Q("received_desc", D, IN_QUERY | IN_STATS, received_desc),
    Q("completed_desc", D, IN_QUERY | IN_STATS, completed_desc),
    Q("bad_desc_errors", D, IN_QUERY | IN_STATS, bad_desc_errors),
    Q("error_cqes", D, IN_QUERY | IN_STATS, error_cqes),
    Q("exceed_max_chain", D, IN_QUERY | IN_STATS, exceed_max_chain),
    Q("invalid_buffer", D, IN_QUERY | IN_STATS, invalid_buffer),
    Q("batch_number", D, IN_QUERY | IN_STATS, zero),
    Q("dma_q_used_number", D, IN_QUERY | IN_STATS, index),
    Q("handler_schd_number", D, IN_QUERY | IN_STATS, core_id),
    Q("aux_handler_schd_number", D, IN_QUERY | IN_STATS, core_id),
    Q("max_post_desc_number", D, IN_QUERY | IN_STATS, size),
    Q("total_bytes", D, IN_QUERY | IN_STATS, total_bytes),
    Q("err_handler_schd_num", D, IN_STATS, zero),
    Q("rq_cq_max_count", D, IN_QUERY | IN_STATS, cq_max_count),
    Q("rq_cq_period", D, IN_QUERY | IN_STATS, cq_period),
    Q("rq_cq_period_mode", D, IN_QUERY | IN_STATS, cq_period_mode),
};

/* Adds the queues of 'dev', or 'only' of them if that is not negative. */
static void
put_queues(struct virtnet_json *j, const char *key,
           const struct virtnet_device *dev, int only, unsigned int in,
           bool debug)
{
    unsigned int n = (in == IN_QUERY ? virtnet_device_enabled_queues(dev)
                      : virtnet_device_num_queues(dev));

    virtnet_json_begin_array(j, key);
    for (unsigned int i = 0; i < n; i++) {
        struct virtnet_queue_info info;

        if (only >= 0 && only != i) {
            continue;
        }
        memset(&info, 0, sizeof info);
        info.index = i;
        info.msix_vector = VIRTNET_NO_MSIX_VECTOR;
        if (dev->backend->class->get_queue_info(dev, i, &info)) {
            /* The control queue, which the front end keeps to itself. */
            info.index = i;
        }
        if (i % 2 == 0 && i < 2 * dev->config.max_queue_pairs) {
            info.cq_period = dev->config.cq_period;
            info.cq_max_count = dev->config.cq_max_count;
            info.cq_period_mode = dev->config.cq_period_mode;
        }
        virtnet_json_begin_object(j, NULL);
        for (size_t k = 0; k < ARRAY_SIZE(queue_fields); k++) {
            const struct queue_field *f = &queue_fields[k];

            if (f->where & in) {
                put_number(j, f->key, f->type, f->number(&info));
            }
        }
        if (debug) {
            struct virtnet_debug_counters c = virtnet_debug_count(dev, &info);

            virtnet_json_number(j, "packets", c.packets);
            virtnet_json_number(j, "drops", c.drops);
        }
        if (debug && i % 2 == 0 && i < 2 * dev->config.max_queue_pairs) {
            virtnet_json_number(j, "jumbo_mtu",
                                dev->config.mtu > VIRTNET_DEFAULT_MTU);
        }
        virtnet_json_end_object(j);
    }
    virtnet_json_end_array(j);
}

void
virtnet_json_device(struct virtnet_json *j, const struct virtnet_device *dev,
                    bool query, bool brief, bool debug, int only_queue)
{
    unsigned int in = query ? IN_QUERY : IN_LIST;

    virtnet_json_begin_object(j, NULL);
    put_device_fields(j, dev, device_fields, ARRAY_SIZE(device_fields), in);
    if (query && !brief) {
        put_queues(j, "enabled-queues-info", dev, only_queue, IN_QUERY,
                   debug);
    }
    put_device_fields(j, dev, extra_device_fields,
                      ARRAY_SIZE(extra_device_fields), in);
    virtnet_json_end_object(j);
}

void
virtnet_json_stats(struct virtnet_json *j, const struct virtnet_device *dev,
                   int only_queue)
{
    virtnet_json_begin_object(j, "device");
    virtnet_json_number(j, "pf_id", dev->pf_id);
    if (dev->type == VIRTNET_VF) {
        virtnet_json_number(j, "vf_id", dev->vf_id);
    }
    virtnet_json_string(j, "packet_counters",
                        dev->config.packet_counter ? "Enabled" : "Disabled");
    put_queues(j, "queues-stats", dev, only_queue, IN_STATS, false);
    virtnet_json_end_object(j);
}

/* The controller. */

void
virtnet_json_controller(struct virtnet_json *j)
{
    static const struct virtnet_backend_caps none = { .max_devices = 0 };
    const struct virtnet_backend *backend = virtnet_controller_backend();
    const struct virtnet_backend_caps *caps
        = backend ? backend->class->get_caps(backend) : &none;

    virtnet_json_begin_object(j, "controller");
    virtnet_json_string(j, "emulation_manager",
                        caps->emulation_manager ? caps->emulation_manager
                        : "");
    virtnet_json_dec(j, "max_hotplug_devices", caps->max_hotplug_devices);
    virtnet_json_dec(j, "max_virt_net_devices", caps->max_devices);
    virtnet_json_dec(j, "max_virt_queues", caps->max_virt_queues);
    virtnet_json_dec(j, "max_tunnel_descriptors",
                     caps->max_tunnel_descriptors);
    virtnet_json_bits(j, "supported_features", virtnet_feature_bits,
                      caps->supported_features);
    virtnet_json_bits(j, "supported_virt_queue_types",
                      virtnet_queue_type_bits, caps->virt_queue_types);
    virtnet_json_bits(j, "supported_event_modes", virtnet_event_mode_bits,
                      caps->event_modes);
    if (caps->card) {
        /* Elsewhere settings say that. */
        virtnet_json_dec(j, "max_vfs_per_pf", caps->max_vfs_per_pf);
        virtnet_json_dec(j, "min_vf_msix_num", caps->min_vf_msix);
        virtnet_json_dec(j, "max_vf_msix_num", caps->max_vf_msix);
    }
    virtnet_json_end_object(j);
}

/* Tables. */

static void
put_row(struct ds *s, const char *id, const char *type, const char *vuid,
        const char *bdf, const char *mac, const char *rep, const char *queues,
        const char *state, const char *socket)
{
    ds_put_format(s, "%-8s %-10s %-26s %-7s %-17s %-15s %-6s %-12s %s\n",
                  id, type, vuid, bdf, mac, rep, queues, state, socket);
}

void
virtnet_table_header(struct ds *s)
{
    put_row(s, "ID", "TYPE", "VUID", "BDF", "MAC", "REPRESENTOR", "PAIRS",
            "STATE", "SOCKET");
}

void
virtnet_table_row(struct ds *s, const struct virtnet_device *dev)
{
    static const char *const types[] = {
        [VIRTNET_STATIC_PF] = "static-PF",
        [VIRTNET_HOTPLUG_PF] = "hotplug-PF",
        [VIRTNET_VF] = "VF",
    };
    struct ds mac = DS_EMPTY_INITIALIZER;
    struct ds bdf = DS_EMPTY_INITIALIZER;
    char id[32], queues[16], state[32];

    if (dev->type == VIRTNET_VF) {
        snprintf(id, sizeof id, "%u/%u", dev->pf_id, dev->vf_id);
    } else {
        snprintf(id, sizeof id, "%u", dev->pf_id);
    }
    snprintf(queues, sizeof queues, "%"PRIu16, dev->config.max_queue_pairs);
    ovs_strlcpy(state, virtnet_device_state_name(dev->state), sizeof state);
    for (char *p = state; *p; p++) {
        if (*p == ' ') {
            *p = '-';
        }
    }
    put_row(s, id, types[dev->type], dev->vuid, put_bdf(&bdf, dev->bdf),
            put_mac(&mac, dev->config.mac), dev->rep_name, queues, state,
            dev->attachment_path ? dev->attachment_path : "-");
    ds_destroy(&mac);
    ds_destroy(&bdf);
}
