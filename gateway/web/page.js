/* SPDX-License-Identifier: Apache-2.0 */
/* What every page may use: printing, copying the receipt, and a warning before a receipt is lost. */
'use strict';
document.documentElement.classList.add('js-on');

(function () {
  let kept = false;

  function copy(button) {
    const status = document.querySelector('[data-copy-status]');
    const id = document.getElementById('receipt-id');
    const pin = document.getElementById('receipt-pin');
    const text = button.dataset.labelId + ': ' + id.textContent +
      (pin ? '\n' + button.dataset.labelPin + ': ' + pin.textContent : '');
    const done = function () {
      kept = true;
      status.textContent = button.dataset.done;
    };
    const failed = function () {
      status.textContent = button.dataset.failed;
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, failed);
    else failed();
  }

  document.addEventListener('click', function (event) {
    const button = event.target.closest('[data-print], [data-copy]');
    if (!button) return;
    if ('print' in button.dataset) window.print();
    else copy(button);
  });
  window.addEventListener('afterprint', function () {
    kept = true;
  });
  document.addEventListener('submit', function (event) {
    if ('leave' in event.target.dataset) kept = true;
  });
  window.addEventListener('beforeunload', function (event) {
    if (!kept && document.querySelector('[data-receipt]')) event.preventDefault();
  });
})();
