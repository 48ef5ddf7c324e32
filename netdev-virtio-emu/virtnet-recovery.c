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

/* Records of devices.  See virtnet-recovery.h.
 *
 * Security model
 * ==============
 *
 * Whoever may write to the directory can bring devices into being, as can
 * whoever may write to the database.  But no content of a file may crash,
 * stall or confuse the switch: size, type, name, JSON type and range are
 * checked before anything is used, and links are not followed.
 *
 * Threads
 * =======
 *
 * The main thread writes "<name>.tmp" and queues a job.  The saver does the
 * rest of it, which takes as long as the disk takes.  What is to be deleted is
 * the deleter's, which waits for no other file to be synchronized, as somebody
 * may wait for it; and then the saver's, for the directory.
 *
 * A directory, too, may be busy for as long as the disk is, so names are given
 * and taken without 'mutex'.  The main thread waits only if that is happening
 * to the very record that is to be written: see 'renaming', 'deleting'. */

#include <config.h>

#include "virtnet-recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coverage.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/thread.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seq.h"
#include "socket-util.h"
#include "sset.h"
#include "svec.h"
#include "unicode.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(virtnet_recovery);

COVERAGE_DEFINE(virtnet_record_saved);
COVERAGE_DEFINE(virtnet_record_synced);
COVERAGE_DEFINE(virtnet_record_bad);

/* Far above what virtnet_recovery_save() writes. */
#define RECORD_MAX_SIZE (64 * 1024)
#define VUID_MAX_LEN 64
#define TEXT_MAX_LEN 1024

#define TEMP_SUFFIX ".tmp"
#define BAD_SUFFIX ".bad"

/* A VUID comes to be a file name, so letters and digits are all that it may
 * have. */
static bool
vuid_is_sane(const char *vuid)
{
    size_t n = strspn(vuid, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                      "abcdefghijklmnopqrstuvwxyz0123456789");

    return n > 0 && n <= VUID_MAX_LEN && !vuid[n];
}

/* Writing. */

/* Creates 'dir' and the directories above it that are missing. */
static int
make_directories(const char *dir)
{
    char *path = xstrdup(dir);
    int error = 0;

    for (char *p = path + 1; !error; p++) {
        if (*p == '/' || !*p) {
            char c = *p;

            *p = '\0';
            if (mkdir(path, 0755) && errno != EEXIST) {
                error = errno;
            }
            *p = c;
            if (!c) {
                break;
            }
        }
    }
    free(path);
    return error;
}

static int
fsync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = 0;

    if (fd < 0) {
        return errno;
    }
    if (fsync(fd)) {
        error = errno;
    }
    close(fd);
    return error;
}

/* Synchronizes the file 'path'.  Returns 0 or a positive errno. */
static int
fsync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int error = 0;

    if (fd < 0) {
        return errno;
    }
    if (fsync(fd)) {
        error = errno;
    }
    close(fd);
    return error;
}

/* Writes 'text' to the new file 'path'.  Returns 0 or a positive errno. */
static int
write_new_file(const char *path, const char *text)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    size_t n_written;
    int error;
    int fd;

    fd = open(path, flags, 0600);
    if (fd < 0 && errno == EEXIST) {
        /* What has this name, a link perhaps, is not to be written through. */
        unlink(path);
        fd = open(path, flags, 0600);
    }
    if (fd < 0) {
        return errno;
    }
    error = write_fully(fd, text, strlen(text), &n_written);
    if (close(fd) && !error) {
        error = errno;
    }
    if (error) {
        unlink(path);
    }
    return error;
}

