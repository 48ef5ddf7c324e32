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
 * checked before anything is used, and links are not followed. */

#include <config.h>

#include "virtnet-recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coverage.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "socket-util.h"
#include "sset.h"
#include "svec.h"
#include "unicode.h"
#include "util.h"
#include "virtnet-error.h"
#include "virtnet-record-io.h"
#include "virtnet-record.h"
#include "virtnet-slice.h"

VLOG_DEFINE_THIS_MODULE(virtnet_recovery);

COVERAGE_DEFINE(virtnet_record_bad);

/* Far above what virtnet_recovery_save() writes. */
#define RECORD_MAX_SIZE (64 * 1024)

/* As long as firmware can have it, which is longer than the longest
 * virtnet-serial and what comes behind it. */
#define VUID_MAX_LEN 128

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

/* May a file have the name 'name' because it was a record once?  A directory
 * may have files of others, be it by mistake, and they are no business of
 * ours. */
static bool
looks_like_record(const char *name)
{
    return strstr(name, "VNET") != NULL;
}

/* Writing. */

int
virtnet_recovery_save(const struct virtnet_device *dev, const char *dir,
                      virtnet_record_cb *cb, void *aux)
{
    struct json *json;

    if (!vuid_is_sane(dev->vuid)) {
        VLOG_ERR("%s: no name for a record", dev->vuid);
        return VIRTNET_E_REC_CREATE;
    }
    json = virtnet_record_to_json(dev);
    virtnet_record_io_write(dir, dev->vuid,
                            json_to_string(json, JSSF_PRETTY | JSSF_SORT),
                            cb, aux);
    json_destroy(json);
    return 0;
}

void
virtnet_recovery_delete(const char *vuid, const char *dir)
{
    virtnet_record_io_delete(dir, vuid);
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
            record = virtnet_record_from_json(vuid, json, why);
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
    if (!record && looks_like_record(name)) {
        set_aside(path, why);
    } else if (!record) {
        struct ds shown = DS_EMPTY_INITIALIZER;

        ds_put_printable(&shown, path, strlen(path));
        VLOG_WARN("%s: not a record, left alone: %s", ds_cstr(&shown), why);
        ds_destroy(&shown);
    }
    free(why);
    free(path);
    return record;
}

/* 'name', which ends in VIRTNET_RECORD_TEMP, is what the last process did not
 * come to give its name to.  If it is whole, it is newer than what has the
 * name. */
