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

/* The controller.  See virtnet-controller.h. */

#include <config.h>

#include "virtnet-controller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-batch.h"
#include "virtnet-firmware.h"
#include "virtnet-host.h"
#include "virtnet-life.h"
#include "virtnet-modify.h"
#include "virtnet-record-io.h"
#include "virtnet-recovery.h"
#include "virtnet-registry.h"
#include "virtnet-show.h"
#include "virtnet-slice.h"
#include "virtnet-sriov.h"

VLOG_DEFINE_THIS_MODULE(virtnet_controller);

COVERAGE_DEFINE(virtnet_restored);
COVERAGE_DEFINE(virtnet_restore_failed);

/* What the backend rests on (DPDK) is initialized in the first turns of the
 * main loop.  For this long (ms) and so many turns, which take seconds where
 * the processor has much else to do, its absence is no reason to tell
 * anybody. */
#define START_GRACE_MS 2000
#define START_GRACE_TURNS 50

/* The same for a backend that is at it: a card lets go of what it has first,
 * and a machine under load makes packet buffers for seconds. */
#define AT_IT_GRACE_MS 60000

/* How often (ms) to try again to open a backend that is not ready. */
#define START_RETRY_MS 500

/* How often (ms) to look whether the disk has the records of devices that are
 * to come back. */
#define FLUSH_RETRY_MS 5

enum controller_state {
    CONTROLLER_UNCONFIGURED,    /* The settings are not known yet. */
    CONTROLLER_STARTING,        /* The backend is about to be ready. */
    CONTROLLER_RESTORING,       /* It is open; devices are coming back. */
    CONTROLLER_RESUMING,        /* VFs without a record are being made. */
    CONTROLLER_FAILED,          /* 'reason' says why; may try again. */
    CONTROLLER_STOPPING,        /* To be started anew; devices are going. */
    CONTROLLER_RUNNING,
};

struct observer {
    virtnet_observer_cb *cb;
    void *aux;
};

static struct {
    enum controller_state state;
    bool exiting;
    bool settled;               /* Has it been running, or failed? */
    char *reason;               /* CONTROLLER_FAILED: one line. */
    bool again;                 /* Will the backend be ready later? */
    long long int starting_since; /* time_msec(). */
    unsigned int start_turns;   /* How often it was tried since then. */
    long long int next_try;     /* time_msec(). */

    struct virtnet_settings settings;
    struct smap other_config;   /* What 'settings' come from. */
    struct virtnet_backend *backend;

    /* CONTROLLER_RESTORING. */
    bool unread;                /* Are records to be read?  If so, ... */
    bool checked;               /* ...do they go with the firmware? */
    struct virtnet_record_reader *reader; /* While they are being read. */
    struct virtnet_record **records; /* NULL where used already. */
    size_t n_records, next_record, n_restored;
    unsigned int next_pf;       /* Static PF to be made next. */

    uint64_t seqno;

    bool sf_later;              /* Does an SF made in advance take time? */

    virtnet_restart_cb *restart_cb; /* To be called when started, or NULL. */
    void *restart_aux;

    struct observer *observers;
    size_t n_observers;
} ctl;

/* Observers. */

void
virtnet_controller_add_observer(virtnet_observer_cb *cb, void *aux)
{
    ctl.observers = xrealloc(ctl.observers,
                             (ctl.n_observers + 1) * sizeof *ctl.observers);
    ctl.observers[ctl.n_observers++] = (struct observer) { cb, aux };
}

void
virtnet_notify(enum virtnet_event event, struct virtnet_device *dev)
{
    ctl.seqno++;
    for (size_t i = 0; i < ctl.n_observers; i++) {
        ctl.observers[i].cb(event, dev, ctl.observers[i].aux);
    }
}

void
virtnet_controller_device_changed(struct virtnet_device *dev)
{
    /* A device that is not in the registry is none of anybody's business. */
    if (virtnet_registry_contains(dev)) {
        virtnet_notify(VIRTNET_EVENT_CHANGED, dev);
    }
}