/* What the disk does not know yet of a record. */
struct save_job {
    struct ovs_list list_node;  /* In 'queue', 'deletions', or the saver's
                                 * own list. */
    char *dir;
    char *temp;                 /* Path of the file as it was written... */
    char *path;                 /* ...and as it is to be.  Key in 'jobs'. */
    bool delete;                /* Are both to go? */
    uint64_t number;            /* 'delete': of 'n_deletions'. */
    bool taken;                 /* Is the saver at work on it? */
    bool stale;                 /* Has the record changed since then? */
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;

/* Jobs that the saver has not taken, and those for the deleter. */
static struct ovs_list queue OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&queue);
static struct ovs_list deletions OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&deletions);

/* The job of each record that is neither 'stale' nor done. */
static struct shash jobs OVS_GUARDED_BY(mutex) = SHASH_INITIALIZER(&jobs);

/* Jobs whose files are being given their names, or deleted, by the saver and
 * the deleter. */
static struct save_job *renaming OVS_GUARDED_BY(mutex);
static struct save_job *deleting OVS_GUARDED_BY(mutex);

static bool threads_run OVS_GUARDED_BY(mutex); /* Are there these threads? */
static bool saver_busy OVS_GUARDED_BY(mutex);  /* Has it taken jobs? */
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static pthread_cond_t deletion_wanted = PTHREAD_COND_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER; /* See 'renaming'. */
static pthread_cond_t saver_idle = PTHREAD_COND_INITIALIZER;

/* How many records were to be deleted, and of how many of them, in that order,
 * the files are gone.  'deleted' changes with that. */
static uint64_t n_deletions;    /* Main thread only. */
static uint64_t n_deleted OVS_GUARDED_BY(mutex);
static struct seq *deleted;     /* There as long as the threads. */

/* Is the record with 'path' the one of 'job'? */
static bool
is_job_for(const struct save_job *job, const char *path)
{
    return job && !strcmp(job->path, path);
}

/* 'job' has been done. */
static void
save_job_done(struct save_job *job)
    OVS_REQUIRES(mutex)
{
    if (shash_find_data(&jobs, job->path) == job) {
        shash_find_and_delete(&jobs, job->path);
    }
    xpthread_cond_broadcast(&moved);
}

/* Gives the file of 'job' its name, if that is still wanted. */
static void
save_job_rename(struct save_job *job)
    OVS_REQUIRES(mutex)
{
    if (job->stale) {
        return;
    }
    renaming = job;
    ovs_mutex_unlock(&mutex);
    if (rename(job->temp, job->path)) {
        VLOG_ERR("%s: record not renamed to %s: %s", job->temp, job->path,
                 ovs_strerror(errno));
    } else {
        COVERAGE_INC(virtnet_record_synced);
    }
    ovs_mutex_lock(&mutex);
    renaming = NULL;
    save_job_done(job);
}

/* Deletes the files of 'job', if that is still wanted. */
static void
save_job_delete(struct save_job *job)
    OVS_REQUIRES(mutex)
{
    while (is_job_for(renaming, job->path)) {
        ovs_mutex_cond_wait(&moved, &mutex);
    }
    if (job->stale) {
        return;
    }
    deleting = job;
    ovs_mutex_unlock(&mutex);
    if ((unlink(job->temp) && errno != ENOENT)
        || (unlink(job->path) && errno != ENOENT)) {
        VLOG_ERR("%s: record not deleted: %s", job->path,
                 ovs_strerror(errno));
    }
    ovs_mutex_lock(&mutex);
    deleting = NULL;
    save_job_done(job);
}

static void
save_job_destroy(struct save_job *job)
{
    free(job->dir);
    free(job->temp);
    free(job->path);
    free(job);
}

