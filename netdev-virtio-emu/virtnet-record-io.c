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

/* Writing and deleting small files.  See virtnet-record-io.h.
 *
 * Threads
 * =======
 *
 * The main thread queues jobs.  The record thread carries them out and puts
 * those that somebody waits for in 'done'.  'mutex' protects the lists, and
 * neither holds it while it waits for a disk.  What has been written and not
 * synchronized is known to the record thread alone. */

#include <config.h>

#include "virtnet-record-io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "coverage.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/thread.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "seq.h"
#include "socket-util.h"
#include "sset.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-error.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(virtnet_record_io);

COVERAGE_DEFINE(virtnet_record_saved);
COVERAGE_DEFINE(virtnet_record_synced);

/* A file that is to be replaced, or deleted. */
struct record_job {
    struct ovs_list list_node;  /* In 'queue', or in 'done'. */
    char *dir;
    char *path;
    char *text;                 /* NULL: to be deleted. */
    virtnet_record_cb *cb;      /* NULL: nobody waits. */
    void *aux;
    int error;                  /* Once it is in 'done'. */
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static pthread_cond_t wanted;   /* By time_msec()'s clock; there as long as
                                 * the record thread. */
static pthread_cond_t flushed = PTHREAD_COND_INITIALIZER;

static struct ovs_list queue OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&queue);
static struct ovs_list done OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&done);
static uint64_t n_done OVS_GUARDED_BY(mutex); /* Jobs that are done. */
static bool idle OVS_GUARDED_BY(mutex) = true; /* Is all flushed? */
static bool urgent OVS_GUARDED_BY(mutex); /* Does somebody wait for that? */
static bool held OVS_GUARDED_BY(mutex);

/* Main thread only. */
static uint64_t n_jobs;         /* That there have been. */
static uint64_t n_waiting;      /* With a 'cb' that was not called yet. */
static struct seq *progress;    /* Changes with 'n_done'; there as long as the
                                 * record thread. */
static uint64_t progress_seen;  /* When 'done' was looked at. */
static struct ovs_list heard    /* What was there then, to be answered. */
    = OVS_LIST_INITIALIZER(&heard);

static void
record_job_destroy(struct record_job *job)
{
    free(job->dir);
    free(job->path);
    free(job->text);
    free(job);
}

/* The record thread. */

/* A file that was written and has not got its name yet. */
struct unnamed_file {
    struct ovs_list list_node;  /* In 'unnamed', in the order in which they
                                 * were written. */
    char *dir;
    char *temp;
    char *path;                 /* Key in 'unnamed_by_path'. */
};

static struct ovs_list unnamed = OVS_LIST_INITIALIZER(&unnamed);
static struct shash unnamed_by_path = SHASH_INITIALIZER(&unnamed_by_path);

/* Directories that are to be synchronized. */
static struct sset changed_dirs = SSET_INITIALIZER(&changed_dirs);

/* Synchronizes the file or directory 'path'.  'flags' are for open(). */
static void
sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    int error = 0;

    if (fd < 0) {
        error = errno;
    } else {
        if (fsync(fd)) {
            error = errno;
        }
        close(fd);
    }
    if (error && error != ENOENT) {
        VLOG_ERR("%s: not synchronized: %s", path, ovs_strerror(error));
    }
}

/* Gives 'file' its name, unless 'forget', and forgets it. */
static void
unnamed_file_finish(struct unnamed_file *file, bool forget)
{
    if (!forget) {
        sync_path(file->temp, O_NOFOLLOW | O_NONBLOCK);
        if (!rename(file->temp, file->path)) {
            COVERAGE_INC(virtnet_record_synced);
        } else if (errno == ENOENT) {
            /* Whoever reads records when the controller starts again has given
             * it its name, or somebody has deleted it. */
            sync_path(file->path, O_NOFOLLOW | O_NONBLOCK);
        } else {
            VLOG_ERR("%s: record not renamed to %s: %s", file->temp,
                     file->path, ovs_strerror(errno));
        }
        sset_add(&changed_dirs, file->dir);
    }
    shash_find_and_delete(&unnamed_by_path, file->path);
    ovs_list_remove(&file->list_node);
    free(file->dir);
    free(file->temp);
    free(file->path);
    free(file);
}

/* Has the disk everything that was done? */
static bool
all_flushed(void)
{
    return ovs_list_is_empty(&unnamed) && sset_is_empty(&changed_dirs);
}

