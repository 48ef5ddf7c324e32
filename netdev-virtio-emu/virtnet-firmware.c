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

/* What the firmware configuration decides.  See virtnet-firmware.h. */

#include <config.h>

#include "virtnet-firmware.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "hash.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "svec.h"
#include "util.h"
#include "virtnet-check.h"
#include "virtnet-conf.h"
#include "virtnet-life.h"
#include "virtnet-pool.h"
#include "virtnet-recovery.h"
#include "virtnet-registry.h"

VLOG_DEFINE_THIS_MODULE(virtnet_firmware);

#define VIRTIO_F_SR_IOV (UINT64_C(1) << 37) /* VIRTIO 1.2, section 6. */

unsigned int virtnet_n_wanted_vfs;

static struct {
    uint64_t pf_features;
    uint64_t vf_features;
    unsigned int pf_queue_pairs;
    unsigned int vf_queue_size;
    bool has_pf_mac, has_vf_mac;
    struct eth_addr pf_mac;     /* Of the first PF. */
    struct eth_addr vf_mac;     /* Of the first VF of the first PF. */
    const char *ib_device;      /* Of static PFs. */
} fw;

static const struct virtnet_backend_caps *
get_caps(void)
{
    struct virtnet_backend *backend = virtnet_controller_backend();

    return backend->class->get_caps(backend);
}

/* How many VFs each static PF can have. */
static unsigned int
max_vfs_per_pf(void)
{
    const struct virtnet_backend_caps *caps = get_caps();

    return (caps->card ? caps->max_vfs_per_pf
            : virtnet_controller_settings()->num_vf);
}

/* Returns the feature bits that 'text', the setting 'key', means for devices
 * of 'type', or 'def'. */
static uint64_t
parse_features(const char *key, const char *text,
               enum virtnet_function_type type, uint64_t def)
{
    const struct virtnet_backend_caps *caps = get_caps();
    unsigned long long int x = 0;

    if (text && str_to_ullong(text, 16, &x) && x) {
        uint64_t features = virtnet_features_for(x, type, caps);
        char *left_out = virtnet_features_left_out(x, caps);
        char *err;

        if (left_out) {
            virtnet_settings_complain(key, "%s", left_out);
            free(left_out);
        }
        if (!virtnet_check_features(features, caps, &err)) {
            return features;
        }
        virtnet_settings_complain(key, "%s; using the default", err);
        free(err);
    }
    return virtnet_features_for(def, type, caps);
}

const char *
virtnet_firmware_no_effect(const struct virtnet_setting *s)
{
    const void *p = (const char *) virtnet_controller_settings() + s->offset;
    enum virtnet_setting_source source = virtnet_settings_source(s->key);

    /* The file may be that of whoever makes the functions, for whom it has
     * an effect. */
    return (source == VIRTNET_SETTING_DEFAULT
            || (source == VIRTNET_SETTING_FILE && get_caps()->external)
            || (s->type == VIRTNET_SETTING_BOOL && !*(const bool *) p)
            ? NULL
            : virtnet_backend_no_effect(virtnet_controller_backend(),
                                        s->key));
}

/* What devices of 'type' are to offer, 'conf' says under 'key'. */
static void
check_conf_features(struct virtnet_conf *conf, const char *key,
                    enum virtnet_function_type type)
{
    const char *text = virtnet_conf_get(conf, key);
    unsigned long long int x;
    char *why;

    if (!text || !str_to_ullong(text, 16, &x) || !x) {
        return;
    }
    why = virtnet_features_left_out(x, get_caps());
    if (why) {
        virtnet_conf_remark(conf, &conf->notes, key, "%s", why);
        free(why);
    }
    if (virtnet_check_features(virtnet_features_for(x, type, get_caps()),
                               get_caps(), &why)) {
        virtnet_conf_remark(conf, &conf->problems, key, "%s", why);
        free(why);
    }
}

