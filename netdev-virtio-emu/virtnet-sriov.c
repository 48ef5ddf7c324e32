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

/* VFs.  See virtnet-sriov.h. */

#include <config.h>

#include "virtnet-sriov.h"

#include <errno.h>
#include <inttypes.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "virtnet-firmware.h"
#include "virtnet-life.h"
#include "virtnet-recovery.h"
#include "virtnet-registry.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(virtnet_sriov);

COVERAGE_DEFINE(virtnet_vf_made);
COVERAGE_DEFINE(virtnet_vf_removed);
COVERAGE_DEFINE(virtnet_vf_failed);

/* How many VFs of a job may be under way: their records are being written, or
 * the backend needs time. */
#define MAX_PENDING 128

/* How many VFs come or go in a turn of the main loop at most.  A VF is removed
 * in no time, but in the same turn Open vSwitch looks at its port, which takes
 * some 0.1 ms. */
#define TURN_STEPS 32

struct sriov_job {
    struct ovs_list list_node;  /* In 'jobs'. */
    struct virtnet_device *pf;
    bool load;                  /* Make VFs, or remove them? */
    bool recording;             /* Is the number of VFs being written? */
    bool refused;               /* Cannot it be? */
    unsigned int old_num_vfs;   /* What it was before. */
    unsigned int n_steps;       /* VFs made or removed by this job. */
    unsigned int next;          /* 'load': id of the VF to look at next. */
    unsigned int n_pending;     /* 'load': VFs that are under way. */
    int error;                  /* If VFs are removed because one could not */
    char *detail;               /* be made. */
    virtnet_sriov_cb *cb;
    void *aux;
};

/* Jobs under way; the first is the next to be carried on. */
static struct ovs_list jobs = OVS_LIST_INITIALIZER(&jobs);

static bool paused;

void
virtnet_sriov_pause(bool pause)
{
    paused = pause;
}

bool
virtnet_sriov_is_busy(void)
{
    return !ovs_list_is_empty(&jobs);
}

static struct sriov_job *
find_job(const struct virtnet_device *pf)
{
    struct sriov_job *job;

    LIST_FOR_EACH (job, list_node, &jobs) {
        if (job->pf == pf) {
            return job;
        }
    }
    return NULL;
}

bool
virtnet_sriov_pf_is_busy(const struct virtnet_device *pf)
{
    return find_job(pf) != NULL;
}

static struct sriov_job *
start_job(struct virtnet_device *pf, bool load, virtnet_sriov_cb *cb,
          void *aux)
{
    struct sriov_job *job = xzalloc(sizeof *job);

    job->pf = virtnet_device_ref(pf);
    job->load = load;
    job->cb = cb;
    job->aux = aux;
    ovs_list_push_back(&jobs, &job->list_node);
    return job;
}

static void
destroy_job(struct sriov_job *job)
{
    virtnet_device_unref(job->pf);
    free(job->detail);
    free(job);
}

static void
finish_job(struct sriov_job *job)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 30);

    ovs_list_remove(&job->list_node);
    if (job->error) {
        VLOG_ERR_RL(&rl, "static PF[%u], VFs not %s: %s (%d)%s%s",
                    job->pf->pf_id, job->pf->num_vfs ? "removed" : "made",
                    virtnet_strerror(job->error), job->error,
                    job->detail ? ": " : "", job->detail ? job->detail : "");
    } else {
        VLOG_INFO("static PF[%u], %s (%u) VFs finished", job->pf->pf_id,
                  job->load ? "Load" : "Unload", job->n_steps);
    }
    virtnet_controller_device_changed(job->pf);
    if (job->cb) {
        job->cb(job->error, job->detail, job->pf->n_vfs, job->aux);
    }
    destroy_job(job);
}

/* One VF comes or goes. */

static void
vf_added(struct virtnet_device *vf, struct virtnet_device *pf)
{
    COVERAGE_INC(virtnet_vf_made);
    vf->pf = pf;
    pf->n_vfs++;
    virtnet_pool_vf_added(pf->pool, &vf->config);
    VLOG_DBG("VF[%u] of static PF[%u] %s: "VIRTNET_BDF_FMT", representor %s",
             vf->vf_id, vf->pf_id, vf->vuid, VIRTNET_BDF_ARGS(vf->bdf),
             vf->rep_name);
    virtnet_notify(VIRTNET_EVENT_ADDED, vf);
}

static void job_failed(struct sriov_job *, int error, char *detail);

/* A VF that took its time is there, or not. */
static void
vf_made(struct virtnet_device *vf, int error, const char *reason, void *job_)
{
    struct sriov_job *job = job_;

    job->n_pending--;
    if (!error) {
        vf_added(vf, job->pf);
        job->n_steps++;
    } else if (!job->error) {
        job_failed(job, error, nullable_xstrdup(reason));
    }
}

