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

/* Modifications of devices, one after another or of all of them.  What may be
 * modified is in virtnet-modify-rules.c.  See virtnet-modify.h. */

#include <config.h>

#include "virtnet-modify.h"

#include <errno.h>

#include "openvswitch/list.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "virtnet-check.h"
#include "virtnet-controller.h"
#include "virtnet-life.h"
#include "virtnet-registry.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(virtnet_modify);

/* A modification of one device that is under way, or waits for another one of
 * it. */
struct request {
    struct ovs_list list_node;  /* In 'requests', as they have come. */
    struct virtnet_device *dev; /* With a reference. */
    struct virtnet_modification mod; /* Texts are owned. */
    bool begun;                 /* Has the backend been asked? */
    bool functional;            /* Was 'dev', before? */
    virtnet_modify_cb *cb;      /* May be NULL. */
    void *aux;
};

static struct ovs_list requests = OVS_LIST_INITIALIZER(&requests);

/* Has 'mod' texts of its own, which are somebody else's so far. */
static void
modification_own_texts(struct virtnet_modification *mod)
{
    for (int i = 0; i < VIRTNET_N_ATTRS; i++) {
        struct virtnet_attr_value *v = &mod->attrs[i];

        v->text = v->given ? nullable_xstrdup(v->text) : NULL;
    }
}

static void
modification_free_texts(struct virtnet_modification *mod)
{
    for (int i = 0; i < VIRTNET_N_ATTRS; i++) {
        free(CONST_CAST(char *, mod->attrs[i].text));
    }
}

static struct request *
request_create(struct virtnet_device *dev,
               const struct virtnet_modification *mod, virtnet_modify_cb *cb,
               void *aux)
{
    struct request *rq = xmalloc(sizeof *rq);

    *rq = (struct request) {
        .dev = virtnet_device_ref(dev),
        .mod = *mod,
        .functional = virtnet_config_is_functional(&dev->config),
        .cb = cb,
        .aux = aux,
    };
    modification_own_texts(&rq->mod);
    ovs_list_push_back(&requests, &rq->list_node);
    return rq;
}

static void
request_destroy(struct request *rq)
{
    modification_free_texts(&rq->mod);
    ovs_list_remove(&rq->list_node);
    virtnet_device_unref(rq->dev);
    free(rq);
}

/* What 'rq' asks for is in force. */
static void
request_succeeded(const struct request *rq)
{
    const struct virtnet_attr_value *state
        = &rq->mod.attrs[VIRTNET_ATTR_STATE];
    const struct virtnet_attr_value *features
        = &rq->mod.attrs[VIRTNET_ATTR_FEATURES];
    struct virtnet_device *dev = rq->dev;

    VLOG_INFO("%s: modified", dev->vuid);
    if (features->given) {
        char *left_out = virtnet_features_left_out(
            features->number, dev->backend->class->get_caps(dev->backend));

        if (left_out) {
            VLOG_INFO("%s: %s", dev->vuid, left_out);
            free(left_out);
        }
    }
    if (rq->functional && !virtnet_config_is_functional(&dev->config)) {
        VLOG_INFO("%s: %s (%d)", dev->vuid,
                  virtnet_strerror(VIRTNET_E_DEV_NOT_FUNCTIONAL),
                  VIRTNET_E_DEV_NOT_FUNCTIONAL);
    }
    if (state->given && !state->number) {
        virtnet_reset(dev);
    }
}

static void request_done(int error, const char *reason, void *rq);

/* Returns -EINPROGRESS if request_done() will be called. */
static int
request_begin(struct request *rq, char **errp)
{
    struct virtnet_device_config config;
    int error;

    rq->begun = true;
    error = virtnet_modify_check(rq->dev, &rq->mod, &config, errp);
    if (!error) {
        rq->functional = virtnet_config_is_functional(&rq->dev->config);
        error = virtnet_controller_apply_config(rq->dev, &config,
                                                request_done, rq, errp);
    }
    if (!error) {
        request_succeeded(rq);
    }
    return error;
}

static void
request_finish(struct request *rq, int error, const char *reason)
{
    if (rq->cb) {
        rq->cb(rq->dev, error, reason, rq->aux);
    }
    request_destroy(rq);
}