/* Returns what 'conf' says of 'key', or 'value' if it says nothing. */
static bool
is_conf_true(const struct virtnet_conf *conf, const char *key, bool value)
{
    const char *text = virtnet_conf_get(conf, key);

    return text ? !strcmp(text, "true") : value;
}

/* Is 'name' that of a parent that there will be? */
static bool
has_parent(const struct virtnet_conf *conf, const char *name)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    bool lag = is_conf_true(conf, "is_lag", s->is_lag);
    bool single = is_conf_true(conf, "single_port", s->single_port);
    const struct {
        bool present;
        const char *key, *otherwise;
    } parents[] = {
        { !lag, "ib_dev_p0", s->ib_dev_p0 },
        { !lag && !single, "ib_dev_p1", s->ib_dev_p1 },
        { lag, "ib_dev_lag", s->ib_dev_lag },
    };

    for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
        const char *given = virtnet_conf_get(conf, parents[i].key);

        if (parents[i].present && !strcmp(given ? given : parents[i].otherwise,
                                          name)) {
            return true;
        }
    }
    return false;
}

void
virtnet_firmware_check_conf(struct virtnet_conf *conf)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    const char *n_vfs = virtnet_conf_get(conf, "vf.vfs_per_pf");
    const char *parent = virtnet_conf_get(conf, "ib_dev_for_static_pf");
    const char *percent = virtnet_conf_get(conf, "sf_pool_percent");

    if (get_caps()->external) {
        return;                 /* The file is that of somebody else. */
    }
    if (n_vfs && max_vfs_per_pf()
        && strtoul(n_vfs, NULL, 10) > max_vfs_per_pf()) {
        virtnet_conf_remark(conf, &conf->problems, "vf.vfs_per_pf",
                            "%s is above %u, the VFs that a PF can have",
                            n_vfs, max_vfs_per_pf());
    }
    if (percent && atoi(percent) && !s->pf_total_sf) {
        virtnet_conf_remark(conf, &conf->problems, "sf_pool_percent",
                            "needs virtnet-pf-total-sf");
    }
    if (parent && (get_caps()->card ? !virtnet_ib_device_lookup(parent)
                   : !has_parent(conf, parent))) {
        virtnet_conf_remark(conf, &conf->problems, "ib_dev_for_static_pf",
                            "there is no RDMA device %s", parent);
    }
    check_conf_features(conf, "static_pf.features", VIRTNET_STATIC_PF);
    check_conf_features(conf, "vf.features", VIRTNET_VF);
}

/* Names the settings that ask for what the backend cannot do. */
static void
check_effects(void)
{
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const struct virtnet_setting *s = &virtnet_settings_table[i];
        const char *why = virtnet_firmware_no_effect(s);

        if (why) {
            virtnet_settings_complain(s->key, "%s; ignored", why);
        }
    }
}