static int
make_vf(struct sriov_job *job, unsigned int vf_id, char **errp)
{
    struct virtnet_device *pf = job->pf;
    struct virtnet_backend *backend = pf->backend;
    struct virtnet_device *vf;
    uint32_t sf_num;
    int error;

    if (!virtnet_find_sf_num(VIRTNET_VF, pf->ib_device, &sf_num)) {
        return virtnet_refuse(VIRTNET_E_SF_CREATE, errp,
                              "no SF number from %d on is free",
                              VIRTNET_SF_VF_MIN);
    }
    vf = backend->class->device_alloc(backend, VIRTNET_VF);
    vf->pf_id = pf->pf_id;
    vf->vf_id = vf_id;
    vf->sf_num = sf_num;
    vf->ib_device = xstrdup(pf->ib_device);
    vf->bridge = nullable_xstrdup(pf->bridge);
    virtnet_firmware_init_vf(vf, pf);
    error = virtnet_bring_up(vf, !virtnet_controller_is_running(NULL), true,
                             vf_made, job, errp);
    if (error == -EINPROGRESS) {
        job->n_pending++;
        return 0;
    } else if (!error) {
        vf_added(vf, pf);
        job->n_steps++;
    }
    return error;
}

/* Removes 'vf'.  The host has taken it away, whether or not a driver uses
 * it. */
static void
remove_vf(struct virtnet_device *vf)
{
    struct virtnet_device *pf = vf->pf;
    char *err = NULL;
    int error;

    error = vf->backend->class->device_unplug(vf, true, &err);
    if (error) {
        VLOG_WARN("%s: %s (%d)%s%s", vf->vuid, virtnet_strerror(error), error,
                  err ? ": " : "", err ? err : "");
        free(err);
    }
    COVERAGE_INC(virtnet_vf_removed);
    pf->n_vfs--;
    virtnet_pool_vf_removed(pf->pool, &vf->config);
    virtnet_forget(vf);
    vf->pf = NULL;
    virtnet_bring_down(vf, true);
}

void
virtnet_sriov_adopt(struct virtnet_device *vf)
{
    struct virtnet_device *pf = virtnet_device_by_pf(vf->pf_id);

    if (pf && pf->pool) {
        vf->pf = pf;
        pf->n_vfs++;
        virtnet_pool_vf_added(pf->pool, &vf->config);
        if (pf->num_vfs <= vf->vf_id) {
            virtnet_n_wanted_vfs += vf->vf_id + 1 - pf->num_vfs;
            pf->num_vfs = vf->vf_id + 1;
        }
    }
}

void
virtnet_sriov_let_go(struct virtnet_device *dev)
{
    if (dev->pf) {
        dev->pf->n_vfs--;
        dev->pf = NULL;
    }
}

int
virtnet_sriov_bring_back(const struct virtnet_record *record,
                         virtnet_life_cb *cb, void *aux,
                         struct virtnet_device **devp, char **errp)
{
    struct virtnet_device *pf = virtnet_device_by_pf(record->pf_id);

    if (!pf || !pf->pool || record->vf_id >= pf->num_vfs) {
        return virtnet_refuse(-ENODEV, errp, "PF %u shall not have it",
                              record->pf_id);
    }
    return virtnet_bring_back(record, cb, aux, devp, errp);
}

void
virtnet_sriov_came_back(struct virtnet_device *vf)
{
    vf_added(vf, virtnet_device_by_pf(vf->pf_id));
}

/* Jobs. */

/* From now on the host wants 'n' VFs of 'pf'. */
static void
set_num_vfs(struct virtnet_device *pf, unsigned int n)
{
    virtnet_n_wanted_vfs += n - pf->num_vfs;
    pf->num_vfs = n;
}

/* Has the backend ask for 'n' VFs of 'pf', where it does that. */
static int
ask_for_vfs(struct virtnet_device *pf, unsigned int n, char **errp)
{
    return (pf->backend->class->set_vfs
            ? pf->backend->class->set_vfs(pf, n, errp) : 0);
}

/* No record of the number of VFs of 'pf' can be kept: it is 'old' again. */
static void
unset_num_vfs(struct virtnet_device *pf, unsigned int old)
{
    char *ignored = NULL;

    set_num_vfs(pf, old);
    ask_for_vfs(pf, old, &ignored);
    free(ignored);
}

/* The number of VFs that 'job' is about is in the record of the PF, or cannot
 * be. */
static void
num_vfs_recorded(int error, void *job_)
{
    struct sriov_job *job = job_;

    job->recording = false;
    if (error) {
        job->refused = true;
        job->error = virtnet_refuse_unrecorded(error, &job->detail);
        unset_num_vfs(job->pf, job->old_num_vfs);
        /* Something else may have been recorded since, with the new one. */
        virtnet_save(job->pf, NULL, NULL);
    }
}