/* The first request for 'dev' that waits, or NULL. */
static struct request *
next_request(const struct virtnet_device *dev)
{
    struct request *rq;

    LIST_FOR_EACH (rq, list_node, &requests) {
        if (rq->dev == dev && !rq->begun) {
            return rq;
        }
    }
    return NULL;
}

static void
request_done(int error, const char *reason, void *rq_)
{
    struct request *rq = rq_;
    struct virtnet_device *dev = virtnet_device_ref(rq->dev);

    if (!error) {
        request_succeeded(rq);
    }
    request_finish(rq, error, reason);
    while (!dev->change && (rq = next_request(dev)) != NULL) {
        char *detail = NULL;

        error = (virtnet_registry_contains(dev) ? request_begin(rq, &detail)
                 : -ENODEV);
        if (error != -EINPROGRESS) {
            request_finish(rq, error, detail);
        }
        free(detail);
    }
    virtnet_device_unref(dev);
}

/* As virtnet_modify(), whatever else 'dev' is about to be asked for. */
static int
modify_now(struct virtnet_device *dev, const struct virtnet_modification *mod,
           virtnet_modify_cb *cb, void *aux, char **errp)
{
    struct request *rq = request_create(dev, mod, cb, aux);
    int error = -EINPROGRESS;

    *errp = NULL;
    if (!dev->change) {
        error = request_begin(rq, errp);
    }
    if (error != -EINPROGRESS) {
        request_destroy(rq);
    }
    return error;
}

/* All devices. */

/* How many devices of a job may be under way: their records are being written,
 * or the backend needs time. */
#define MAX_PENDING 20

struct modify_job {
    struct ovs_list list_node;  /* In 'modify_jobs'. */
    struct virtnet_modification mod;
    struct virtnet_device **devs; /* With a reference each; NULL if begun. */
    size_t n_devs, next;        /* Those before 'next' have been begun. */
    size_t n_left;              /* Not begun. */
    size_t n_pending;           /* Devices that are under way. */
    int error;                  /* The first one, or 0... */
    char *detail;               /* ...and a line about it. */
    virtnet_modify_cb *cb;
    void *aux;
};

static struct ovs_list modify_jobs = OVS_LIST_INITIALIZER(&modify_jobs);

/* Answers and destroys 'job'. */
static void
modify_job_finish(struct modify_job *job)
{
    job->cb(NULL, job->error, job->detail, job->aux);
    for (size_t i = 0; i < job->n_devs; i++) {
        virtnet_device_unref(job->devs[i]);
    }
    ovs_list_remove(&job->list_node);
    modification_free_texts(&job->mod);
    free(job->devs);
    free(job->detail);
    free(job);
}

/* 'dev' is being unplugged, and 'job' is to look at it again when it has gone
 * or it is known that it stays. */
static void
modify_job_put_back(struct modify_job *job, struct virtnet_device *dev)
{
    size_t i = 0;

    while (job->devs[i]) {
        i++;
    }
    job->devs[i] = virtnet_device_ref(dev);
    job->next = MIN(job->next, i);
    job->n_left++;
}

/* A device of 'job' has come out.  One that has gone does not count. */
static void
modify_job_part_done(struct virtnet_device *dev, int error,
                     const char *detail, struct modify_job *job)
{
    if (error && dev->life) {
        modify_job_put_back(job, dev);
    } else if (error && !job->error && virtnet_registry_contains(dev)) {
        job->error = error;
        job->detail = xasprintf("%s: %s", dev->vuid,
                                detail ? detail : virtnet_strerror(error));
    }
}

/* The same of one that took its time. */
static void
modify_job_part_cb(struct virtnet_device *dev, int error, const char *detail,
                   void *job_)
{
    struct modify_job *job = job_;

    job->n_pending--;
    modify_job_part_done(dev, error, detail, job);
}

/* Does what 'job' is to do with the device at 'i', if that has not been
 * begun. */
static void
modify_job_step(struct modify_job *job, size_t i)
{
    struct virtnet_device *dev = job->devs[i];
    char *detail = NULL;
    int error;

    job->devs[i] = NULL;
    job->n_left -= dev != NULL;
    /* It may have gone meanwhile. */
    if (dev && virtnet_registry_contains(dev)) {
        error = modify_now(dev, &job->mod, modify_job_part_cb, job, &detail);
        if (error == -EINPROGRESS) {
            job->n_pending++;
        } else {
            modify_job_part_done(dev, error, detail, job);
        }
        free(detail);
    }
    virtnet_device_unref(dev);
}