void
virtnet_firmware_load(void)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    const struct virtnet_backend_caps *caps = get_caps();
    struct virtnet_backend *backend = virtnet_controller_backend();
    const struct virtnet_ib_device *devs;

    /* Values are as their types say: see virtnet_setting_check(). */
    fw.pf_queue_pairs = MIN(virtnet_queue_pairs_for_msix(s->num_msix, true),
                            virtnet_max_queue_pairs(caps));
    fw.pf_features = parse_features(
        "virtnet-static-pf-features", s->static_pf_features,
        VIRTNET_STATIC_PF,
        caps->default_features
        | (max_vfs_per_pf() ? caps->supported_features & VIRTIO_F_SR_IOV : 0));
    fw.vf_features = parse_features("virtnet-vf-features", s->vf_features,
                                    VIRTNET_VF, caps->default_features);
    fw.vf_queue_size = (s->vf_max_queue_size ? s->vf_max_queue_size
                        : VIRTNET_DEFAULT_QUEUE_SIZE);
    fw.has_pf_mac = (s->static_pf_mac_base
                     && eth_addr_from_string(s->static_pf_mac_base,
                                             &fw.pf_mac));
    fw.has_vf_mac = (s->vf_mac_base
                     && eth_addr_from_string(s->vf_mac_base, &fw.vf_mac));
    if (fw.has_vf_mac && !s->vf_vfs_per_pf) {
        virtnet_settings_complain("virtnet-vf-mac-base", "needs "
                                  "virtnet-vf-vfs-per-pf; addresses are made "
                                  "up");
        fw.has_vf_mac = false;
    } else if (fw.has_vf_mac && max_vfs_per_pf()
               && s->vf_vfs_per_pf > max_vfs_per_pf()) {
        virtnet_settings_complain("virtnet-vf-vfs-per-pf", "%u is above %u, "
                                  "the VFs that a PF can have; addresses are "
                                  "left out", s->vf_vfs_per_pf,
                                  max_vfs_per_pf());
    }
    if (s->sf_pool_percent && !s->pf_total_sf && !caps->external) {
        virtnet_settings_complain("virtnet-sf-pool-percent", "needs "
                                  "virtnet-pf-total-sf; no SFs are made in "
                                  "advance");
    }
    check_effects();

    backend->class->get_ib_devices(backend, &devs);
    fw.ib_device = devs[0].name;
    if (s->ib_dev_for_static_pf) {
        if (virtnet_ib_device_lookup(s->ib_dev_for_static_pf)) {
            fw.ib_device = s->ib_dev_for_static_pf;
        } else if (virtnet_firmware_num_pfs()) {
            virtnet_settings_complain("virtnet-ib-dev-for-static-pf",
                                      "there is no RDMA device %s; using %s",
                                      s->ib_dev_for_static_pf, fw.ib_device);
        }
    }
}

char *
virtnet_firmware_fingerprint(void)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    const struct virtnet_backend_caps *caps = get_caps();

    if (caps->card) {
        return xasprintf("num-pf=%u num-vf=%u num-queues=%u vf-msix=%u-%u "
                         "num-vf-msix=%u hotplug=%u pf-total-sf=%u is-lag=%d",
                         caps->num_pfs, caps->max_vfs_per_pf,
                         caps->max_virt_queues, caps->min_vf_msix,
                         caps->max_vf_msix, s->num_vf_msix,
                         caps->max_hotplug_devices, s->pf_total_sf,
                         s->is_lag);
    }
    return xasprintf("num-pf=%u num-vf=%u num-msix=%u num-vf-msix=%u "
                     "switch-num-port=%u pf-total-sf=%u is-lag=%d",
                     s->num_pf, s->num_vf, s->num_msix, s->num_vf_msix,
                     s->switch_num_port, s->pf_total_sf, s->is_lag);
}

unsigned int
virtnet_firmware_num_pfs(void)
{
    const struct virtnet_backend_caps *caps = get_caps();

    return (caps->external ? 0
            : caps->card ? caps->num_pfs
            : virtnet_controller_settings()->num_pf);
}

/* Makes up the address of the function 'dev', which may be NULL.  The same at
 * every start, locally administered, and not that of any other device. */
static struct eth_addr
make_up_mac(const struct virtnet_device *dev, unsigned int pf_id,
            unsigned int vf_ordinal)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    uint32_t hash = hash_string(s->serial, hash_2words(pf_id, vf_ordinal));

    for (;;) {
        uint32_t more = hash_int(hash, 1);
        struct eth_addr mac = {
            .ea = { 0x06, more >> 8, hash >> 24, hash >> 16, hash >> 8, hash }
        };

        const struct virtnet_device *other = virtnet_device_by_mac(mac);

        if (!other || other == dev) {
            return mac;
        }
        hash++;
    }
}

static struct eth_addr
mac_add(const struct eth_addr base, unsigned int n)
{
    struct eth_addr mac;

    eth_addr_from_uint64(eth_addr_to_uint64(base) + n, &mac);
    return mac;
}