static void
temp_load(const char *dir, const char *name)
{
    char *temp = xasprintf("%s/%s", dir, name);
    char *vuid = xmemdup0(name, strlen(name) - strlen(VIRTNET_RECORD_TEMP));
    char *path = xasprintf("%s/%s", dir, vuid);
    struct virtnet_record *record;
    char *why;

    record = record_read(temp, vuid, &why);
    if (!record) {
        VLOG_DBG("%s: ignored: %s", vuid, why);
        if (looks_like_record(vuid)) {
            unlink(temp);
        }
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

/* Takes what 'r' claims for it, if none of that is in 'claims'.  Otherwise
 * takes nothing, and returns why, which the caller must free. */
static char *
take_claims(struct sset *claims, const struct virtnet_record *r)
{
    struct svec wanted = SVEC_EMPTY_INITIALIZER;
    char *why = NULL;

    svec_add_nocopy(&wanted, (r->type == VIRTNET_VF
                              ? xasprintf("vf_id %u of pf_id %u", r->vf_id,
                                          r->pf_id)
                              : xasprintf("pf_id %u", r->pf_id)));
    svec_add_nocopy(&wanted, xasprintf("sf_num %"PRIu32, r->sf_num));
    if (r->type != VIRTNET_VF) {
        /* VFs may share an address. */
        svec_add_nocopy(&wanted,
                        xasprintf("mac "ETH_ADDR_FMT,
                                  ETH_ADDR_ARGS(r->config.mac)));
    }
    for (size_t i = 0; i < wanted.n && !why; i++) {
        if (sset_contains(claims, wanted.names[i])) {
            why = xasprintf("another record has its %s", wanted.names[i]);
        }
    }
    for (size_t i = 0; i < wanted.n && !why; i++) {
        sset_add(claims, wanted.names[i]);
    }
    svec_destroy(&wanted);
    return why;
}

/* Sets those of the 'n' 'records' aside that 'check', unless it is NULL, does
 * not know, or that claim what one before them has.  Returns the number of
 * those that remain. */
static size_t
drop_foreign(const char *dir, virtnet_record_check_cb *check,
             struct virtnet_record **records, size_t n)
{
    struct sset claims = SSET_INITIALIZER(&claims);
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        struct virtnet_record *r = records[i];
        char *why = check ? check(r) : NULL;

        if (!why) {
            why = take_claims(&claims, r);
        }
        if (why) {
            char *path = xasprintf("%s/%s", dir, r->vuid);

            set_aside(path, why);
            virtnet_record_destroy(r);
            free(why);
            free(path);
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

/* Is the file 'name' of 'dir' to be deleted with the records? */
static bool
is_record(const char *dir, const char *name, const char *vuid)
{
    bool is = vuid_is_sane(vuid);

    if (is && !looks_like_record(vuid)) {
        char *path = xasprintf("%s/%s", dir, name);
        struct virtnet_record *record;
        char *why;

        record = record_read(path, vuid, &why);
        is = record != NULL;
        virtnet_record_destroy(record);
        free(why);
        free(path);
    }
    return is;
}

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
        bool temp = string_ends_with(de->d_name, VIRTNET_RECORD_TEMP);
        char *vuid = xmemdup0(de->d_name,
                              (strlen(de->d_name)
                               - (temp ? strlen(VIRTNET_RECORD_TEMP) : 0)));

        if (is_record(dir, de->d_name, vuid)) {
            virtnet_recovery_delete(vuid, dir);
            n += !temp;
        }
        free(vuid);
    }
    closedir(stream);
    return n;
}

/* Moves '*p' behind "KEY=VALUE" and a space, if that follows, and returns the
 * length of "KEY="; 0 if there is no such thing. */
static size_t
next_key(const char **p)
{
    size_t key = strcspn(*p, "= ");
    size_t value;

    if (!key || (*p)[key++] != '=') {
        return 0;
    }
    value = strcspn(*p + key, " ");
    *p += key + value;
    *p += **p == ' ';
    return value ? key : 0;
}

/* Does 'old' have values for the same keys as 'new'?  Otherwise it is torn, or
 * of another version, and says nothing about a change. */
static bool
same_keys(const char *old, const char *new)
{
    while (*new) {
        const char *old_key = old;
        const char *new_key = new;
        size_t n = next_key(&new);

        if (!n || next_key(&old) != n || strncmp(old_key, new_key, n)) {
            return false;
        }
    }
    return !*old;
}

/* Stores the text of the file 'path' in '*text', or NULL if it cannot be read.
 * Returns true if it is a firmware configuration like 'like'. */
static bool
read_firmware(const char *path, const char *like, char **text)
{
    char *why = NULL;
    size_t size = 0;

    *text = read_file(path, &size, &why);
    free(why);
    return *text && same_keys(*text, like);
}

void
virtnet_recovery_check_firmware(const char *dir, const char *fingerprint)
{
    char *path = xasprintf("%s/"FIRMWARE_FILE, dir);
    char *temp = xasprintf("%s"VIRTNET_RECORD_TEMP, path);
    char *old;

    virtnet_record_io_flush();
    /* What the last process did not come to give its name to is newer. */
    if (read_firmware(temp, fingerprint, &old)) {
        rename(temp, path);
    } else {
        free(old);
        unlink(temp);
        if (!read_firmware(path, fingerprint, &old) && old) {
            set_aside(path, "it is no firmware configuration");
            free(old);
            old = NULL;
        }
    }
    if (old && strcmp(old, fingerprint)) {
        unsigned int n = delete_records(dir);

        VLOG_INFO("%s: the firmware configuration has changed from \"%.256s\" "
                  "to \"%s\": %u records deleted", dir, old, fingerprint, n);
    }
    if (!old || strcmp(old, fingerprint)) {
        virtnet_record_io_write(dir, FIRMWARE_FILE, xstrdup(fingerprint),
                                NULL, NULL);
    }
    free(old);
    free(temp);
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
        } else if (string_ends_with(de->d_name, VIRTNET_RECORD_TEMP)) {
            char *vuid = xmemdup0(de->d_name, (strlen(de->d_name)
                                               - strlen(VIRTNET_RECORD_TEMP)));

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
                             virtnet_record_check_cb *check,
                             struct virtnet_record ***recordsp)
{
    size_t n = r->n;

    if (n) {
        qsort(r->records, n, sizeof *r->records, compare_records);
        n = drop_foreign(r->dir, check, r->records, n);
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