static int
check_set(const struct virtnet_device *pf, unsigned int n, char **errp)
{
    int error = virtnet_check_running(errp);

    if (error) {
        return error;
    } else if (pf->type != VIRTNET_STATIC_PF) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp,
                              "%s is not a static PF", pf->vuid);
    } else if (!pf->pool) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp, "%s has no "
                              "SR-IOV: other_config:virtnet-num-vf is 0",
                              pf->vuid);
    } else if (find_job(pf)) {
        return virtnet_refuse(-EBUSY, errp, "VFs of PF %u are being made or "
                              "removed", pf->pf_id);
    } else if (n > pf->max_vfs) {
        return virtnet_refuse(-ERANGE, errp, "PF %u can have %u VFs",
                              pf->pf_id, pf->max_vfs);
    } else if (n && pf->num_vfs && n != pf->num_vfs) {
        return virtnet_refuse(-EBUSY, errp, "PF %u has %u VFs; their number "
                              "can only be set to 0 first", pf->pf_id,
                              pf->num_vfs);
    } else if (n && !pf->num_vfs) {
        return virtnet_check_vf_limit(n, errp);
    }
    return 0;
}

int
virtnet_sriov_set(struct virtnet_device *pf, unsigned int n,
                  virtnet_sriov_cb *cb, void *aux, char **errp)
{
    struct sriov_job *job;
    int error;

    *errp = NULL;
    error = check_set(pf, n, errp);
    if (error) {
        return error;
    }
    if (n == pf->num_vfs) {
        if (cb) {
            cb(0, NULL, pf->n_vfs, aux);
        }
        return 0;
    }
    error = ask_for_vfs(pf, n, errp);
    if (error) {
        return error;
    }
    job = start_job(pf, n > 0, cb, aux);
    job->old_num_vfs = pf->num_vfs;
    set_num_vfs(pf, n);
    error = virtnet_save(pf, num_vfs_recorded, job);
    if (error && error != -EINPROGRESS) {
        unset_num_vfs(pf, job->old_num_vfs);
        ovs_list_remove(&job->list_node);
        destroy_job(job);
        return virtnet_refuse_unrecorded(error, errp);
    }
    job->recording = error == -EINPROGRESS;
    virtnet_firmware_check_vfs(pf, n);
    return 0;
}

void
virtnet_sriov_resume(struct virtnet_device *pf)
{
    if (pf->pool && pf->n_vfs < pf->num_vfs && !find_job(pf)) {
        VLOG_INFO("static PF[%u]: making the %u of %u VFs that are missing",
                  pf->pf_id, pf->num_vfs - pf->n_vfs, pf->num_vfs);
        virtnet_firmware_check_vfs(pf, pf->num_vfs);
        start_job(pf, true, NULL, NULL);
    }
}

/* 'job' could not make a VF: removes those that the PF has. */
static void
job_failed(struct sriov_job *job, int error, char *detail)
{
    COVERAGE_INC(virtnet_vf_failed);
    job->error = error;
    job->detail = detail;
    job->load = false;
    set_num_vfs(job->pf, 0);
    /* If no record can be kept, they come again with the next process. */
    virtnet_save(job->pf, NULL, NULL);
}

/* Is there a step that 'job' can take now, be it the last one? */
static bool
job_can_go_on(const struct sriov_job *job)
{
    return (job->recording ? false
            : job->load && job->next < job->pf->num_vfs
            ? job->n_pending < MAX_PENDING : !job->n_pending);
}

/* Does one step of 'job'.  Returns true if it is finished. */
static bool
job_step(struct sriov_job *job)
{
    struct virtnet_device *pf = job->pf;
    struct virtnet_device *vf;
    char *err = NULL;
    int error;

    if (job->refused) {
        return true;
    } else if (job->load) {
        if (job->next >= pf->num_vfs) {
            return true;
        }
        if (!virtnet_device_by_vf(pf->pf_id, job->next)) {
            error = make_vf(job, job->next, &err);
            if (error) {
                job_failed(job, error, err);
                return false;
            }
        }
        job->next++;
        return job->next >= pf->num_vfs && !job->n_pending;
    }

    if (!pf->n_vfs) {
        return true;
    }
    /* Ids are without holes, but for those that came back alone. */
    vf = NULL;
    for (unsigned int id = pf->n_vfs; !vf && id > 0; id--) {
        vf = virtnet_device_by_vf(pf->pf_id, id - 1);
    }
    for (unsigned int id = pf->n_vfs; !vf; id++) {
        vf = virtnet_device_by_vf(pf->pf_id, id);
    }
    remove_vf(vf);
    job->n_steps++;
    return !pf->n_vfs;
}

/* Returns the job that is to be carried on next, or NULL. */
static struct sriov_job *
next_job(void)
{
    struct sriov_job *job;

    LIST_FOR_EACH (job, list_node, &jobs) {
        if (!paused && job_can_go_on(job)) {
            return job;
        }
    }
    return NULL;
}

void
virtnet_sriov_run(void)
{
    struct virtnet_slice slice;
    struct sriov_job *job;

    virtnet_slice_begin(&slice, true);
    for (int i = 0; i < TURN_STEPS && (job = next_job()) != NULL
                    && !virtnet_slice_is_over(&slice); i++) {
        ovs_list_remove(&job->list_node);
        ovs_list_push_back(&jobs, &job->list_node);
        if (job_step(job)) {
            finish_job(job);
        }
    }
}

void
virtnet_sriov_wait(void)
{
    if (next_job()) {
        virtnet_slice_wait();
    }
}