/* Prepares 'pf' for up to 'max_vfs' VFs with 'msix' vectors each. */
static void
init_sriov(struct virtnet_device *pf, unsigned int max_vfs, unsigned int msix)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    const struct virtnet_backend_caps *caps = get_caps();

    pf->max_vfs = MIN(max_vfs, caps->max_vfs_per_pf);
    if (pf->max_vfs) {
        pf->pool = xmalloc(sizeof *pf->pool);
        msix = s->num_vf_msix ? s->num_vf_msix : msix;
        virtnet_pool_init(pf->pool, msix, s->vf_max_queue_pairs,
                          virtnet_max_queue_pairs(caps));
        if (caps->max_vf_msix) {
            virtnet_pool_limit_msix(pf->pool, caps->min_vf_msix,
                                    caps->max_vf_msix);
        }
    }
}

void
virtnet_firmware_adopt_pf(struct virtnet_device *pf)
{
    init_sriov(pf, pf->max_vfs, pf->config.num_msix);
}

/* Stores in '*config' what static PF 'pf_id', which is 'dev' if it is there
 * already, is born with. */
static void
pf_config(unsigned int pf_id, const struct virtnet_device *dev,
          struct virtnet_device_config *config)
{
    *config = (struct virtnet_device_config) {
        .mac = (fw.has_pf_mac ? mac_add(fw.pf_mac, pf_id)
                : make_up_mac(dev, pf_id, 0)),
        .mtu = VIRTNET_DEFAULT_MTU,
        .features = fw.pf_features,
        .max_queue_pairs = fw.pf_queue_pairs,
        .max_queue_size = VIRTNET_DEFAULT_QUEUE_SIZE,
        .num_msix = virtnet_msix_for_queue_pairs(fw.pf_queue_pairs),
        .speed = VIRTNET_DEFAULT_SPEED,
        .link_up = true,
    };
}

static struct virtnet_device *
new_pf(unsigned int pf_id)
{
    struct virtnet_backend *backend = virtnet_controller_backend();
    struct virtnet_device *dev;

    dev = backend->class->device_alloc(backend, VIRTNET_STATIC_PF);
    dev->pf_id = pf_id;
    dev->ib_device = xstrdup(fw.ib_device);
    dev->sf_num = VIRTNET_SF_STATIC_MIN + pf_id;
    pf_config(pf_id, NULL, &dev->config);
    return dev;
}

int
virtnet_firmware_reset_pf(struct virtnet_device *pf, virtnet_config_cb *cb,
                          void *aux, char **errp)
{
    struct virtnet_device_config config;

    pf_config(pf->pf_id, pf, &config);
    /* Where there is a card its firmware does this. */
    return virtnet_controller_apply_config(pf, &config, cb, aux, errp);
}

static int check_vfs(unsigned int n, char **errp);

/* A static PF that is on its way. */
struct pf_job {
    unsigned int pf_id;
    unsigned int n_vfs;         /* Of which there are records. */
};

/* The static PF 'dev' is there, and 'job' done. */
static void
pf_made(struct virtnet_device *dev, struct pf_job *job)
{
    const struct virtnet_settings *s = virtnet_controller_settings();

    init_sriov(dev, max_vfs_per_pf(), s->num_msix);
    if (dev->num_vfs > dev->max_vfs) {
        VLOG_WARN("%s: %u VFs are recorded, and there can be %u", dev->vuid,
                  dev->num_vfs, dev->max_vfs);
        dev->num_vfs = job->n_vfs <= dev->max_vfs ? job->n_vfs : 0;
    }
    free(job);
    if (dev->vfs_are_new) {
        char *err = NULL;
        int error = check_vfs(dev->num_vfs, &err);

        dev->vfs_are_new = false;
        if (error) {
            VLOG_ERR("static PF[%u] %s: the host's VFs are left alone: "
                     "%s (%d): %s", dev->pf_id, dev->vuid,
                     virtnet_strerror(error), error, err);
            free(err);
            dev->num_vfs = 0;
        }
    }
    virtnet_n_wanted_vfs += dev->num_vfs;
    VLOG_INFO("static PF[%u] %s: "VIRTNET_BDF_FMT", representor %s, %s %s",
              dev->pf_id, dev->vuid, VIRTNET_BDF_ARGS(dev->bdf),
              dev->rep_name, dev->attachment ? dev->attachment : "",
              dev->attachment_path ? dev->attachment_path : "");
    virtnet_notify(VIRTNET_EVENT_ADDED, dev);
}

