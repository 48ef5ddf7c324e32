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

#ifndef VIRTNET_POOL_H
#define VIRTNET_POOL_H 1

/* Pools: what the functions of a card share.
 *
 * Vectors and queue pairs of VFs
 * ==============================
 *
 * MSI-X vectors and queue pairs of the VFs of a PF are a fixed number each.
 * When VFs are made, all is handed out: each VF gets the same, and the pool of
 * the PF is empty.  To give one VF more, an operator gives another one less
 * first; the difference waits in the pool ("struct virtnet_pool").  Vectors
 * and queue pairs belong together: a pair takes two vectors, and the
 * configuration and the control queue one each, so whoever changes the one
 * number changes the other.
 *
 * Where there is a card, its firmware may have more to give than that: what it
 * tells of ('told_msix') can be had, too, and it refuses what it has not.
 *
 * "modify -n" and "modify -qp" first ask virtnet_pool_check_msix() or
 * virtnet_pool_check_queue_pairs() what the configuration of the VF would be,
 * which changes nothing.  virtnet_controller_apply_config() moves the
 * difference, with virtnet_pool_move(), once the backend has agreed.
 *
 * SFs
 * ===
 *
 * Each device has a scalable function.  "struct virtnet_sf_pool" counts those
 * that are in use, and those that exist and are free: made in advance
 * (sf_pool_percent), or left by VFs that are gone.
 *
 * Nothing here knows devices, settings or backends; all is for the main
 * thread. */

#include <stdbool.h>
#include <stdint.h>

#include "virtnet-device.h"

/* What is left of a PF's vectors and queue pairs for its VFs.  Below zero only
 * while VFs that had taken from the pool come back before those that had given
 * to it. */
struct virtnet_pool {
    long long int msix;         /* Free MSI-X vectors. */
    long long int queue_pairs;  /* Free data queue pairs. */
    unsigned int told_msix;     /* Free ones that firmware tells of, or 0. */
    uint16_t min_msix;          /* What a VF may have. */
    uint16_t max_msix;
    uint16_t min_queue_pairs;
    uint16_t max_queue_pairs;
    uint16_t def_msix;          /* What a VF is born with. */
    uint16_t def_queue_pairs;
};

/* Vectors that go with 'queue_pairs' data queue pairs, and pairs that go with
 * 'msix' vectors if there is a control queue or not. */
uint16_t virtnet_msix_for_queue_pairs(unsigned int queue_pairs);
uint16_t virtnet_queue_pairs_for_msix(unsigned int msix, bool ctrl_vq);

/* Can a driver use a device with 'config'?  A device without queues, or with
 * fewer vectors than a driver needs to load, is there but of no use. */
bool virtnet_config_is_functional(const struct virtnet_device_config *config);

/* Initializes '*pool' as empty.  VFs are born with 'def_msix' vectors, which
 * is brought down to an even number, or, if 'def_queue_pairs' is nonzero, with
 * that many queue pairs, as far as 'def_msix' allows.  None can have more than
 * 'max_queue_pairs'. */
void virtnet_pool_init(struct virtnet_pool *pool, unsigned int def_msix,
                       unsigned int def_queue_pairs,
                       unsigned int max_queue_pairs);

/* No VF can have less than 'min' vectors, nor more than 'max', as long as
 * 'pool' is empty. */
void virtnet_pool_limit_msix(struct virtnet_pool *pool, unsigned int min,
                             unsigned int max);

/* Works out the configuration '*config' of a VF, which has '*config' now, with
 * 'n' vectors or queue pairs instead.  Returns 0, or VIRTNET_E_MSIX_INVALID or
 * VIRTNET_E_QUEUES_INVALID with one line in '*errp', which the caller must
 * free, and leaves '*config' alone.  'pool' does not change. */
int virtnet_pool_check_msix(const struct virtnet_pool *pool,
                            unsigned long long int n,
                            struct virtnet_device_config *config,
                            char **errp);
int virtnet_pool_check_queue_pairs(const struct virtnet_pool *pool,
                                   unsigned long long int n,
                                   struct virtnet_device_config *config,
                                   char **errp);

/* A VF that had 'old' now has 'new': the difference goes to, or comes from,
 * 'pool'. */
void virtnet_pool_move(struct virtnet_pool *pool,
                       const struct virtnet_device_config *old,
                       const struct virtnet_device_config *new);

/* A VF with 'config' has come, or gone.  As many vectors and queue pairs as a
 * VF is born with come and go with it. */
void virtnet_pool_vf_added(struct virtnet_pool *pool,
                           const struct virtnet_device_config *config);
void virtnet_pool_vf_removed(struct virtnet_pool *pool,
                             const struct virtnet_device_config *config);

/* SFs. */

struct virtnet_sf_pool {
    unsigned int total;         /* SFs that there can be; 0: any number. */
    unsigned int target;        /* To be made in advance. */
    unsigned int made;          /* Made in advance so far. */
    unsigned int n_free;        /* That exist and are not in use. */
    unsigned int n_used;        /* Of devices. */
};

/* Initializes '*sp' for a card with 'total' SFs (0: any number), 'percent' of
 * which are to be made in advance.  SFs that exist already stay: those in use
 * and, unless 'destroy', those that are free. */
void virtnet_sf_pool_init(struct virtnet_sf_pool *sp, unsigned int total,
                          unsigned int percent, bool destroy);

/* Are there SFs yet to be made in advance?  Then no device can be made. */
bool virtnet_sf_pool_is_creating(const struct virtnet_sf_pool *sp);

/* One more has been made in advance.  Returns 0, or VIRTNET_E_SF_CREATE if
 * that is one too many: then no more are to be made. */
int virtnet_sf_pool_made_one(struct virtnet_sf_pool *sp);

/* No more are to be made in advance. */
void virtnet_sf_pool_stop(struct virtnet_sf_pool *sp);

/* How many devices can still be made. */
unsigned int virtnet_sf_pool_room(const struct virtnet_sf_pool *sp);

/* Takes an SF, free or new, for a device.  Returns 0, VIRTNET_E_SF_CREATE if
 * there is none, or, unless the device is one that comes 'back' at start,
 * VIRTNET_E_SF_POOL_BUSY. */
int virtnet_sf_pool_take(struct virtnet_sf_pool *sp, bool back);

/* The device that had an SF is gone.  With 'keep' the SF stays, free. */
void virtnet_sf_pool_give(struct virtnet_sf_pool *sp, bool keep);

#endif /* virtnet-pool.h */
