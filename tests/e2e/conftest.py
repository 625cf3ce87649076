# SPDX-License-Identifier: Apache-2.0
"""Fixtures every end-to-end test may use."""

import pytest

from product import Product


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """The product on its defaults, shared by one module's tests."""
    running = Product(tmp_path_factory.mktemp("product"))
    yield running
    running.stop()


@pytest.fixture
def own_product(tmp_path):
    """Makes products of the test's own: own_product(extra="[channel ...]")."""
    started = []

    def make(**arguments):
        started.append(Product(tmp_path / f"product{len(started)}", **arguments))
        return started[-1]

    yield make
    for running in started:
        if running.process.poll() is None:
            running.stop()
