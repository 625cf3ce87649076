/* SPDX-License-Identifier: Apache-2.0 */
/* The two functions libFuzzer calls; every fuzz_NAME.c defines them, replay.c calls them too. */
#ifndef KANAL_TESTS_FUZZ_H
#define KANAL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Once, before the first input. Returns 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* One input; aborts when a promise of the code under test is broken. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
