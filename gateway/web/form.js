/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report form, better with scripts: it is sent in the background, so that nothing typed or
 * chosen is lost when something must be mended; photos are shown and can be removed; the counter
 * counts. Words come from the page; what is plainly missing is told before anything is sent, the
 * rest by the server.
 */
'use strict';
(function () {
  const form = document.getElementById('report');
  const byId = function (id) {
    return document.getElementById(id);
  };
  const problems = byId('problems');
  form.noValidate = true; /* the server's messages are better than the browser's */

  /* --- Counter --- */
  const story = byId('story');
  const count = byId('story-count');
  let announce;
  function storyMissing() {
    return Number(count.dataset.min) - Array.from(story.value.trim()).length;
  }
  function showCount() {
    const missing = storyMissing();
    const length = Number(count.dataset.min) - missing;
    count.textContent = missing > 0 ? count.dataset.more.replace('{n}', missing)
      : count.dataset.enough.replace('{n}', length);
    count.classList.toggle('enough', missing <= 0);
    clearTimeout(announce); /* screen readers hear it once the typing rests */
    announce = setTimeout(function () {
      if (story.isConnected) byId('story-status').textContent = count.textContent;
    }, 1500);
  }
  story.addEventListener('input', showCount);
  showCount();

  /* --- Photos --- */
  const input = byId('attachments');
  const list = byId('photos');
  let photos = [];

  function isPhoto(file) {
    return /^image\/(jpeg|png|webp|hei[cf])$/.test(file.type) || /\.hei[cf]$/i.test(file.name);
  }

  function sizeOf(file) {
    const large = file.size >= 1048576;
    const number = large ? file.size / 1048576 : Math.max(file.size / 1024, 1);
    return number.toLocaleString(document.documentElement.lang,
      {maximumFractionDigits: large ? 1 : 0}) + (large ? ' MB' : ' KB');
  }

  /* Drawn on a canvas rather than linked: no copy of the photo gets an address. */
  function preview(file, canvas) {
    if (!window.createImageBitmap) return;
    createImageBitmap(file).then(function (image) {
      canvas.height = Math.round(canvas.width * image.height / image.width);
      canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
      image.close();
    }, function () { /* HEIC: most browsers cannot show it */ });
  }

  function showPhoto(file, at) {
    const n = at + 1;
    const item = document.createElement('li');
    const canvas = document.createElement('canvas');
    const label = document.createElement('span');
    const button = document.createElement('button');
    canvas.width = 320;
    canvas.height = 210;
    canvas.setAttribute('aria-hidden', 'true');
    label.textContent = input.dataset.item.replace('{n}', n)
      .replace('{size}', sizeOf(file));
    button.type = 'button';
    button.textContent = input.dataset.remove.replace('{n}', n);
    button.addEventListener('click', function () {
      photos.splice(at, 1);
      showPhotos();
      (list.querySelectorAll('button')[at] || input).focus();
    });
    item.append(canvas, label, button);
    list.append(item);
    preview(file, canvas);
  }

  /* The field itself holds the files, so that sending without scripts would send the same. */
  function showPhotos() {
    const transfer = new DataTransfer();
    list.textContent = '';
    photos.forEach(function (file, at) {
      transfer.items.add(file);
      showPhoto(file, at);
    });
    input.files = transfer.files;
  }

  function addPhoto(file) {
    const same = photos.some(function (other) {
      return other.name === file.name && other.size === file.size &&
        other.lastModified === file.lastModified;
    });
    if (same) return '';
    if (!isPhoto(file)) return input.dataset.wrong;
    if (file.size > Number(input.dataset.bytes)) return input.dataset.large;
    if (photos.length >= Number(input.dataset.max)) return input.dataset.many;
    photos.push(file);
    return '';
  }

  input.addEventListener('change', function () {
    const messages = Array.from(input.files).map(addPhoto);
    const shown = messages.filter(function (text, at) {
      return text && messages.indexOf(text) === at;
    });
    byId('attachments-error').textContent = shown.join(' ');
    showPhotos();
  });

  /* --- Location, only when asked for --- */
  const lat = byId('lat');
  const lon = byId('lon');
  const geoStatus = byId('geo-status');
  function showPoint() {
    const known = lat.value !== '' && lon.value !== '';
    byId('geo-point').textContent = known ? lat.value + ', ' + lon.value : '';
    byId('geo-found').hidden = !known;
  }
  if (navigator.geolocation && window.isSecureContext) {
    byId('geo-ask').addEventListener('click', function () {
      geoStatus.textContent = geoStatus.dataset.asking;
      navigator.geolocation.getCurrentPosition(function (position) {
        lat.value = position.coords.latitude.toFixed(5);
        lon.value = position.coords.longitude.toFixed(5);
        geoStatus.textContent = '';
        showPoint();
      }, function () {
        geoStatus.textContent = geoStatus.dataset.denied;
      }, {enableHighAccuracy: true, timeout: 15000, maximumAge: 60000});
    });
    byId('geo-remove').addEventListener('click', function () {
      lat.value = lon.value = '';
      showPoint();
      byId('geo-ask').focus();
    });
    showPoint();
  } else {
    byId('geo').hidden = true;
  }

  /* --- Sending --- */
  const button = form.querySelector('button[type=submit]');
  const sending = byId('sending');
  let busy = false;

  function rest() {
    busy = false;
    button.removeAttribute('aria-disabled');
    sending.textContent = '';
  }

  function say(text) {
    problems.textContent = '';
    const line = document.createElement('p');
    line.textContent = text;
    problems.append(line);
    problems.focus();
  }

  /* Writes each field's message beside it; message(id) gives it, "" for none. */
  function showMessages(message) {
    form.querySelectorAll('.error').forEach(function (slot) {
      const field = byId(slot.id.replace('-error', ''));
      slot.textContent = message(slot.id);
      if (field && slot.textContent) field.setAttribute('aria-invalid', 'true');
      else if (field) field.removeAttribute('aria-invalid');
    });
    problems.focus();
  }

  /* Takes the messages over from the page the server made of the refused form. */
  function showProblems(page) {
    problems.replaceChildren(...page.getElementById('problems').childNodes);
    showMessages(function (id) {
      const other = page.getElementById(id);
      return other ? other.textContent : '';
    });
  }

  function isMissing(field) {
    return field === story ? storyMissing() > 0 : !field.value.trim();
  }

  function showMissing(fields) {
    const title = document.createElement('h2');
    const items = document.createElement('ul');
    title.textContent = form.dataset.title;
    fields.forEach(function (field) {
      const item = document.createElement('li');
      const link = document.createElement('a');
      link.href = '#' + field.id;
      link.textContent = field.dataset.label + ': ' + field.dataset.missing;
      item.append(link);
      items.append(item);
    });
    problems.replaceChildren(title, items);
    showMessages(function (id) {
      const field = fields.find(function (other) {
        return other.id + '-error' === id;
      });
      return field ? field.dataset.missing : '';
    });
  }

  function showReceipt(page) {
    document.title = page.title;
    byId('main').replaceWith(page.getElementById('main'));
    document.querySelectorAll('header .lang').forEach(function (link) {
      link.remove();
    });
    window.scrollTo(0, 0);
    document.querySelector('main h1').focus();
  }

  function show(response, text) {
    const page = new DOMParser().parseFromString(text, 'text/html');
    if (response.ok && page.querySelector('[data-receipt]')) showReceipt(page);
    else if (page.getElementById('problems')) showProblems(page);
    else say(response.status === 413 ? form.dataset.large : form.dataset.busy);
  }

  form.addEventListener('submit', function (event) {
    event.preventDefault();
    if (busy) return;
    const missing = Array.from(form.querySelectorAll('[data-missing]')).filter(isMissing);
    if (missing.length) {
      showMissing(missing);
      return;
    }
    busy = true;
    button.setAttribute('aria-disabled', 'true');
    sending.textContent = sending.dataset.sending;
    fetch(form.action, {
      method: 'POST',
      body: new FormData(form),
      headers: {Accept: 'text/html'},
    }).then(function (response) {
      return response.text().then(function (text) {
        rest();
        show(response, text);
      });
    }).catch(function () {
      rest();
      say(form.dataset.offline);
    });
  });
})();
