/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the rows/s of the bare loop. Usage: bench_bare FOLDER ROWS BYTES */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bare.h"

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_bare FOLDER ROWS BYTES\n");
        return 2;
    }
    size_t rows = strtoull(argv[2], NULL, 10);
    double took = bare_seconds(argv[1], rows, strtoull(argv[3], NULL, 10));
    if (took <= 0)
        return 1;
    printf("%.0f\n", (double)rows / took);
    return 0;
}