/* Does the jobs of 'batch', and destroys them. */
static void
save_jobs_run(struct ovs_list *batch)
{
    struct save_job *job;
    char *dir = NULL;
    int error;

    LIST_FOR_EACH (job, list_node, batch) {
        error = job->delete ? 0 : fsync_file(job->temp);
        if (error && error != ENOENT) {
            VLOG_ERR("%s: not synchronized: %s", job->temp,
                     ovs_strerror(error));
        }
    }
    LIST_FOR_EACH (job, list_node, batch) {
        if (!job->delete) {
            ovs_mutex_lock(&mutex);
            save_job_rename(job);
            ovs_mutex_unlock(&mutex);
        }
    }
    LIST_FOR_EACH_POP (job, list_node, batch) {
        if (!dir || strcmp(dir, job->dir)) {
            error = fsync_directory(job->dir);
            if (error && error != ENOENT) {
                VLOG_ERR("%s: not synchronized: %s", job->dir,
                         ovs_strerror(error));
            }
            free(dir);
            dir = xstrdup(job->dir);
        }
        save_job_destroy(job);
    }
    free(dir);
}

static void *
saver_main(void *aux OVS_UNUSED)
{
    struct ovs_list batch = OVS_LIST_INITIALIZER(&batch);
    struct save_job *job;

    /* This thread reads nothing that RCU protects. */
    ovsrcu_quiesce_start();
    ovs_mutex_lock(&mutex);
    for (;;) {
        while (ovs_list_is_empty(&queue)) {
            saver_busy = false;
            xpthread_cond_broadcast(&saver_idle);
            ovs_mutex_cond_wait(&queue_filled, &mutex);
        }
        saver_busy = true;
        ovs_list_push_back_all(&batch, &queue);
        LIST_FOR_EACH (job, list_node, &batch) {
            job->taken = true;
        }
        ovs_mutex_unlock(&mutex);
        save_jobs_run(&batch);
        ovs_mutex_lock(&mutex);
    }
    OVS_NOT_REACHED();
}

static void *
deleter_main(void *aux OVS_UNUSED)
{
    struct save_job *job;

    ovsrcu_quiesce_start();
    ovs_mutex_lock(&mutex);
    for (;;) {
        while (ovs_list_is_empty(&deletions)) {
            ovs_mutex_cond_wait(&deletion_wanted, &mutex);
        }
        job = CONTAINER_OF(ovs_list_front(&deletions), struct save_job,
                           list_node);
        save_job_delete(job);
        n_deleted = job->number;
        seq_change(deleted);
        ovs_list_remove(&job->list_node);
        ovs_list_push_back(&queue, &job->list_node);
        xpthread_cond_signal(&queue_filled);
    }
    OVS_NOT_REACHED();
}

/* What 'job', if it is nonnull, was to do is out of date. */
static void
save_job_cancel(struct save_job *job)
    OVS_REQUIRES(mutex)
{
    if (job) {
        job->stale = true;
        shash_find_and_delete(&jobs, job->path);
    }
}

/* Has 'temp' become 'path', or both deleted, and all that synchronized. */
static void
save_job_queue(const char *dir, const char *temp, const char *path,
               bool delete)
    OVS_REQUIRES(mutex)
{
    struct save_job *job = xmalloc(sizeof *job);

    *job = (struct save_job) {
        .dir = xstrdup(dir),
        .temp = xstrdup(temp),
        .path = xstrdup(path),
        .delete = delete,
        .number = delete ? ++n_deletions : 0,
    };
    shash_add(&jobs, path, job);
    if (!threads_run) {
        threads_run = true;
        deleted = seq_create();
        ovs_thread_create("virtnet_saver", saver_main, NULL);
        ovs_thread_create("virtnet_deleter", deleter_main, NULL);
    }
    if (delete) {
        ovs_list_push_back(&deletions, &job->list_node);
        xpthread_cond_signal(&deletion_wanted);
    } else {
        ovs_list_push_back(&queue, &job->list_node);
        xpthread_cond_signal(&queue_filled);
    }
}

uint64_t
virtnet_recovery_n_deletions(void)
{
    return n_deletions;
}

bool
virtnet_recovery_has_deleted(uint64_t n)
{
    bool has;

    ovs_mutex_lock(&mutex);
    has = n_deleted >= n;
    ovs_mutex_unlock(&mutex);
    return has;
}