/* Brings a part of it there. */
static void
flush_some(void)
{
    if (!ovs_list_is_empty(&unnamed)) {
        unnamed_file_finish(CONTAINER_OF(ovs_list_front(&unnamed),
                                         struct unnamed_file, list_node),
                            false);
    } else {
        char *dir = sset_pop(&changed_dirs);

        sync_path(dir, O_DIRECTORY);
        free(dir);
    }
}

/* Whoever asks for something just after an answer must not wait for the disk
 * to be synchronized, so that is put off until nobody has asked for anything
 * for FLUSH_QUIET_MS, but for FLUSH_LATEST_MS at most. */
#define FLUSH_QUIET_MS 10
#define FLUSH_LATEST_MS 100

static long long int unflushed_since; /* time_msec(), or 0. */
static long long int flush_at;        /* time_msec(). */

static void
put_off_flush(void)
{
    long long int now = time_msec();

    if (!unflushed_since) {
        unflushed_since = now;
    }
    flush_at = MIN(now + FLUSH_QUIET_MS, unflushed_since + FLUSH_LATEST_MS);
}

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

static int
run_write(const struct record_job *job, const char *temp)
{
    struct unnamed_file *file;
    int error;

    error = write_new_file(temp, job->text);
    if (error == ENOENT && !make_directories(job->dir)) {
        error = write_new_file(temp, job->text);
    }
    if (error) {
        VLOG_ERR("%s: record not written: %s", job->path,
                 ovs_strerror(error));
        return (error == ENOENT || error == EACCES || error == EROFS
                ? VIRTNET_E_REC_CREATE : VIRTNET_E_REC_CFG_SAVE);
    }
    file = xmalloc(sizeof *file);
    *file = (struct unnamed_file) {
        .dir = xstrdup(job->dir),
        .temp = xstrdup(temp),
        .path = xstrdup(job->path),
    };
    shash_add(&unnamed_by_path, file->path, file);
    ovs_list_push_back(&unnamed, &file->list_node);
    COVERAGE_INC(virtnet_record_saved);
    return 0;
}

static void
run_delete(const struct record_job *job, const char *temp)
{
    if ((unlink(temp) && errno != ENOENT)
        || (unlink(job->path) && errno != ENOENT)) {
        VLOG_ERR("%s: record not deleted: %s", job->path,
                 ovs_strerror(errno));
    }
    sset_add(&changed_dirs, job->dir);
}

static void
record_job_run(struct record_job *job)
{
    struct unnamed_file *file = shash_find_data(&unnamed_by_path, job->path);
    char *temp = xasprintf("%s"VIRTNET_RECORD_TEMP, job->path);

    if (file) {
        /* Somebody may have been told of it, so it must be there while its
         * successor is being written. */
        unnamed_file_finish(file, !job->text);
    }
    if (job->text) {
        job->error = run_write(job, temp);
    } else {
        run_delete(job, temp);
    }
    free(temp);
}

/* The first job, or NULL if 'queue' is empty. */
static struct record_job *
take_job(void)
    OVS_REQUIRES(mutex)
{
    return (ovs_list_is_empty(&queue) ? NULL
            : CONTAINER_OF(ovs_list_pop_front(&queue), struct record_job,
                           list_node));
}

static void
wait_for_flush_time(void)
    OVS_REQUIRES(mutex)
{
    struct timespec ts;

    nsec_to_timespec(flush_at * 1000000, &ts);
    pthread_cond_timedwait(&wanted, &mutex.lock, &ts);
}

/* While there is more to do, the main thread hears of progress this often
 * (ms).  In each of its turns, it looks at all that there is. */
#define PROGRESS_MS 2

static void *
record_main(void *aux OVS_UNUSED)
{
    long long int tell_at = 0;
    bool told = true;

    /* This thread reads nothing that RCU protects. */
    ovsrcu_quiesce_start();
    ovs_mutex_lock(&mutex);
    for (;;) {
        struct record_job *job = held ? NULL : take_job();

        if (!told && (!job || time_msec() >= tell_at)) {
            seq_change(progress);
            told = true;
        }
        if (job) {
            if (told) {
                tell_at = time_msec() + PROGRESS_MS;
                told = false;
            }
            ovs_mutex_unlock(&mutex);
            record_job_run(job);
            put_off_flush();
            ovs_mutex_lock(&mutex);
            n_done++;
            if (job->cb) {
                ovs_list_push_back(&done, &job->list_node);
            } else {
                record_job_destroy(job);
            }
        } else if (held) {
            ovs_mutex_cond_wait(&wanted, &mutex);
        } else if (all_flushed()) {
            unflushed_since = 0;
            idle = true;
            urgent = false;
            xpthread_cond_broadcast(&flushed);
            ovs_mutex_cond_wait(&wanted, &mutex);
        } else if (!urgent && time_msec() < flush_at) {
            wait_for_flush_time();
        } else {
            ovs_mutex_unlock(&mutex);
            flush_some();
            ovs_mutex_lock(&mutex);
        }
    }
    OVS_NOT_REACHED();
}

