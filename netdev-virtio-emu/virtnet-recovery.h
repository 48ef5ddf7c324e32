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

#ifndef VIRTNET_RECOVERY_H
#define VIRTNET_RECOVERY_H 1

/* Records of devices, that outlive the process.
 *
 * One JSON file for each device, named by its VUID, in
 * other_config:virtnet-recovery-dir.  The keys that the recovery files of the
 * known controller have come first and mean the same; those after them are
 * what it takes to bring the very same device back.
 *
 * A file is replaced as a whole.  virtnet_recovery_save() writes the new text
 * to "<name>.tmp", from where it is read after a crash of the process: so a
 * device that an operator was told of is there then.  What a disk takes long
 * for is up to a thread: it synchronizes the new file, gives it its name, and
 * synchronizes the directory, for all that have come meanwhile at once.  So a
 * power failure costs what happened in its last milliseconds, and nothing that
 * was there before.
 *
 * A disk that is busy takes long to delete a file, too, so another thread does
 * it.  Whoever is told that a device is unplugged is told so when
 * virtnet_recovery_has_deleted() says that it cannot come back after a crash
 * of the process.  For VFs that does not matter: see "The number of VFs" in
 * Documentation/design.md.
 *
 * A file is read as if an enemy had written it.  One that is not what it
 * should be, or claims a number or a MAC address that another has, is renamed
 * to "<name>.bad", named in the log, and costs no other device.
 *
 * Functions are for the main thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smap.h"
#include "virtnet-device.h"

/* What is known of a device from its file.  Text members are owned, and NULL
 * where there is nothing. */
struct virtnet_record {
    char *vuid;
    enum virtnet_function_type type;
    unsigned int pf_id;
    unsigned int vf_id;         /* VFs only. */
    unsigned int num_vfs;       /* Static PFs: what the host asked for. */
    uint16_t bdf;
    char *ib_device;
    uint32_t sf_num;
    struct virtnet_device_config config;
    char *bridge;
    char *owner_port;
    char *attachment_path;
    bool has_attachment_mode;
    bool attachment_server;     /* Valid if 'has_attachment_mode'. */
    struct smap backend;        /* What the backend's "save" added. */
};

/* Writes the record of 'dev' to 'dir', which is created if need be.  Returns
 * 0, VIRTNET_E_REC_CREATE or VIRTNET_E_REC_CFG_SAVE; the reason is logged.
 * Waits for no disk. */
int virtnet_recovery_save(const struct virtnet_device *dev, const char *dir);

/* Has the record of 'vuid' deleted from 'dir', if there is one. */
void virtnet_recovery_delete(const char *vuid, const char *dir);

/* How many records virtnet_recovery_delete() has been asked to delete so far,
 * and are the first 'n' of them deleted, as far as another process can see?
 * virtnet_recovery_wait_deleted() wakes the main loop when they are. */
uint64_t virtnet_recovery_n_deletions(void);
bool virtnet_recovery_has_deleted(uint64_t n);
void virtnet_recovery_wait_deleted(uint64_t n);

/* Deletes all records of 'dir' if they were made with another 'fingerprint' of
 * the firmware configuration, and notes this one.  A card that is configured
 * otherwise has other devices. */
void virtnet_recovery_check_firmware(const char *dir,
                                     const char *fingerprint);

/* Waits until the disk has everything that was saved or deleted; says whether
 * it has. */
void virtnet_recovery_flush(void);
bool virtnet_recovery_is_flushed(void);

/* Reads all records of a directory, in slices.  virtnet_recovery_read()
 * begins, and until the end nothing may be saved to 'dir' that has not been
 * flushed; virtnet_record_reader_run() reads some records, as long as 'slice'
 * lasts, and returns true if that were the last ones. */
struct virtnet_slice;
struct virtnet_record_reader *virtnet_recovery_read(const char *dir);
bool virtnet_record_reader_run(struct virtnet_record_reader *,
                               struct virtnet_slice *);

/* Frees the reader.  Stores an array of the records in '*recordsp', PFs before
 * VFs and in order of 'pf_id', so that ids and SF numbers come back as they
 * were, and returns its size; the caller frees it with
 * virtnet_records_destroy(). */
size_t virtnet_record_reader_finish(struct virtnet_record_reader *,
                                    struct virtnet_record ***recordsp);
void virtnet_records_destroy(struct virtnet_record **records, size_t n);

/* Copies 'record' into 'dev', which is fresh from "device_alloc". */
void virtnet_record_to_device(const struct virtnet_record *record,
                              struct virtnet_device *dev);

#endif /* virtnet-recovery.h */
