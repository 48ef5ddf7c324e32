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

#ifndef FW_MODEL_H
#define FW_MODEL_H 1

/* A model of the firmware of a card that emulates virtio-net functions, and of
 * the host that they are for.
 *
 * It stands behind the DevX layer (mlx5-devx.h) in place of rdma-core.  It
 * reads commands bit by bit with code of its own, and refuses what firmware
 * would or might refuse: wrong lengths, bits that mean nothing, numbers of
 * objects that do not exist or belong to another function, states that do not
 * fit, and the destruction of what is still in use.
 *
 * What no public source tells is made up as strictly as it can be, since there
 * is nothing to be faithful to: see GUESSES in fw-commands.c.  A backend that
 * works with the model need not work with a card; one that does not would
 * hardly.
 *
 * Every call can be made to fail, one at a time.
 *
 * Thread-safe.  There is one model at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlx5-devx.h"

/* Of the card, constant while a model lives. */
struct fw_config {
    unsigned int n_static_pfs;
    unsigned int max_vfs;       /* Of each static PF. */
    unsigned int max_hotplug;
    unsigned int n_sfs;         /* RDMA devices "mlx5_10" and so on. */
    unsigned int max_queues;    /* Of each function, with the control queue. */
    unsigned int max_vf_msix;   /* 0 for 32. */
    unsigned int num_vf_msix;   /* What VFs are born with, and what all VFs of
                                 * a PF share; 0 for one for each queue, and
                                 * one. */
    unsigned int spare_vf_msix; /* Besides, of each PF. */
    bool mrg_rxbuf;             /* Are there mergeable receive buffers? */
    bool packed;                /* Are there packed virtqueues? */
    bool no_emulation;          /* Firmware is not configured for it... */
    bool no_hotplug;
    bool no_queues;             /* ...or lacks these. */
    bool no_vuid;               /* ...or this. */
    bool no_privilege;          /* The kernel refuses DevX. */
    bool on_manager;            /* Queues are to be on the manager. */
    unsigned int n_lag_ports;   /* Of a bond, FW_BOND, in place of the first
                                 * two devices, or 0. */
    unsigned int latency_us;    /* Of each command. */
};

#define FW_MANAGER "mlx5_0"
#define FW_BOND "mlx5_bond_0"
#define FW_SECOND "mlx5_1"      /* Has no emulation. */
#define FW_FIRST_SF 10
#define FW_SF_VHCA(N) (2000 + (N)) /* Of "mlx5_10" + N. */

extern const struct mlx5_devx_class fw_model_class;

void fw_model_create(const struct fw_config *);

/* Requires that nothing is open. */
void fw_model_destroy(void);

/* Error injection: the call with number 'n' from now, counting from 1, fails;
 * 0 for none.  'errno_' is what it returns, and 0 for a refusal by the
 * firmware.  Copies of memory count, too; closing does not and events do not,
 * since these cannot fail. */
void fw_fail_at(unsigned int n, int errno_);

/* The same, of 'n_fail' calls from 'n' on. */
void fw_fail_from(unsigned int n, unsigned int n_fail, int errno_);
bool fw_failed(void);           /* Has it happened? */

/* The next creation of a general object of 'type' is refused, whatever other
 * calls come before. */
void fw_fail_create(uint32_t type);

unsigned int fw_n_calls(void);  /* Since fw_fail_at(). */

/* Calls of the thread that has made the model, since then.  In the switch that
 * is the main thread, which is to wait for no firmware. */
unsigned int fw_n_own_calls(void);

/* Has calls wait, or go on.  Is there one that waits? */
void fw_hold(bool hold);
bool fw_is_waiting(void);

/* From now on, how many calls come at most before an object is made on the
 * device 'vhca_id', and before each further one? */
void fw_watch(uint16_t vhca_id);
unsigned int fw_watched_gap(void);

/* Objects that there are, functions that are plugged, open devices. */
unsigned int fw_n_objects(void);
unsigned int fw_n_objects_of(uint32_t type);
unsigned int fw_n_open(void);

/* Functions besides static PFs. */
unsigned int fw_n_hotplugged(void);
unsigned int fw_n_vfs(void);

/* What the last refusal was about, for messages. */
const char *fw_last_refusal(void);

/* A main loop: does RUN until COND, and sleeps as WAIT says.  Gives up after
 * half a minute, with COND as the string WHAT, and with the number of the CALL
 * that was told to fail. */