/* The main thread. */

/* Starts the record thread, if need be. */
static void
start(void)
{
    pthread_condattr_t attr;

    if (progress) {
        return;
    }
    progress = seq_create();
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    xpthread_cond_init(&wanted, &attr);
    pthread_condattr_destroy(&attr);
    ovs_thread_create("virtnet_record", record_main, NULL);
}

static void
queue_job(const char *dir, const char *name, char *text,
          virtnet_record_cb *cb, void *aux)
{
    struct record_job *job = xmalloc(sizeof *job);

    *job = (struct record_job) {
        .dir = xstrdup(dir),
        .path = xasprintf("%s/%s", dir, name),
        .text = text,
        .cb = cb,
        .aux = aux,
    };
    n_jobs++;
    n_waiting += cb != NULL;
    start();
    ovs_mutex_lock(&mutex);
    ovs_list_push_back(&queue, &job->list_node);
    idle = false;
    xpthread_cond_signal(&wanted);
    ovs_mutex_unlock(&mutex);
}

void
virtnet_record_io_write(const char *dir, const char *name, char *text,
                        virtnet_record_cb *cb, void *aux)
{
    queue_job(dir, name, text, cb, aux);
}

void
virtnet_record_io_delete(const char *dir, const char *name)
{
    queue_job(dir, name, NULL, NULL, NULL);
}

void
virtnet_record_io_run(void)
{
    struct virtnet_slice slice;

    if (!n_waiting) {
        return;
    }
    progress_seen = seq_read(progress);
    ovs_mutex_lock(&mutex);
    ovs_list_push_back_all(&heard, &done);
    ovs_mutex_unlock(&mutex);
    virtnet_slice_begin(&slice, false);
    while (!ovs_list_is_empty(&heard) && !virtnet_slice_is_over(&slice)) {
        struct record_job *job = CONTAINER_OF(ovs_list_pop_front(&heard),
                                              struct record_job, list_node);

        n_waiting--;
        job->cb(job->error, job->aux);
        record_job_destroy(job);
    }
}

void
virtnet_record_io_wait(void)
{
    if (!ovs_list_is_empty(&heard)) {
        poll_immediate_wake();
    } else if (n_waiting) {
        seq_wait(progress, progress_seen);
    }
}

uint64_t
virtnet_record_io_n_jobs(void)
{
    return n_jobs;
}

bool
virtnet_record_io_has_done(uint64_t n)
{
    bool has;

    ovs_mutex_lock(&mutex);
    has = n_done >= n;
    ovs_mutex_unlock(&mutex);
    return has;
}

void
virtnet_record_io_wait_done(uint64_t n)
{
    uint64_t seqno = progress ? seq_read(progress) : 0;

    if (virtnet_record_io_has_done(n)) {
        poll_immediate_wake();
    } else {
        seq_wait(progress, seqno);
    }
}

bool
virtnet_record_io_is_flushed(void)
{
    bool is;

    ovs_mutex_lock(&mutex);
    is = idle;
    ovs_mutex_unlock(&mutex);
    return is;
}

void
virtnet_record_io_flush(void)
{
    if (!progress) {
        return;
    }
    ovs_mutex_lock(&mutex);
    held = false;
    while (!idle) {
        urgent = true;
        xpthread_cond_signal(&wanted);
        ovs_mutex_cond_wait(&flushed, &mutex);
    }
    ovs_mutex_unlock(&mutex);
}

void
virtnet_record_io_hold(bool hold)
{
    start();
    ovs_mutex_lock(&mutex);
    held = hold;
    xpthread_cond_signal(&wanted);
    ovs_mutex_unlock(&mutex);
}

static void
cmd_records(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[], void *aux OVS_UNUSED)
{
    bool hold = !strcmp(argv[1], "hold");

    if (!hold && strcmp(argv[1], "go")) {
        unixctl_command_reply_error(conn, "\"hold\" or \"go\" is needed");
        return;
    }
    virtnet_record_io_hold(hold);
    unixctl_command_reply(conn, NULL);
}

void
virtnet_record_io_init(void)
{
    unixctl_command_register("virtnet/records", "hold | go", 1, 1,
                             cmd_records, NULL);
}