uint64_t
virtnet_controller_seqno(void)
{
    return ctl.seqno;
}

/* Start and stop. */

/* Returns the record of static PF 'pf_id', or NULL. */
static const struct virtnet_record *
static_pf_record(unsigned int pf_id)
{
    for (size_t i = 0; i < ctl.n_records; i++) {
        const struct virtnet_record *r = ctl.records[i];

        if (r->type == VIRTNET_STATIC_PF && r->pf_id == pf_id) {
            return r;
        }
    }
    return NULL;
}

/* Returns the number of VFs that static PF 'pf_id' had, as far as their
 * records tell. */
static unsigned int
n_recorded_vfs(unsigned int pf_id)
{
    unsigned int n = 0;

    for (size_t i = 0; i < ctl.n_records; i++) {
        const struct virtnet_record *r = ctl.records[i];

        if (r->type == VIRTNET_VF && r->pf_id == pf_id) {
            n = MAX(n, r->vf_id + 1);
        }
    }
    return n;
}

/* The device of 'record' has come back, or not. */
static void
restored(struct virtnet_device *dev, int error, const char *reason,
         void *record_)
{
    const struct virtnet_record *record = record_;

    if (!error) {
        if (dev->type == VIRTNET_VF) {
            virtnet_sriov_came_back(dev);
        } else {
            virtnet_notify(VIRTNET_EVENT_ADDED, dev);
        }
        COVERAGE_INC(virtnet_restored);
        ctl.n_restored++;
    } else if (error == -ENODEV) {
        VLOG_INFO("%s: is not there any more; its record is deleted",
                  record->vuid);
        virtnet_recovery_delete(record->vuid, ctl.settings.recovery_dir);
    } else {
        /* The record is kept: whatever is in the way may go. */
        COVERAGE_INC(virtnet_restore_failed);
        VLOG_ERR("%s: not restored: %s (%d)%s%s", record->vuid,
                 virtnet_strerror(error), error, reason ? ": " : "",
                 reason ? reason : "");
    }
}

/* Brings back the device of 'record'. */
static void
restore_device(struct virtnet_record *record)
{
    struct virtnet_device *dev = NULL;
    char *detail = NULL;
    int error;

    if (record->type == VIRTNET_STATIC_PF) {
        /* Was made already, unless the card does not have it any more. */
        if (record->pf_id < virtnet_firmware_num_pfs()) {
            ctl.n_restored++;
            return;
        }
        error = -ENODEV;
    } else if (record->type == VIRTNET_VF) {
        error = virtnet_sriov_bring_back(record, restored, record, &dev,
                                         &detail);
    } else {
        error = virtnet_bring_back(record, restored, record, &dev, &detail);
    }
    if (error != -EINPROGRESS) {
        restored(dev, error, detail, record);
    }
    free(detail);
}

/* Begins to read records, if it can be done now. */
static void
read_records(void)
{
    if (!ctl.checked) {
        char *fingerprint;

        if (!virtnet_record_io_is_flushed()) {
            return;
        }
        fingerprint = virtnet_firmware_fingerprint();
        virtnet_recovery_check_firmware(ctl.settings.recovery_dir,
                                        fingerprint);
        free(fingerprint);
        ctl.checked = true;
    }
    if (virtnet_record_io_has_done(virtnet_record_io_n_jobs())) {
        ctl.reader = virtnet_recovery_read(ctl.settings.recovery_dir);
        ctl.unread = false;
    }
}

/* Asks the backend about a record that has been read. */
static char *
check_record(const struct virtnet_record *record)
{
    return (ctl.backend->class->check_record
            ? ctl.backend->class->check_record(ctl.backend, record) : NULL);
}

/* Reads records, makes static PFs and brings back recorded devices for a
 * while.  Returns true when that was all. */
