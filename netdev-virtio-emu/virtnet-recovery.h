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
 * One JSON file for each device (see virtnet-record.h), named by its VUID, in
 * other_config:virtnet-recovery-dir.
 *
 * How files are written is up to virtnet-record-io.h.  Whoever tells an
 * operator of a device, or of what has become of it, waits for the record: so
 * what they are told outlives a crash of the process.
 *
 * A file is read as if an enemy had written it.  One that is not what it
 * should be, is of another card, or claims a number or a MAC address that
 * another has, is renamed to "<name>.bad", named in the log, and costs no
 * other device.  A file that is no record, and has no name of one, is left
 * alone.
 *
 * Functions are for the main thread. */

#include <stdbool.h>
#include <stddef.h>

#include "virtnet-device.h"
#include "virtnet-record-io.h"
#include "virtnet-record.h"

/* Has the record of 'dev', as it is now, written to 'dir', and calls 'cb', if
 * it is nonnull, then.  Returns 0, or VIRTNET_E_REC_CREATE if there cannot be
 * one; then 'cb' is not called. */
int virtnet_recovery_save(const struct virtnet_device *dev, const char *dir,
                          virtnet_record_cb *cb, void *aux);

/* Has the record of 'vuid' deleted from 'dir', if there is one. */
void virtnet_recovery_delete(const char *vuid, const char *dir);

/* Deletes all records of 'dir' if they were made with another 'fingerprint' of
 * the firmware configuration, and notes this one.  A card that is configured
 * otherwise has other devices. */
void virtnet_recovery_check_firmware(const char *dir,
                                     const char *fingerprint);

/* Reads all records of a directory, in slices.  virtnet_recovery_read()
 * begins, and until the end nothing may be saved to 'dir' that has not been
 * flushed; virtnet_record_reader_run() reads some records, as long as 'slice'
 * lasts, and returns true if that were the last ones. */
struct virtnet_slice;
struct virtnet_record_reader *virtnet_recovery_read(const char *dir);
bool virtnet_record_reader_run(struct virtnet_record_reader *,
                               struct virtnet_slice *);

/* Returns NULL, or a line, which the caller must free, that tells why there
 * has never been such a device here, but perhaps on another card. */
typedef char *virtnet_record_check_cb(const struct virtnet_record *);

/* Frees the reader.  Stores an array of the records in '*recordsp', PFs before
 * VFs and in order of 'pf_id', so that ids and SF numbers come back as they
 * were, and returns its size; the caller frees it with
 * virtnet_records_destroy().  Records that 'check', unless it is NULL, does
 * not like are set aside before others are compared with them. */
size_t virtnet_record_reader_finish(struct virtnet_record_reader *,
                                    virtnet_record_check_cb *check,
                                    struct virtnet_record ***recordsp);
void virtnet_records_destroy(struct virtnet_record **records, size_t n);

#endif /* virtnet-recovery.h */