void
virtnet_recovery_wait_deleted(uint64_t n)
{
    uint64_t seqno = deleted ? seq_read(deleted) : 0;

    if (virtnet_recovery_has_deleted(n)) {
        poll_immediate_wake();
    } else {
        seq_wait(deleted, seqno);
    }
}

static bool
is_flushed(void)
    OVS_REQUIRES(mutex)
{
    return (!saver_busy && ovs_list_is_empty(&queue)
            && ovs_list_is_empty(&deletions));
}

void
virtnet_recovery_flush(void)
{
    ovs_mutex_lock(&mutex);
    while (!is_flushed()) {
        ovs_mutex_cond_wait(&saver_idle, &mutex);
    }
    ovs_mutex_unlock(&mutex);
}

bool
virtnet_recovery_is_flushed(void)
{
    bool flushed;

    ovs_mutex_lock(&mutex);
    flushed = is_flushed();
    ovs_mutex_unlock(&mutex);
    return flushed;
}

/* Replaces 'dir'/'name' by 'text'.  Returns 0 or a positive errno. */
static int
replace_file(const char *dir, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", dir, name);
    char *temp = xasprintf("%s"TEMP_SUFFIX, path);
    struct save_job *job;
    int error;

    ovs_mutex_lock(&mutex);
    while (is_job_for(renaming, path) || is_job_for(deleting, path)) {
        ovs_mutex_cond_wait(&moved, &mutex);
    }
    job = shash_find_data(&jobs, path);
    error = write_new_file(temp, text);
    if (error) {
        if (job && !job->delete) {
            save_job_cancel(job);
        }
    } else if (!job || job->delete || job->taken) {
        save_job_cancel(job);
        save_job_queue(dir, temp, path, false);
    }                           /* Else 'job' will find what was written. */
    ovs_mutex_unlock(&mutex);
    free(path);
    free(temp);
    return error;
}

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
    OPTIONAL("rx_dma_q_num", rx_dma_q_num, UINT16_MAX),
    OPTIONAL("aarfs", aarfs, 1),
    OPTIONAL("dim", dim, 1),
    OPTIONAL("netdim", net_dim, 1),
    OPTIONAL("netdim_set", net_dim_set, 1),
    OPTIONAL("drop_counter", drop_counter, 1),
    OPTIONAL("packet_counter", packet_counter, 1),
    OPTIONAL("rq_cq_period_mode", cq_period_mode, 2),
    OPTIONAL("rq_cq_period", cq_period, UINT32_MAX),
    OPTIONAL("rq_cq_max_count", cq_max_count, UINT32_MAX),
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

static struct json *
record_to_json(const struct virtnet_device *dev)
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

int
virtnet_recovery_save(const struct virtnet_device *dev, const char *dir)
{
    struct json *json;
    char *text;
    int error;

    if (!vuid_is_sane(dev->vuid)) {
        VLOG_ERR("%s: no name for a record", dev->vuid);
        return VIRTNET_E_REC_CREATE;
    }
    json = record_to_json(dev);
    text = json_to_string(json, JSSF_PRETTY | JSSF_SORT);
    json_destroy(json);
    error = replace_file(dir, dev->vuid, text);
    if (error == ENOENT && !make_directories(dir)) {
        error = replace_file(dir, dev->vuid, text);
    }
    free(text);
    if (error) {
        VLOG_ERR("%s/%s: record not written: %s", dir, dev->vuid,
                 ovs_strerror(error));
        return (error == ENOENT || error == EACCES || error == EROFS
                ? VIRTNET_E_REC_CREATE : VIRTNET_E_REC_CFG_SAVE);
    }
    COVERAGE_INC(virtnet_record_saved);
    return 0;
}

void
virtnet_recovery_delete(const char *vuid, const char *dir)
{
    char *path = xasprintf("%s/%s", dir, vuid);
    char *temp = xasprintf("%s"TEMP_SUFFIX, path);
    struct save_job *job;

    ovs_mutex_lock(&mutex);
    job = shash_find_data(&jobs, path);
    if (!job || !job->delete) {
        save_job_cancel(job);
        save_job_queue(dir, temp, path, true);
    }
    ovs_mutex_unlock(&mutex);
    free(path);
    free(temp);
}

