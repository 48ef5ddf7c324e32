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

#ifndef VIRTNET_ERROR_H
#define VIRTNET_ERROR_H 1

/* Error numbers of the virtio-net controller.
 *
 * Every function of the controller and of a backend that can fail returns
 * zero on success or a negative number:
 *
 *    - above -1000, a negated POSIX errno (-EINVAL, -EBUSY, ...);
 *    - from -1000 down, one of the numbers of the table below.
 *
 * The same number is what an operator reads as "errno" in the JSON answer of a
 * command, and virtnet_strerror() gives the "errstr" beside it.
 *
 * VIRTNET_ERRORS is the only place where the numbers, their names and their
 * texts are written down.  Its rows are in the order of the numbers. */

#define VIRTNET_ERROR_BASE 1000

#define VIRTNET_ERRORS                                                        \
    VIRTNET_ERROR(FEATURE_VALIDATE,                                           \
        "Failed to validate device feature")                                  \
    VIRTNET_ERROR(DEV_NOT_FOUND,                                              \
        "Failed to find device")                                              \
    VIRTNET_ERROR(DEV_NOT_HOTPLUGGED,                                         \
        "Failed - Device is not hotplugged")                                  \
    VIRTNET_ERROR(DEV_NOT_STARTED,                                            \
        "Failed - Device is not started")                                     \
    VIRTNET_ERROR(DRIVER_LOADED,                                              \
        "Failed - Virtio driver should not be loaded")                        \
    VIRTNET_ERROR(EPOLL_ADD,                                                  \
        "Failed to add epoll")                                                \
    VIRTNET_ERROR(ID_RANGE,                                                   \
        "Failed - ID input exceeds the max range")                            \
    VIRTNET_ERROR(VUID_INVALID,                                               \
        "Failed - VUID is invalid")                                           \
    VIRTNET_ERROR(MAC_INVALID,                                                \
        "Failed - MAC is invalid")                                            \
    VIRTNET_ERROR(MSIX_INVALID,                                               \
        "Failed - MSIX is invalid")                                           \
    VIRTNET_ERROR(MTU_INVALID,                                                \
        "Failed - MTU is invalid")                                            \
    VIRTNET_ERROR(PORT_CTX,                                                   \
        "Failed to find port context")                                        \
    VIRTNET_ERROR(REC_CFG_LOAD,                                               \
        "Failed to load config from recovery file")                           \
    VIRTNET_ERROR(REC_CFG_SAVE,                                               \
        "Failed to save config into recovery file")                           \
    VIRTNET_ERROR(REC_CREATE,                                                 \
        "Failed to create recovery file")                                     \
    VIRTNET_ERROR(REC_MAC_DEL,                                                \
        "Failed to delete MAC in recovery file")                              \
    VIRTNET_ERROR(REC_MAC_LOAD,                                               \
        "Failed to load MAC from recovery file")                              \
    VIRTNET_ERROR(REC_MAC_SAVE,                                               \
        "Failed to save MAC into recovery file")                              \
    VIRTNET_ERROR(REC_MQ_SAVE,                                                \
        "Failed to save MQ into recovery file")                               \
    VIRTNET_ERROR(REC_PF_LOAD,                                                \
        "Failed to load PF number from recovery file")                        \
    VIRTNET_ERROR(REC_RXMODE_SAVE,                                            \
        "Failed to save RX mode into recovery file")                          \
    VIRTNET_ERROR(REC_PFSF_SAVE,                                              \
        "Failed to save PF and SF number into recovery file")                 \
    VIRTNET_ERROR(REC_SF_LOAD,                                                \
        "Failed to load SF number from recovery file")                        \
    VIRTNET_ERROR(SF_MAC_FLOW,                                                \
        "Failed to apply MAC flow by SF")                                     \
    VIRTNET_ERROR(SF_MQ,                                                      \
        "Failed to update MQ by SF")                                          \
    VIRTNET_ERROR(SF_RXMODE,                                                  \
        "Failed to set RX mode by SF")                                        \
    VIRTNET_ERROR(BACKEND_OPEN,                                               \
        "Failed to open SNAP device control")                                 \
    VIRTNET_ERROR(BACKEND_MKEY,                                               \
        "Failed to create SNAP cross mkey")                                   \
    VIRTNET_ERROR(BACKEND_DMAQ,                                               \
        "Failed to create SNAP DMA Q")                                        \
    VIRTNET_ERROR(BACKEND_QUERY,                                              \
        "Failed to query SNAP device")                                        \
    VIRTNET_ERROR(BACKEND_MODIFY,                                             \
        "Failed to modify SNAP device")                                       \
    VIRTNET_ERROR(BACKEND_HOTPLUG,                                            \
        "Failed to hotplug SNAP PF")                                          \
    VIRTNET_ERROR(VQ_PERIOD,                                                  \
        "Failed to update VQ period")                                         \
    VIRTNET_ERROR(QUEUE_SIZE,                                                 \
        "Failed - Queue size is invalid")                                     \
    VIRTNET_ERROR(SF_PORT_ADD,                                                \
        "Failed to add SF port")                                              \
    VIRTNET_ERROR(WQ_ALLOC,                                                   \
        "Failed to alloc workqueue")                                          \
    VIRTNET_ERROR(VQS_OP_ALLOC,                                               \
        "Failed to alloc eth VQS operation")                                  \
    VIRTNET_ERROR(VQS_OP_DONE,                                                \
        "Failed to complete eth VQS operation")                               \
    VIRTNET_ERROR(JSON_MISSING,                                               \
        "Failed - JSON obj does not exist")                                   \
    VIRTNET_ERROR(DEV_LOAD_PREP,                                              \
        "Failed to prepare device load")                                      \
    VIRTNET_ERROR(SW_MIGRATE,                                                 \
        "Failed to software migrate device")                                  \
    VIRTNET_ERROR(MIGRATING,                                                  \
        "Failed - Device is migrating")                                       \
    VIRTNET_ERROR(QUEUE_SIZE_POW2,                                            \
        "Error - Queue size must be greater than 2 and is power of 2")        \
    VIRTNET_ERROR(DEV_NOT_FUNCTIONAL,                                         \
        "Warning - This device will not be functional, do not try to "        \
        "probe with virtio driver")                                           \
    VIRTNET_ERROR(SF_POOL_BUSY,                                               \
        "SF pool is creating, try again later")                               \
    VIRTNET_ERROR(DST_PORT_RULE,                                              \
        "Failed to set dst port rule")                                        \
    VIRTNET_ERROR(NOT_SUPPORTED,                                              \
        "The option is not supported")                                        \
    VIRTNET_ERROR(SF_CREATE,                                                  \
        "Failed to create SF")                                                \
    VIRTNET_ERROR(SF_NUM_RANGE,                                               \
        "SF number of a hotplug device should be between 2000 and 2999")      \
    VIRTNET_ERROR(SF_NUM_IN_USE,                                              \
        "SF number is already in use")                                        \
    VIRTNET_ERROR(QUEUE_INDEX,                                                \
        "Queue index is invalid")                                             \
    VIRTNET_ERROR(SPEED_INVALID,                                              \
        "Speed is invalid, check help menu for supported link speeds")        \
    VIRTNET_ERROR(HASH_TYPE,                                                  \
        "Hash type is invalid, check help menu for supported hash types")     \
    VIRTNET_ERROR(RSS_KEY_SIZE,                                               \
        "rss max key size is invalid, supported key size is 40")              \
    VIRTNET_ERROR(REC_OFFLOADS_SAVE,                                          \
        "Failed to save OFFLOADS into recovery file")                         \
    VIRTNET_ERROR(SF_OFFLOADS,                                                \
        "Failed to update OFFLOADS by SF")                                    \
    VIRTNET_ERROR(READLINK,                                                   \
        "Failed to readlink")                                                 \
    VIRTNET_ERROR(PATH_FORMAT,                                                \
        "Error - Path format is invalid")                                     \
    VIRTNET_ERROR(QCOUNTER_ALLOC,                                             \
        "Failed to alloc q counter")                                          \
    VIRTNET_ERROR(DIRTYLOG_SAVE,                                              \
        "Failed to save dirty log")                                           \
    VIRTNET_ERROR(DIRTYLOG_DEL,                                               \
        "Failed to delete dirty log")                                         \
    VIRTNET_ERROR(LM_STATUS_SAVE,                                             \
        "Failed to save LM status")                                           \
    VIRTNET_ERROR(LM_STATUS_MISSING,                                          \
        "Failed to found LM status record")                                   \
    VIRTNET_ERROR(DEV_MODE_SAVE,                                              \
        "Failed to save dev mode")                                            \
    VIRTNET_ERROR(DEV_MODE_MISSING,                                           \
        "Failed to found dev mode record")                                    \
    VIRTNET_ERROR(UNPLUG_NOT_READY,                                           \
        "Error - Device is not ready to be unplugged please check host "      \
        "and retry")                                                          \
    VIRTNET_ERROR(REC_MACTBL_DEL,                                             \
        "Failed to delete MAC table in recovery file")                        \
    VIRTNET_ERROR(REC_MACTBL_LOAD,                                            \
        "Failed to load MAC table from recovery file")                        \
    VIRTNET_ERROR(REC_MACTBL_SAVE,                                            \
        "Failed to save MAC table into recovery file")                        \
    VIRTNET_ERROR(REC_HASH_DEL,                                               \
        "Failed to delete hash cfg in recovery file")                         \
    VIRTNET_ERROR(REC_HASH_LOAD,                                              \
        "Failed to load hash cfg from recovery file")                         \
    VIRTNET_ERROR(REC_HASH_SAVE,                                              \
        "Failed to save hash cfg into recovery file")                         \
    VIRTNET_ERROR(VF_DEV_GET,                                                 \
        "Failed to get VF device")                                            \
    VIRTNET_ERROR(QUEUES_INVALID,                                             \
        "Failed - QUEUES is invalid")                                         \
    VIRTNET_ERROR(DEBUGFS_SAVE,                                               \
        "Failed to save into debugfs file")                                   \
    VIRTNET_ERROR(DEBUGFS_DEL,                                                \
        "Failed to delete from debugfs file")

enum virtnet_error_row {
#define VIRTNET_ERROR(NAME, TEXT) VIRTNET_ROW_##NAME,
    VIRTNET_ERRORS
#undef VIRTNET_ERROR
    VIRTNET_N_ERRORS
};

/* VIRTNET_E_FEATURE_VALIDATE = -1000, VIRTNET_E_DEV_NOT_FOUND = -1001, ... */
enum virtnet_error {
#define VIRTNET_ERROR(NAME, TEXT) \
    VIRTNET_E_##NAME = -(VIRTNET_ERROR_BASE + VIRTNET_ROW_##NAME),
    VIRTNET_ERRORS
#undef VIRTNET_ERROR
};

/* Returns the text for 'error', a number as described at the head of this
 * file: "Success" for zero, the table's text from -1000 down, the C library's
 * for a negated errno.  Never NULL.  The result is static or belongs to the
 * calling thread until its next call, as that of ovs_strerror() does.
 * Thread-safe. */
const char *virtnet_strerror(int error);

/* Returns the symbolic name of 'error', e.g. "MAC_INVALID", or NULL if it is
 * not a row of the table.  Thread-safe. */
const char *virtnet_error_name(int error);

#endif /* virtnet-error.h */