static bool
restore_some(void)
{
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, true);
    if (!ctl.settled) {
        virtnet_slice_extend(&slice);
    }
    if (ctl.unread) {
        read_records();
        if (ctl.unread) {
            return false;
        }
    }
    if (ctl.reader) {
        if (!virtnet_record_reader_run(ctl.reader, &slice)) {
            return false;
        }
        ctl.n_records = virtnet_record_reader_finish(ctl.reader, check_record,
                                                     &ctl.records);
        ctl.reader = NULL;
    }
    while (ctl.next_pf < virtnet_firmware_num_pfs()) {
        unsigned int pf_id = ctl.next_pf;

        if (virtnet_slice_is_over(&slice)) {
            return false;
        }
        ctl.next_pf++;
        /* Unless the backend has found it. */
        if (virtnet_registry_pf_id_is_free(pf_id)) {
            virtnet_firmware_make_pf(pf_id, static_pf_record(pf_id),
                                     n_recorded_vfs(pf_id));
        }
    }
    /* VFs need their PF. */
    if (!ctl.next_record && virtnet_life_is_busy()) {
        return false;
    }
    while (ctl.next_record < ctl.n_records) {
        if (virtnet_slice_is_over(&slice)) {
            return false;
        }
        restore_device(ctl.records[ctl.next_record++]);
    }
    if (virtnet_life_is_busy()) {
        return false;
    }
    if (ctl.n_records) {
        VLOG_INFO("%"PRIuSIZE" of %"PRIuSIZE" devices restored from %s",
                  ctl.n_restored, ctl.n_records, ctl.settings.recovery_dir);
    }
    virtnet_records_destroy(ctl.records, ctl.n_records);
    ctl.records = NULL;
    ctl.n_records = ctl.next_record = ctl.n_restored = ctl.next_pf = 0;
    return true;
}

/* Takes over 'dev', which "enumerate" has found plugged. */
static void
adopt_function(struct virtnet_device *dev, void *aux OVS_UNUSED)
{
    virtnet_sf_pool_take(&virtnet_sfs, true);
    virtnet_registry_claim_numbers(dev);
    virtnet_registry_insert(dev);
    if (dev->type == VIRTNET_STATIC_PF) {
        virtnet_firmware_adopt_pf(dev);
    } else if (dev->type == VIRTNET_VF) {
        virtnet_sriov_adopt(dev);
    }
    virtnet_notify(VIRTNET_EVENT_ADDED, dev);
}

/* Tells who asked for a restart what became of it. */
static void
answer_restart(int error, const char *reason)
{
    virtnet_restart_cb *cb = ctl.restart_cb;

    ctl.restart_cb = NULL;
    if (cb) {
        cb(error, reason, ctl.restart_aux);
    }
}

static void
controller_fail(char *reason, bool again)
{
    bool news = (ctl.state != CONTROLLER_FAILED
                 || strcmp(ctl.reason, reason));

    free(ctl.reason);
    ctl.reason = reason;
    ctl.again = again;
    ctl.next_try = time_msec() + START_RETRY_MS;
    ctl.state = CONTROLLER_FAILED;
    ctl.settled = true;
    if (news) {
        /* A switch without DPDK, or one that waits for another to go, has not
         * asked for any of this.  Commands and ports say the reason. */
        VLOG(again ? VLL_DBG : VLL_WARN,
             "the controller does not run: %s", reason);
        virtnet_notify(VIRTNET_EVENT_STARTED, NULL);
    }
    answer_restart(-EIO, reason);
}