/* Logs what has become of a static PF that could not be made, and why. */
static void
pf_failed(const struct pf_job *job, const char *what, int error,
          const char *reason)
{
    VLOG_ERR("static PF[%u]: %s: %s (%d)%s%s", job->pf_id, what,
             virtnet_strerror(error), error, reason ? ": " : "",
             reason ? reason : "");
}

/* A static PF without a record has come out. */
static void
new_pf_done(struct virtnet_device *dev, int error, const char *reason,
            void *job)
{
    if (error) {
        pf_failed(job, "not made", error, reason);
        free(job);
        return;
    }
    pf_made(dev, job);
    virtnet_save(dev, NULL, NULL);
}

/* Makes a static PF that has no record, or a bad one, but that costs no other
 * device. */
static void
make_new_pf(struct pf_job *job)
{
    struct virtnet_device *dev = new_pf(job->pf_id);
    char *err = NULL;
    int error;

    dev->num_vfs = job->n_vfs;
    error = virtnet_bring_up(dev, true, false, new_pf_done, job, &err);
    if (error != -EINPROGRESS) {
        new_pf_done(dev, error, err, job);
    }
    free(err);
}

/* A static PF with a record has come out. */
static void
recorded_pf_done(struct virtnet_device *dev, int error, const char *reason,
                 void *job)
{
    if (error) {
        pf_failed(job, "not restored, and made anew", error, reason);
        make_new_pf(job);
        return;
    }
    pf_made(dev, job);
}

void
virtnet_firmware_make_pf(unsigned int pf_id,
                         const struct virtnet_record *record,
                         unsigned int n_vfs)
{
    struct pf_job *job = xmalloc(sizeof *job);
    struct virtnet_device *dev = NULL;
    char *err = NULL;
    int error;

    *job = (struct pf_job) {
        .pf_id = pf_id,
        .n_vfs = get_caps()->card ? 0 : n_vfs,
    };
    if (!record) {
        make_new_pf(job);
        return;
    }
    error = virtnet_bring_back(record, recorded_pf_done, job, &dev, &err);
    if (error != -EINPROGRESS) {
        recorded_pf_done(dev, error, err, job);
    }
    free(err);
}

void
virtnet_firmware_init_vf(struct virtnet_device *dev,
                         const struct virtnet_device *pf)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    unsigned int per_pf = s->vf_vfs_per_pf;

    dev->config = (struct virtnet_device_config) {
        .mac = (fw.has_vf_mac
                ? mac_add(fw.vf_mac, dev->pf_id * per_pf + dev->vf_id % per_pf)
                : make_up_mac(NULL, dev->pf_id, dev->vf_id + 1)),
        .mtu = VIRTNET_DEFAULT_MTU,
        .features = fw.vf_features,
        .max_queue_pairs = pf->pool->def_queue_pairs,
        .max_queue_size = fw.vf_queue_size,
        .num_msix = pf->pool->def_msix,
        .speed = VIRTNET_DEFAULT_SPEED,
        .link_up = true,
        .transitional = s->lm_prov && !strcmp(s->lm_prov, "kernel"),
    };
}

void
virtnet_firmware_check_vfs(const struct virtnet_device *pf, unsigned int n)
{
    unsigned int per_pf = virtnet_controller_settings()->vf_vfs_per_pf;

    if (fw.has_vf_mac && n > per_pf) {
        VLOG_WARN("static PF[%u]: %u VFs share %u MAC addresses "
                  "(other_config:virtnet-vf-vfs-per-pf)", pf->pf_id, n,
                  per_pf);
    }
}