/* Reading. */

static char *
read_file(const char *path, size_t *size, char **errp)
{
    struct stat s;
    char *text = NULL;
    int error;
    int fd;

    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        *errp = xstrdup(errno == ELOOP ? "a link" : ovs_strerror(errno));
        return NULL;
    }
    if (fstat(fd, &s)) {
        *errp = xstrdup(ovs_strerror(errno));
    } else if (!S_ISREG(s.st_mode)) {
        *errp = xstrdup("not a regular file");
    } else if (s.st_size > RECORD_MAX_SIZE) {
        *errp = xstrdup("too large");
    } else {
        text = xmalloc(s.st_size + 1);
        error = read_fully(fd, text, s.st_size, size);
        if (error && error != EOF) {
            *errp = xstrdup(ovs_strerror(error));
            free(text);
            text = NULL;
        } else {
            text[*size] = '\0';
        }
    }
    close(fd);
    return text;
}

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

static void
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

static struct virtnet_record *
record_from_json(const char *vuid, const struct json *json, char **errp)
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

/* Puts the file 'path' out of the way. */
static void
set_aside(const char *path, const char *why)
{
    char *bad = xasprintf("%s"BAD_SUFFIX, path);
    struct ds shown = DS_EMPTY_INITIALIZER;

    /* Anything may be in its name. */
    ds_put_printable(&shown, path, strlen(path));
    COVERAGE_INC(virtnet_record_bad);
    if (rename(path, bad)) {
        VLOG_ERR("%s: bad record (%s), and it cannot be renamed: %s",
                 ds_cstr(&shown), why, ovs_strerror(errno));
    } else {
        VLOG_ERR("%s: bad record, renamed to %s"BAD_SUFFIX": %s",
                 ds_cstr(&shown), ds_cstr(&shown), why);
    }
    ds_destroy(&shown);
    free(bad);
}

/* Returns the record of 'vuid' that 'path' holds, or NULL with the reason in
 * '*why', which the caller must free. */
static struct virtnet_record *
record_read(const char *path, const char *vuid, char **why)
{
    struct virtnet_record *record = NULL;
    struct json *json;
    size_t size = 0;
    char *text;

    *why = NULL;
    if (!vuid_is_sane(vuid)) {
        *why = xstrdup("its name is not a VUID");
        return NULL;
    }
    text = read_file(path, &size, why);
    if (!text) {
        return NULL;
    }
    if (memchr(text, '\0', size)) {
        *why = xstrdup("it has a null byte");
    } else if ((*why = utf8_validate(text, NULL)) == NULL) {
        json = json_from_string(text);
        if (json->type == JSON_STRING) {
            /* What went wrong in parsing. */
            *why = xstrdup(json_string(json));
        } else {
            record = record_from_json(vuid, json, why);
        }
        json_destroy(json);
    }
    free(text);
    return record;
}

static struct virtnet_record *
record_load(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    struct virtnet_record *record;
    char *why;

    record = record_read(path, name, &why);
    if (!record) {
        set_aside(path, why);
    }
    free(why);
    free(path);
    return record;
}

/* 'name', which ends in TEMP_SUFFIX, is what the last process did not come to
 * give its name to.  If it is whole, it is newer than what has the name. */
static void
temp_load(const char *dir, const char *name)
{
    char *temp = xasprintf("%s/%s", dir, name);
    char *vuid = xmemdup0(name, strlen(name) - strlen(TEMP_SUFFIX));
    char *path = xasprintf("%s/%s", dir, vuid);
    struct virtnet_record *record;
    char *why;

    record = record_read(temp, vuid, &why);
    if (!record) {
        VLOG_DBG("%s: ignored: %s", vuid, why);
        unlink(temp);
    } else if (rename(temp, path)) {
        VLOG_ERR("%s: record not renamed to %s: %s", temp, path,
                 ovs_strerror(errno));
    }
    virtnet_record_destroy(record);
    free(why);
    free(path);
    free(vuid);
    free(temp);
}