static void
controller_start(void)
{
    const struct virtnet_backend_class *class;
    struct virtnet_backend *backend;
    char *detail = NULL;
    bool external;
    int error;

    if (!ctl.settings.enable || !ctl.settings.emulation_enable) {
        controller_fail(xasprintf(
            "other_config:%s is false",
            !ctl.settings.enable ? "virtnet-enable"
            : "virtnet-emulation-enable"), false);
        return;
    }
    class = virtnet_backend_lookup_class(ctl.settings.backend);
    if (!class) {
        controller_fail(xasprintf("other_config:virtnet-backend: there is no "
                                  "backend \"%s\"", ctl.settings.backend),
                        false);
        return;
    }
    error = class->open(&ctl.settings, &backend, &detail);
    if (error == -EINPROGRESS && ctl.state == CONTROLLER_STARTING
        && time_msec() < ctl.starting_since + AT_IT_GRACE_MS) {
        free(detail);
        return;
    } else if (error == -EAGAIN && ctl.state == CONTROLLER_STARTING
        && (time_msec() < ctl.starting_since + START_GRACE_MS
            || ctl.start_turns++ < START_GRACE_TURNS)) {
        free(detail);
        return;
    } else if (error) {
        controller_fail(detail ? detail
                        : xasprintf("backend %s: %s", class->type,
                                    virtnet_strerror(error)),
                        error == -EAGAIN || error == -EINPROGRESS);
        return;
    }

    class = backend->class;
    external = class->get_caps(backend)->external;
    ctl.backend = backend;
    ctl.state = CONTROLLER_RESTORING;
    virtnet_firmware_load();
    virtnet_sf_pool_init(&virtnet_sfs,
                         external ? 0 : ctl.settings.pf_total_sf,
                         external ? 0 : ctl.settings.sf_pool_percent,
                         ctl.settings.sf_pool_force_destroy);
    if (class->enumerate) {
        error = class->enumerate(backend, adopt_function, NULL, &detail);
        if (error) {
            VLOG_ERR("backend %s: functions cannot be enumerated: %s",
                     class->type, detail ? detail : virtnet_strerror(error));
            free(detail);
        }
    }
    if (ctl.settings.recovery && !external) {
        ctl.unread = true;
        ctl.checked = false;
    }
}

/* All recorded devices are back.  Makes the VFs that are missing. */
static void
resume_vfs(void)
{
    for (unsigned int i = 0; i < virtnet_firmware_num_pfs(); i++) {
        struct virtnet_device *pf = virtnet_device_by_pf(i);

        if (pf) {
            virtnet_sriov_resume(pf);
        }
    }
    ctl.state = CONTROLLER_RESUMING;
}

/* All is as it was. */
static void
controller_started(void)
{
    struct svec exceeded = SVEC_EMPTY_INITIALIZER;

    ctl.state = CONTROLLER_RUNNING;
    ctl.settled = true;
    virtnet_firmware_exceeded_limits(&exceeded);
    for (size_t i = 0; i < exceeded.n; i++) {
        VLOG_WARN("%s; they stay", exceeded.names[i]);
    }
    svec_destroy(&exceeded);
    VLOG_INFO("controller started: backend %s, %"PRIuSIZE" devices",
              ctl.backend->class->type, virtnet_controller_n_devices());
    virtnet_notify(VIRTNET_EVENT_STARTED, NULL);
    answer_restart(0, NULL);
}

/* Begins to start, with what the file says now. */
static void
start_anew(void)
{
    virtnet_settings_from_smap(&ctl.settings, &ctl.other_config, false);
    ctl.state = CONTROLLER_STARTING;
    ctl.starting_since = time_msec();
    ctl.start_turns = 0;
}

/* Unplugs devices for a while, the last ones first, so that VFs go before
 * their PFs.  When there is none any more, starts anew. */