/* Limits. */

/* Functions that one host can have.  Unless an operator says otherwise, what
 * a card can have; more if there are more ports of the emulated switch than a
 * card has. */
static unsigned int
max_functions(void)
{
    const struct virtnet_settings *s = virtnet_controller_settings();

    return (s->max_functions ? s->max_functions
            : MAX(256, (get_caps()->max_hotplug_devices
                        + virtnet_firmware_num_pfs())));
}

static unsigned int
n_functions(void)
{
    return (virtnet_registry_count(VIRTNET_STATIC_PF)
            + virtnet_registry_count(VIRTNET_HOTPLUG_PF)
            + virtnet_n_making(VIRTNET_HOTPLUG_PF)
            + virtnet_n_wanted_vfs);
}

static int
check_functions(unsigned int n, char **errp)
{
    unsigned int used = n_functions();

    return (used + n <= max_functions() ? 0
            : virtnet_refuse(VIRTNET_E_ID_RANGE, errp, "%u of the %u "
                             "functions that a host can have "
                             "(other_config:virtnet-max-functions) are in "
                             "use", used, max_functions()));
}

int
virtnet_check_hotplug_limit(char **errp)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    unsigned int n = (virtnet_registry_count(VIRTNET_HOTPLUG_PF)
                      + virtnet_n_making(VIRTNET_HOTPLUG_PF));
    unsigned int max = get_caps()->max_hotplug_devices;

    if (n >= max) {
        return virtnet_refuse(VIRTNET_E_ID_RANGE, errp,
                              "all %u ports for hotplug devices are in use",
                              max);
    } else if (virtnet_firmware_num_pfs() && max_vfs_per_pf()
               && n >= s->max_hotplug_with_vfs) {
        return virtnet_refuse(VIRTNET_E_ID_RANGE, errp, "there can be %u "
                              "hotplug devices where VFs are configured "
                              "(other_config:virtnet-max-hotplug-with-vfs)",
                              s->max_hotplug_with_vfs);
    }
    return check_functions(1, errp);
}

/* Can there be 'n' more VFs, as far as settings go? */
static int
check_vfs(unsigned int n, char **errp)
{
    const struct virtnet_settings *s = virtnet_controller_settings();

    if (virtnet_n_wanted_vfs + n > s->max_vfs) {
        return virtnet_refuse(VIRTNET_E_ID_RANGE, errp, "%u of the %u VFs "
                              "that there can be "
                              "(other_config:virtnet-max-vfs) are in use",
                              virtnet_n_wanted_vfs, s->max_vfs);
    }
    return check_functions(n, errp);
}

int
virtnet_check_vf_limit(unsigned int n, char **errp)
{
    unsigned int room;
    int error;

    error = check_vfs(n, errp);
    if (error) {
        return error;
    } else if (virtnet_sf_pool_is_creating(&virtnet_sfs)) {
        return virtnet_refuse(VIRTNET_E_SF_POOL_BUSY, errp,
                              "SFs are being made in advance");
    }
    room = virtnet_sf_pool_room(&virtnet_sfs);
    if (n > room) {
        return virtnet_refuse(VIRTNET_E_SF_CREATE, errp, "%u of the %u SFs "
                              "(other_config:virtnet-pf-total-sf) are free",
                              room, virtnet_sfs.total);
    }
    return 0;
}

void
virtnet_firmware_exceeded_limits(struct svec *lines)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    const struct {
        const char *limit, *what;
        unsigned int n, max;
    } limits[] = {
        { "virtnet-max-vfs", "VFs", virtnet_n_wanted_vfs, s->max_vfs },
        { "virtnet-max-functions", "functions", n_functions(),
          max_functions() },
    };

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        if (limits[i].n > limits[i].max) {
            svec_add_nocopy(lines, xasprintf(
                "there are %u %s, and other_config:%s is %u", limits[i].n,
                limits[i].what, limits[i].limit, limits[i].max));
        }
    }
}
