/* SPDX-License-Identifier: Apache-2.0 */
/* A link to a report carries its number behind "#": it never leaves the browser in an address. */
'use strict';
(function () {
  function fill() {
    const id = document.getElementById('id');
    const number = decodeURIComponent(location.hash.slice(1));
    if (!/^[0-9A-Za-z -]{12,20}$/.test(number)) return;
    id.value = number;
    history.replaceState(null, '', location.pathname + location.search);
    document.getElementById('pin').focus();
  }
  fill();
  window.addEventListener('hashchange', fill);
})();