static void
stop_some(void)
{
    struct ovs_list *devices = virtnet_controller_devices__();
    struct virtnet_slice slice;

    if (virtnet_show_is_busy()) {
        return;                 /* Who asked before this sees all of them. */
    }
    virtnet_slice_begin(&slice, true);
    while (!ovs_list_is_empty(devices)) {
        struct virtnet_device *dev = CONTAINER_OF(ovs_list_back(devices),
                                                  struct virtnet_device,
                                                  list_node);
        char *err = NULL;

        if (virtnet_slice_is_over(&slice)) {
            return;
        }
        if (dev->backend->class->device_unplug(dev, true, &err)) {
            VLOG_WARN("%s: %s", dev->vuid, err ? err : "not unplugged");
            free(err);
        }
        virtnet_sriov_let_go(dev);
        virtnet_bring_down(dev, true);
    }
    virtnet_n_wanted_vfs = 0;
    ctl.backend->class->close(ctl.backend, false);
    ctl.backend = NULL;
    start_anew();
}

int
virtnet_controller_restart(virtnet_restart_cb *cb, void *aux, char **errp)
{
    *errp = NULL;
    if (virtnet_sriov_is_busy()) {
        return virtnet_refuse(-EBUSY, errp,
                              "VFs are being made or removed");
    } else if (virtnet_batch_is_busy()) {
        return virtnet_refuse(-EBUSY, errp, "devices are being plugged");
    } else if (virtnet_life_is_busy()) {
        return virtnet_refuse(-EBUSY, errp, "devices are being plugged or "
                              "unplugged");
    } else if (virtnet_modify_is_busy()) {
        return virtnet_refuse(-EBUSY, errp, "devices are being modified");
    } else if (virtnet_host_is_busy()) {
        return virtnet_refuse(-EBUSY, errp, "the host is restarting");
    } else if (ctl.state == CONTROLLER_FAILED) {
        start_anew();
    } else if (ctl.state == CONTROLLER_RUNNING) {
        VLOG_INFO("controller: restart");
        ctl.state = CONTROLLER_STOPPING;
    } else {
        return virtnet_refuse(-EBUSY, errp, "the controller is starting");
    }
    ctl.restart_cb = cb;
    ctl.restart_aux = aux;
    return 0;
}

bool
virtnet_controller_restarting(void)
{
    return ctl.state == CONTROLLER_STOPPING;
}

bool
virtnet_controller_starting(void)
{
    return ctl.state == CONTROLLER_STARTING;
}

bool
virtnet_controller_settling(void)
{
    return !ctl.settled;
}

/* Makes SFs in advance for a while. */
static void
make_sfs(void)
{
    const struct virtnet_backend_class *class = ctl.backend->class;
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, true);
    while (virtnet_sf_pool_is_creating(&virtnet_sfs)
           && !virtnet_slice_is_over(&slice)) {
        char *err = NULL;
        int error = (class->sf_prepare
                     ? class->sf_prepare(ctl.backend, &err) : 0);

        ctl.sf_later = error == -EAGAIN;
        if (ctl.sf_later) {
            free(err);
            break;              /* The backend's "run" wakes us. */
        } else if (error) {
            virtnet_sf_pool_stop(&virtnet_sfs);
        } else {
            error = virtnet_sf_pool_made_one(&virtnet_sfs);
        }
        if (error) {
            VLOG_ERR("%u SFs made in advance, no more: %s (%d)%s%s",
                     virtnet_sfs.made, virtnet_strerror(error), error,
                     err ? ": " : "", err ? err : "");
            free(err);
        } else if (!virtnet_sf_pool_is_creating(&virtnet_sfs)) {
            VLOG_INFO("%u SFs made in advance", virtnet_sfs.made);
        }
    }
}

void
virtnet_controller_init(void)
{
    smap_init(&ctl.other_config);
    virtnet_registry_init();
    if (getenv("VIRTNET_TEST_COMMANDS")) {
        /* With them work stops half way, which is what tests want to see, and
         * nobody else. */
        virtnet_slice_init();
        virtnet_record_io_init();
    }
    virtnet_settings_from_smap(&ctl.settings, NULL, false);
}