static int
compare_records(const void *a_, const void *b_)
{
    const struct virtnet_record *const *ap = a_;
    const struct virtnet_record *const *bp = b_;
    const struct virtnet_record *a = *ap;
    const struct virtnet_record *b = *bp;
    bool a_vf = a->type == VIRTNET_VF;
    bool b_vf = b->type == VIRTNET_VF;

    if (a_vf != b_vf) {
        return a_vf - b_vf;
    } else if (a->pf_id != b->pf_id) {
        return a->pf_id < b->pf_id ? -1 : 1;
    } else if (a->vf_id != b->vf_id) {
        return a->vf_id < b->vf_id ? -1 : 1;
    }
    return strcmp(a->vuid, b->vuid);
}

/* Takes 'claim', which it frees, for one record.  Stores it in '*taken' if
 * another has it already. */
static void
claim(struct sset *claims, char *text, char **taken)
{
    if (!sset_add(claims, text) && !*taken) {
        *taken = text;
    } else {
        free(text);
    }
}

/* Sets those of the 'n' 'records' aside that claim what one before them has.
 * Returns the number of those that remain. */
static size_t
drop_conflicts(const char *dir, struct virtnet_record **records, size_t n)
{
    struct sset claims = SSET_INITIALIZER(&claims);
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        struct virtnet_record *r = records[i];
        char *taken = NULL;

        claim(&claims, (r->type == VIRTNET_VF
                        ? xasprintf("vf_id %u of pf_id %u", r->vf_id, r->pf_id)
                        : xasprintf("pf_id %u", r->pf_id)), &taken);
        claim(&claims, xasprintf("sf_num %"PRIu32, r->sf_num), &taken);
        if (r->type != VIRTNET_VF) {
            /* VFs may share an address. */
            claim(&claims, xasprintf("mac "ETH_ADDR_FMT,
                                     ETH_ADDR_ARGS(r->config.mac)), &taken);
        }
        if (taken) {
            char *path = xasprintf("%s/%s", dir, r->vuid);
            char *why = xasprintf("another record has its %s", taken);

            set_aside(path, why);
            virtnet_record_destroy(r);
            free(why);
            free(path);
            free(taken);
        } else {
            records[n_kept++] = r;
        }
    }
    sset_destroy(&claims);
    return n_kept;
}

/* The settings of the firmware that the records go with.  A leading dot: no
 * record has such a name. */
#define FIRMWARE_FILE ".firmware"

/* Deletes all records of 'dir', temporary ones, too.  Returns how many there
 * were. */
static unsigned int
delete_records(const char *dir)
{
    DIR *stream = opendir(dir);
    unsigned int n = 0;
    struct dirent *de;

    if (!stream) {
        return 0;
    }
    while ((de = readdir(stream)) != NULL) {
        bool temp = string_ends_with(de->d_name, TEMP_SUFFIX);
        char *vuid = xmemdup0(de->d_name,
                              (strlen(de->d_name)
                               - (temp ? strlen(TEMP_SUFFIX) : 0)));

        if (vuid_is_sane(vuid)) {
            virtnet_recovery_delete(vuid, dir);
            n += !temp;
        }
        free(vuid);
    }
    closedir(stream);
    return n;
}

