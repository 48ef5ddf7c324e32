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

#ifndef VIRTNET_RECORD_IO_H
#define VIRTNET_RECORD_IO_H 1

/* Writing and deleting small files without waiting for a disk.
 *
 * A disk that others keep busy can take long for anything, so one thread does
 * everything, in the order in which it was asked for.  None is passed over for
 * the sake of a later one: what somebody was told of stays true at any time.
 *
 * A file is replaced as a whole.  Its new text is written to
 * "<name>"VIRTNET_RECORD_TEMP, from where it is to be read after a crash of
 * the process: then it is "done", and so is a deletion when the file has gone.
 * Soon after, when there is nothing else to do, the new file is synchronized,
 * gets its name, and the directory is synchronized: then it is "flushed".  So
 * a power failure costs what happened in its last moments, and nothing that
 * was there before.
 *
 * Functions are for the main thread. */

#include <stdbool.h>
#include <stdint.h>

#define VIRTNET_RECORD_TEMP ".tmp"

/* What has come of a file that was to be written: 'error' is 0,
 * VIRTNET_E_REC_CREATE or VIRTNET_E_REC_CFG_SAVE, with the reason in the
 * log. */
typedef void virtnet_record_cb(int error, void *aux);

/* Has 'dir'/'name' replaced by 'text', which this takes over.  'dir' is
 * created if need be.  Calls 'cb', unless it is NULL, from
 * virtnet_record_io_run() when that is done. */
void virtnet_record_io_write(const char *dir, const char *name, char *text,
                             virtnet_record_cb *cb, void *aux);

/* Has 'dir'/'name' deleted, if there is one. */
void virtnet_record_io_delete(const char *dir, const char *name);

/* Calls what waits for files to be written. */
void virtnet_record_io_run(void);
void virtnet_record_io_wait(void);

/* How much was asked for so far?  Are the first 'n' done?
 * virtnet_record_io_wait_done() wakes the main loop when they are. */
uint64_t virtnet_record_io_n_jobs(void);
bool virtnet_record_io_has_done(uint64_t n);
void virtnet_record_io_wait_done(uint64_t n);

/* Is all flushed?  virtnet_record_io_flush() waits until it is, and calls
 * nobody. */
bool virtnet_record_io_is_flushed(void);
void virtnet_record_io_flush(void);

/* For tests: with 'hold', the disk stands still until somebody says otherwise,
 * or waits for it. */
void virtnet_record_io_hold(bool hold);

/* Registers the command that does so. */
void virtnet_record_io_init(void);

#endif /* virtnet-record-io.h */