/* Returns the index of the next device of 'job' that is not being unplugged,
 * or 'n_devs' if there is none. */
static size_t
modify_job_next(const struct modify_job *job)
{
    size_t i = job->next;

    while (i < job->n_devs && (!job->devs[i] || job->devs[i]->life)) {
        i++;
    }
    return i;
}

/* Has 'job' nothing more to begin? */
static bool
modify_job_is_over(const struct modify_job *job)
{
    return job->error || !job->n_left;
}

/* Is there a step that 'job' can take now, be it the last one? */
static bool
modify_job_can_go_on(const struct modify_job *job)
{
    return (modify_job_is_over(job) ? !job->n_pending
            : (job->n_pending < MAX_PENDING
               && modify_job_next(job) < job->n_devs));
}

/* Carries on with 'job' for a while, and finishes it if that was all. */
static void
modify_job_run(struct modify_job *job)
{
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, true);
    while (modify_job_can_go_on(job)) {
        if (modify_job_is_over(job)) {
            modify_job_finish(job);
            return;
        } else if (virtnet_slice_is_over(&slice)) {
            return;
        }
        modify_job_step(job, modify_job_next(job));
        while (job->next < job->n_devs && !job->devs[job->next]) {
            job->next++;
        }
    }
}

int
virtnet_modify(struct virtnet_device *dev,
               const struct virtnet_modification *mod, virtnet_modify_cb *cb,
               void *aux, char **errp)
{
    struct modify_job *job;

    /* What was asked for before this comes before it. */
    LIST_FOR_EACH (job, list_node, &modify_jobs) {
        for (size_t i = job->next; !job->error && i < job->n_devs; i++) {
            if (job->devs[i] == dev && !dev->life) {
                modify_job_step(job, i);
                break;
            }
        }
    }
    return modify_now(dev, mod, cb, aux, errp);
}

int
virtnet_modify_all(const struct virtnet_modification *mod,
                   virtnet_modify_cb *cb, void *aux, char **errp)
{
    struct virtnet_device_config config;
    struct virtnet_device *dev;
    struct modify_job *job;
    size_t n = 0;

    *errp = NULL;
    if (mod->attrs[VIRTNET_ATTR_MAC].given) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp,
                              "devices cannot share a MAC address");
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        char *detail;
        int error;

        if (dev->life) {
            continue;           /* See modify_job_put_back(). */
        }
        error = virtnet_modify_check(dev, mod, &config, &detail);
        if (error) {
            *errp = xasprintf("%s: %s", dev->vuid,
                              detail ? detail : virtnet_strerror(error));
            free(detail);
            return error;
        }
    }

    job = xmalloc(sizeof *job);
    *job = (struct modify_job) {
        .mod = *mod,
        .devs = xmalloc(virtnet_controller_n_devices() * sizeof *job->devs),
        .n_devs = virtnet_controller_n_devices(),
        .n_left = virtnet_controller_n_devices(),
        .cb = cb,
        .aux = aux,
    };
    modification_own_texts(&job->mod);
    VIRTNET_FOR_EACH_DEVICE (dev) {
        job->devs[n++] = virtnet_device_ref(dev);
    }
    ovs_list_push_back(&modify_jobs, &job->list_node);
    return 0;
}

bool
virtnet_modify_is_busy(void)
{
    return !ovs_list_is_empty(&modify_jobs) || !ovs_list_is_empty(&requests);
}

static struct modify_job *
first_job(void)
{
    return (ovs_list_is_empty(&modify_jobs) ? NULL
            : CONTAINER_OF(ovs_list_front(&modify_jobs), struct modify_job,
                           list_node));
}

void
virtnet_modify_run(void)
{
    struct modify_job *job = first_job();

    if (job) {
        modify_job_run(job);
    }
}

void
virtnet_modify_wait(void)
{
    const struct modify_job *job = first_job();

    /* Otherwise the backend's "run", or a record, wakes us. */
    if (job && modify_job_can_go_on(job)) {
        virtnet_slice_wait();
    }
}