void
virtnet_recovery_check_firmware(const char *dir, const char *fingerprint)
{
    char *path = xasprintf("%s/"FIRMWARE_FILE, dir);
    char *why = NULL;
    size_t size = 0;
    char *old;

    virtnet_recovery_flush();
    old = read_file(path, &size, &why);
    free(why);
    if (old && strcmp(old, fingerprint)) {
        unsigned int n = delete_records(dir);

        VLOG_INFO("%s: the firmware configuration has changed from \"%.256s\" "
                  "to \"%s\": %u records deleted", dir, old, fingerprint, n);
    }
    if (!old || strcmp(old, fingerprint)) {
        int error = replace_file(dir, FIRMWARE_FILE, fingerprint);

        if (error == ENOENT && !make_directories(dir)) {
            error = replace_file(dir, FIRMWARE_FILE, fingerprint);
        }
        if (error) {
            VLOG_ERR("%s: not written: %s", path, ovs_strerror(error));
        }
    }
    free(old);
    free(path);
}

/* Reads the records of a directory. */
struct virtnet_record_reader {
    char *dir;
    struct svec temps;          /* Names of temporary files, ... */
    size_t n_temps_done;        /* ...of which as many have been read. */
    struct sset names;          /* Names of records not read yet. */
    struct virtnet_record **records;
    size_t n;
};

struct virtnet_record_reader *
virtnet_recovery_read(const char *dir)
{
    struct virtnet_record_reader *r = xzalloc(sizeof *r);
    struct dirent *de;
    DIR *stream;

    r->dir = xstrdup(dir);
    svec_init(&r->temps);
    sset_init(&r->names);
    stream = opendir(dir);
    if (!stream) {
        if (errno != ENOENT) {
            VLOG_ERR("%s: records cannot be read: %s", dir,
                     ovs_strerror(errno));
        }
        return r;
    }
    while ((de = readdir(stream)) != NULL) {
        if (de->d_name[0] == '.') {
            continue;
        } else if (string_ends_with(de->d_name, TEMP_SUFFIX)) {
            char *vuid = xmemdup0(de->d_name, (strlen(de->d_name)
                                               - strlen(TEMP_SUFFIX)));

            svec_add(&r->temps, de->d_name);
            if (vuid_is_sane(vuid)) {
                sset_add(&r->names, vuid);
            }
            free(vuid);
        } else if (!string_ends_with(de->d_name, BAD_SUFFIX)) {
            sset_add(&r->names, de->d_name);
        }
    }
    closedir(stream);
    r->records = xmalloc(MAX(sset_count(&r->names), 1) * sizeof *r->records);
    return r;
}

/* Reads one file of 'r'.  Returns false if there is none left. */
static bool
record_reader_step(struct virtnet_record_reader *r)
{
    char *name, *path;
    struct stat s;

    if (r->n_temps_done < r->temps.n) {
        temp_load(r->dir, r->temps.names[r->n_temps_done++]);
        return true;
    } else if (sset_is_empty(&r->names)) {
        return false;
    }
    name = sset_pop(&r->names);
    path = xasprintf("%s/%s", r->dir, name);
    /* What was a temporary file alone may have been torn. */
    if (!lstat(path, &s) || errno != ENOENT) {
        struct virtnet_record *record = record_load(r->dir, name);

        if (record) {
            r->records[r->n++] = record;
        }
    }
    free(path);
    free(name);
    return true;
}

bool
virtnet_record_reader_run(struct virtnet_record_reader *r,
                          struct virtnet_slice *slice)
{
    do {
        if (virtnet_slice_is_over(slice)) {
            return false;
        }
    } while (record_reader_step(r));
    return true;
}

size_t
virtnet_record_reader_finish(struct virtnet_record_reader *r,
                             struct virtnet_record ***recordsp)
{
    size_t n = r->n;

    if (n) {
        qsort(r->records, n, sizeof *r->records, compare_records);
        n = drop_conflicts(r->dir, r->records, n);
    }
    *recordsp = r->records;
    svec_destroy(&r->temps);
    sset_destroy(&r->names);
    free(r->dir);
    free(r);
    return n;
}

void
virtnet_records_destroy(struct virtnet_record **records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        virtnet_record_destroy(records[i]);
    }
    free(records);
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