#define FW_RUN_UNTIL(RUN, WAIT, COND, WHAT, CALL)                           \
    do {                                                                    \
        long long int deadline = time_msec() + 30000;                       \
        for (;;) {                                                          \
            RUN;                                                            \
            if (COND) {                                                     \
                break;                                                      \
            }                                                               \
            if (time_msec() > deadline) {                                   \
                ovs_fatal(0, "line %d: no %s (%s; call %u fails)",          \
                          __LINE__, WHAT, fw_last_refusal(), CALL);         \
            }                                                               \
            WAIT;                                                           \
            poll_timer_wait(1);                                             \
            poll_block();                                                   \
        }                                                                   \
    } while (0)

/* The host.  Functions are known by their vhca id: static PF N is 100 + N, a
 * hotplugged one 200 + N, and VF V of static PF N is 300 + N * max_vfs + V. */

#define FW_STATIC_PF(N) (100 + (N))
#define FW_HOTPLUG_PF(N) (200 + (N))

struct fw_fn;
struct fw_fn *fw_host_find(uint16_t vhca_id); /* NULL if not visible. */

/* Writes the status register.  A driver that writes 0 reads it back until it
 * is 0: fw_host_status(). */
void fw_host_write_status(struct fw_fn *, uint8_t status);
uint8_t fw_host_status(struct fw_fn *);

/* Finds the device, accepts 'features' of those offered, and sets up
 * 'n_pairs' pairs of queues and, if negotiated, the control queue, each of
 * 'size' descriptors in memory of its own. */
bool fw_host_probe(struct fw_fn *, uint64_t features, unsigned int n_pairs,
                   unsigned int size);
uint64_t fw_host_features(struct fw_fn *); /* Offered. */

/* A driver accepts 'features', offered or not. */
void fw_host_accept(struct fw_fn *, uint64_t features);
bool fw_host_needs_reset(struct fw_fn *);
void fw_host_get_config(struct fw_fn *, uint8_t mac[6], uint16_t *mtu,
                        uint16_t *pairs, uint16_t *status);

/* Function-level reset, done when fw_host_flr_done(). */
void fw_host_flr(struct fw_fn *);

/* The next time that the function is managed, a driver comes, and resets it,
 * before anybody can have asked for events. */
void fw_host_be_quick(struct fw_fn *);

/* A driver comes right after the registers have been read next. */
void fw_host_be_hasty(struct fw_fn *);
bool fw_host_flr_done(struct fw_fn *);

/* The host gives it another number among its PCI functions. */
void fw_host_set_bdf(struct fw_fn *, uint16_t bdf);

/* SR-IOV.  Zero first, for another number. */
void fw_host_enable_vfs(struct fw_fn *pf, unsigned int n);

/* Puts a command into the control queue; returns whether it has been answered,
 * with the answer in '*ack' (0 for VIRTIO_NET_OK). */
void fw_host_ctrl_post(struct fw_fn *, uint8_t class, uint8_t cmd,
                       const void *data, size_t len);
bool fw_host_ctrl_done(struct fw_fn *, uint8_t *ack);

/* Memory of the driver, as large as FW_MEMORY, and where the control queue's
 * areas are in it, for hostile drivers. */
#define FW_MEMORY (1 << 20)
uint8_t *fw_host_memory(struct fw_fn *);

/* Has the used ring of queue 'index' say that 'n' buffers have been used. */
void fw_host_use(struct fw_fn *, unsigned int index, uint16_t n);
void fw_host_ctrl_areas(struct fw_fn *, uint64_t *desc, uint64_t *avail,
                        uint64_t *used);

/* Is queue 'index' of the function running, and would a packet to 'mac' with
 * 'vid' (0 for none) arrive in it?  -1 for none. */
bool fw_queue_is_running(struct fw_fn *, unsigned int index);
int fw_rx_queue(struct fw_fn *, const uint8_t mac[6], uint16_t vid,
                uint32_t hash);

/* The port by which queue 'index' sends, 0 if that is up to the card. */
unsigned int fw_queue_port(struct fw_fn *, unsigned int index);

/* Interrupt moderation of queue 'index'. */
void fw_queue_get_period(struct fw_fn *, unsigned int index, uint32_t *usecs,
                         uint32_t *max_count);

/* Packets have been received: counters of the queue move. */
void fw_queue_count(struct fw_fn *, unsigned int index, uint64_t n);

/* Queue 'index' fails. */
void fw_queue_error(struct fw_fn *, unsigned int index);

#endif /* fw-model.h */