void
virtnet_controller_configure(const struct smap *other_config)
{
    bool first = ctl.state == CONTROLLER_UNCONFIGURED;

    if (!first && smap_equal(&ctl.other_config, other_config)) {
        return;
    }
    smap_destroy(&ctl.other_config);
    smap_clone(&ctl.other_config, other_config);
    virtnet_settings_from_smap(&ctl.settings, other_config,
                               ctl.backend != NULL);
    if (!ctl.backend) {
        if (first) {
            ctl.state = CONTROLLER_STARTING;
            ctl.starting_since = time_msec();
            ctl.start_turns = 0;
        }
        ctl.again = true;
        ctl.next_try = 0;
    }
    ctl.seqno++;
}

void
virtnet_controller_run(void)
{
    if (ctl.exiting) {
        return;
    }
    virtnet_record_io_run();
    if (ctl.state == CONTROLLER_STOPPING) {
        stop_some();
    }
    if (ctl.state == CONTROLLER_STARTING
        || (ctl.state == CONTROLLER_FAILED && ctl.again
            && time_msec() >= ctl.next_try)) {
        controller_start();
    }
    if (ctl.state == CONTROLLER_RESTORING && restore_some()) {
        resume_vfs();
    }
    if (ctl.state == CONTROLLER_RESUMING
        || ctl.state == CONTROLLER_RUNNING) {
        virtnet_sriov_run();
    }
    if (ctl.state == CONTROLLER_RESUMING && !virtnet_sriov_is_busy()) {
        controller_started();
    }
    if (ctl.state == CONTROLLER_RUNNING) {
        make_sfs();
    }
    if (ctl.backend && ctl.backend->class->run) {
        ctl.backend->class->run(ctl.backend);
    }
}

void
virtnet_controller_wait(void)
{
    if (ctl.exiting) {
        return;
    }
    virtnet_record_io_wait();
    switch (ctl.state) {
    case CONTROLLER_UNCONFIGURED:
        break;
    case CONTROLLER_STARTING:
        poll_timer_wait(10);
        break;
    case CONTROLLER_FAILED:
        if (ctl.again) {
            poll_timer_wait_until(ctl.next_try);
        }
        break;
    case CONTROLLER_RESTORING:
    case CONTROLLER_RESUMING:
        if (ctl.unread) {
            poll_timer_wait(FLUSH_RETRY_MS);
        } else if (!virtnet_life_is_busy() || ctl.reader
                   || ctl.next_pf < virtnet_firmware_num_pfs()
                   || (ctl.next_record && ctl.next_record < ctl.n_records)) {
            virtnet_slice_wait();
        }
        virtnet_sriov_wait();
        /* While devices take their time the backend's "run" goes on. */
        if (ctl.backend->class->wait) {
            ctl.backend->class->wait(ctl.backend);
        }
        break;
    case CONTROLLER_STOPPING:
        virtnet_slice_wait();
        break;
    case CONTROLLER_RUNNING:
        virtnet_sriov_wait();
        if (virtnet_sf_pool_is_creating(&virtnet_sfs) && !ctl.sf_later) {
            virtnet_slice_wait();
        }
        if (ctl.backend->class->wait) {
            ctl.backend->class->wait(ctl.backend);
        }
        break;
    }
}

void
virtnet_controller_exit(void)
{
    ctl.exiting = true;
    if (ctl.backend) {
        /* Devices are not unplugged: they come back with the next process.
         * They stay in the registry for the ports that are about to close. */
        ctl.backend->class->close(ctl.backend, true);
    }
}

bool
virtnet_controller_exiting(void)
{
    return ctl.exiting;
}

bool
virtnet_controller_is_running(const char **reason)
{
    if (reason) {
        *reason = ctl.state == CONTROLLER_FAILED ? ctl.reason : NULL;
    }
    return ctl.state == CONTROLLER_RUNNING;
}

const struct virtnet_settings *
virtnet_controller_settings(void)
{
    return &ctl.settings;
}

struct virtnet_backend *
virtnet_controller_backend(void)
{
    return ctl.backend;
}
