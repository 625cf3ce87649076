/* SPDX-License-Identifier: Apache-2.0 */
/* The roles the gateway starts itself: started by hand they have no socket and say so. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/command.h"
#include "gateway/process.h"
#include "gateway/vault.h"
#include "gateway/worker_pool.h"

/* Whether the gateway is at the other end of the inherited descriptor. */
static bool roles_started_by_gateway(const char *name)
{
    int type;
    socklen_t len = sizeof type;
    if (getsockopt(PROCESS_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) == 0)
        return true;
    fprintf(stderr, "kanal: '%s' is started by `kanal serve`, not by hand\n", name);
    return false;
}

int command_vault(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "--state") != 0 || !roles_started_by_gateway(argv[0]))
        return COMMAND_USAGE;
    return vault_main(PROCESS_SOCKET, argv[2]);
}

int command_worker(int argc, char **argv)
{
    (void)argc;
    return roles_started_by_gateway(argv[0]) ? worker_main(PROCESS_SOCKET) : COMMAND_USAGE;
}
