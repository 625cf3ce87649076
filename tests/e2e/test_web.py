# SPDX-License-Identifier: Apache-2.0
"""The citizen's side in a real browser: form, receipt, tracking, with and without JavaScript."""

import base64
import json
import re
import struct
import urllib.parse
import uuid
import zlib

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from product import STORY, request

WAIT_S = 60
PAGE_WEIGHT_MAX = 60 * 1024
PHONE = 360
ID = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--lang=id"]


def png(path, width=40, height=30):
    """A small real photo: grey, without metadata."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + b"\x80" * width * 3 for _ in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return str(path)


def start_browser(profile, scripts):
    options = Options()
    for flag in FLAGS + [f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    preferences = {"intl.accept_languages": "id"}
    if not scripts:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("scripted"), True)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("plain"), False)
    yield driver
    driver.quit()


@pytest.fixture
def browser(scripted):
    """The scripting browser, its logs emptied and its window as wide as a desktop's."""
    scripted.get("about:blank")
    scripted.get_log("browser")
    scripted.get_log("performance")
    set_width(scripted, 1280)
    return scripted


@pytest.fixture(params=["scripted", "plain"])
def either(request):
    return request.getfixturevalue(request.param)


def set_width(driver, width):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500})


def find(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def until(driver, check):
    """Polls; an element of a page that is going is no answer."""
    return WebDriverWait(driver, WAIT_S, ignored_exceptions=[WebDriverException]).until(check)


def wait_for(driver, selector):
    return until(driver, lambda d: d.find_elements(By.CSS_SELECTOR, selector))[0]


def put(driver, field, text):
    element = driver.find_element(By.ID, field)
    element.clear()
    element.send_keys(text)


def fill_form(driver, url, story=STORY, photos=()):
    driver.get(url + "/")
    put(driver, "story", story)
    Select(driver.find_element(By.ID, "category")).select_by_value("jalan")
    put(driver, "location", "Jl. Contoh Raya No. 1, RT 003/05, Pondok Bambu")
    put(driver, "additional", "Sudah pernah dilaporkan.")
    if photos:
        driver.find_element(By.ID, "attachments").send_keys("\n".join(photos))


def send(driver):
    find(driver, "#report button[type=submit]").click()


def receipt(driver):
    report_id = wait_for(driver, "#receipt-id").text
    pin = find(driver, "#receipt-pin").text
    assert ID.fullmatch(report_id) and re.fullmatch(r"\d{6}", pin)
    return report_id, pin


def make_report(product, **fields):
    made = product.submit(client_key=uuid.uuid4().hex, **fields)
    assert made.status == 201, made.body
    return made.json()["id"], made.json()["pin"]


def track(driver, url, report_id, pin=""):
    driver.get(url + "/track")
    put(driver, "id", report_id)
    put(driver, "pin", pin)
    find(driver, "#track button").click()


def console_errors(driver):
    return [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def requested_urls(driver):
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


# --- The form ---

def test_report_and_receipt(product, either, tmp_path):
    fill_form(either, product.url, photos=[png(tmp_path / "a.png"), png(tmp_path / "b.png")])
    assert find(either, "[name=visibility][value=private]").is_selected()
    send(either)
    report_id, pin = receipt(either)
    assert report_id not in either.current_url and pin not in either.current_url
    assert "Catat sekarang" in find(either, ".warning").text
    find(either, "form[data-leave] button").click()
    own = wait_for(either, ".own").text
    assert STORY in own and "Jalan rusak" in own and "Privat/Rahasia" in own
    assert find(either, ".state .code").text == report_id
    known = product.track(report_id, pin).json()
    assert known["story"] == STORY and known["attachments"] == 2
    assert known["additional"] == "Sudah pernah dilaporkan."


def test_nothing_but_our_own_host_and_no_console_errors(product, browser, tmp_path):
    fill_form(browser, product.url, photos=[png(tmp_path / "a.png")])
    send(browser)
    report_id, pin = receipt(browser)
    track(browser, product.url, report_id, pin)
    wait_for(browser, ".own")
    assert console_errors(browser) == []
    hosts = {urllib.parse.urlsplit(url).netloc for url in requested_urls(browser)
             if url.startswith("http")}
    assert hosts == {urllib.parse.urlsplit(product.url).netloc}


def test_counter_counts(product, browser):
    browser.get(product.url + "/")
    count = browser.find_element(By.ID, "story-count")
    assert count.text == "150 karakter lagi"
    put(browser, "story", "a" * 149)
    assert count.text == "1 karakter lagi"
    browser.find_element(By.ID, "story").send_keys("  ")
    assert count.text == "1 karakter lagi"
    browser.find_element(By.ID, "story").send_keys("b")
    assert "sudah cukup" in count.text


def test_photos_can_be_seen_and_removed(product, browser, tmp_path):
    browser.get(product.url + "/")
    field = browser.find_element(By.ID, "attachments")
    field.send_keys("\n".join(png(tmp_path / f"{n}.png", 40 + n) for n in range(4)))
    assert len(browser.find_elements(By.CSS_SELECTOR, "#photos canvas")) == 4
    browser.find_elements(By.CSS_SELECTOR, "#photos button")[1].click()
    assert len(browser.find_elements(By.CSS_SELECTOR, "#photos li")) == 3
    assert browser.switch_to.active_element.text == "Hapus foto 2"
    (tmp_path / "note.txt").write_text("no photo")
    field.send_keys(str(tmp_path / "note.txt"))
    assert "bukan foto" in browser.find_element(By.ID, "attachments-error").text
    field.send_keys("\n".join(png(tmp_path / f"m{n}.png", 60 + n) for n in range(3)))
    assert "Paling banyak 5 foto" in browser.find_element(By.ID, "attachments-error").text
    assert browser.execute_script(
        "return document.getElementById('attachments').files.length") == 5


def test_location_only_when_asked_for(product, browser):
    browser.execute_cdp_cmd("Browser.grantPermissions", {
        "origin": product.url, "permissions": ["geolocation"]})
    browser.execute_cdp_cmd("Emulation.setGeolocationOverride", {
        "latitude": -6.2146218, "longitude": 106.8451311, "accuracy": 10})
    browser.get(product.url + "/")
    assert browser.find_element(By.ID, "lat").get_attribute("value") == ""
    browser.find_element(By.ID, "geo-ask").click()
    until(browser, lambda d: d.find_element(By.ID, "geo-point").text == "-6.21462, 106.84513")
    browser.find_element(By.ID, "geo-remove").click()
    assert browser.find_element(By.ID, "lat").get_attribute("value") == ""
    assert not browser.find_element(By.ID, "geo-found").is_displayed()


# --- Errors ---

def focused(driver):
    return driver.switch_to.active_element.get_attribute("id")


def check_errors(driver):
    assert wait_for(driver, "#problems h2").text == "Ada yang perlu diperbaiki"
    links = {link.get_attribute("href").split("#")[1]
             for link in driver.find_elements(By.CSS_SELECTOR, "#problems a")}
    assert links == {"story"}
    story = driver.find_element(By.ID, "story")
    assert story.get_attribute("aria-invalid") == "true"
    assert "story-error" in story.get_attribute("aria-describedby").split()
    assert "150 karakter" in driver.find_element(By.ID, "story-error").text
    assert driver.find_element(By.ID, "location").get_attribute("value").startswith("Jl. Contoh")
    assert driver.find_element(By.ID, "additional").get_attribute("value").startswith("Sudah")
    assert Select(driver.find_element(By.ID, "category")).first_selected_option.get_attribute(
        "value") == "jalan"
    assert driver.find_element(By.ID, "problems").get_attribute("role") == "alert"
    assert focused(driver) == "problems"


def test_what_is_missing_is_told_before_sending(product, browser):
    fill_form(browser, product.url, story="Terlalu pendek")
    browser.get_log("performance")
    send(browser)
    check_errors(browser)
    assert list(requested_urls(browser)) == []
    put(browser, "story", STORY)
    browser.find_element(By.ID, "location").clear()
    send(browser)
    links = browser.find_elements(By.CSS_SELECTOR, "#problems a")
    assert [link.get_attribute("href").split("#")[1] for link in links] == ["location"]
    assert browser.find_element(By.ID, "story-error").text == ""
    links[0].click()
    assert focused(browser) == "location"


def test_errors_keep_everything_with_scripts_photos_too(product, browser, tmp_path):
    fill_form(browser, product.url, photos=[png(tmp_path / "a.png")])
    put(browser, "contact", "bukan <b>alamat</b>")
    send(browser)
    assert "alamat email" in wait_for(browser, "#problems a").text
    assert focused(browser) == "problems"
    assert browser.find_element(By.ID, "contact").get_attribute("aria-invalid") == "true"
    assert "alamat email" in browser.find_element(By.ID, "contact-error").text
    assert browser.find_element(By.ID, "contact").get_attribute("value") == "bukan <b>alamat</b>"
    assert browser.find_element(By.ID, "story").get_attribute("value") == STORY
    assert len(browser.find_elements(By.CSS_SELECTOR, "#photos li")) == 1
    put(browser, "contact", "warga@example.org")
    send(browser)
    report_id, pin = receipt(browser)
    assert product.track(report_id, pin).json()["attachments"] == 1


def test_errors_keep_what_was_typed_without_scripts(product, plain):
    # Long enough for the browser's own check, not for the server's: it counts without the spaces.
    fill_form(plain, product.url, story="Terlalu <b>pendek</b>" + " " * 160)
    send(plain)
    check_errors(plain)
    assert "pilih sekali lagi" in plain.find_element(By.ID, "problems").text
    assert plain.find_element(By.ID, "story").get_attribute("value").startswith("Terlalu <b>")
    put(plain, "story", STORY)
    send(plain)
    receipt(plain)


def test_lost_connection_loses_nothing(product, browser):
    fill_form(browser, product.url)
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", {
        "offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
    send(browser)
    until(browser, lambda d: "sambungan terputus" in d.find_element(By.ID, "problems").text)
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", {
        "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
    assert browser.find_element(By.ID, "story").get_attribute("value") == STORY
    send(browser)
    receipt(browser)


def test_sent_twice_is_one_report(product):
    page = request(product.url + "/", headers={"Accept": "text/html"}).body.decode()
    key = re.search(r'name="client_key" value="(\w+)"', page).group(1)
    body = urllib.parse.urlencode({
        "client_key": key, "visibility": "private", "story": STORY, "category": "jalan",
        "location": "Jl. Contoh Raya No. 1", "additional": "", "date": "", "lat": "", "lon": "",
        "name": "", "contact": ""}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    first = request(product.url + "/reports", data=body, headers=form)
    second = request(product.url + "/reports", data=body, headers=form)
    assert (first.status, second.status) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["track_url"].endswith("/track#" + first.json()["id"])


def test_largest_form(product, tmp_path):
    """Five photos of 6 MiB each, as JSON: through HTTP, worker, vault's envelope and queue."""
    with open(png(tmp_path / "a.png"), "rb") as file:
        photo = file.read()
    photo = base64.b64encode(photo.ljust(6 * 1024 * 1024, b"\0")).decode()
    answer = product.submit(attachments=[{"name": f"{n}.png", "data": photo} for n in range(5)])
    assert answer.status == 201
    assert answer.json()["track_url"] == f"{product.url}/track#{answer.json()['id']}"
    attachments = product.report(answer.json()["id"].replace("-", ""))["attachments"]
    assert [attachment["width"] > 0 for attachment in attachments] == 5 * [True]


# --- Reach ---

def press(driver, *keys):
    """To whatever has the focus, as a keyboard does."""
    ActionChains(driver).send_keys(*keys).perform()


def tab_to(driver, wanted, most=60):
    for _ in range(most):
        if focused(driver) == wanted:
            return
        press(driver, Keys.TAB)
    raise AssertionError(f"'{wanted}' cannot be reached by Tab")


def test_keyboard_alone(product, browser):
    browser.get(product.url + "/")
    press(browser, Keys.TAB)
    first = browser.switch_to.active_element
    assert first.get_attribute("class") == "skip" and first.is_displayed()
    tab_to(browser, "visibility")
    tab_to(browser, "story")
    outline = browser.execute_script(
        "const s = getComputedStyle(document.activeElement); return s.outlineStyle + s.outlineWidth")
    assert outline == "solid3px"
    press(browser, STORY)
    tab_to(browser, "category")
    press(browser, "Jalan rusak")
    tab_to(browser, "location")
    press(browser, "Jl. Contoh Raya No. 1")
    tab_to(browser, "no_reply")
    press(browser, Keys.SPACE)
    press(browser, Keys.TAB)
    press(browser, Keys.ENTER)
    receipt(browser)
    assert browser.switch_to.active_element.tag_name == "h1"


def test_every_field_has_a_label(product, browser):
    for path in ("/", "/track"):
        browser.get(product.url + path)
        nameless = browser.execute_script("""
            return Array.from(document.querySelectorAll('input, select, textarea'))
              .filter(f => f.type !== 'hidden' && !(f.labels.length && f.labels[0].textContent.trim()))
              .map(f => f.name)""")
        assert nameless == []
        dangling = browser.execute_script("""
            return Array.from(document.querySelectorAll('[aria-describedby]'))
              .flatMap(f => f.getAttribute('aria-describedby').split(' '))
              .filter(id => !document.getElementById(id))""")
        assert dangling == []


def pages_of(driver, product):
    """Opens each page in turn."""
    report_id, pin = make_report(product)
    for path in ("/", "/track", "/nowhere"):
        driver.get(product.url + path)
        yield path
    fill_form(driver, product.url, story="Pendek")
    send(driver)
    wait_for(driver, "#problems h2")
    yield "errors"
    put(driver, "story", STORY)
    send(driver)
    receipt(driver)
    yield "receipt"
    track(driver, product.url, report_id, pin)
    wait_for(driver, ".own")
    yield "result"


def test_no_sideways_scrolling_on_a_phone(product, browser):
    set_width(browser, PHONE)
    for page in pages_of(browser, product):
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE, page


CONTRAST = """
const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4))
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const ground = e => {
  for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) {
  const e = node.parentElement, style = getComputedStyle(e);
  if (!node.textContent.trim() || !e.checkVisibility() || e.tagName === 'OPTION') continue;
  const a = light(rgb(style.color)), b = light(ground(e));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) poor.push(ratio.toFixed(2) + ' ' + node.textContent.trim());
}
return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(product, browser, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        for page in pages_of(browser, product):
            assert browser.execute_script(CONTRAST) == [], page
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_page_weight(product):
    def fetch(path):
        answer = request(product.url + path, headers={"Accept": "text/html"})
        assert answer.status == 200
        return answer.body
    page = fetch("/")
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.decode()))
    assert len(files) == 4
    assert len(page) + sum(len(fetch(path)) for path in files) <= PAGE_WEIGHT_MAX


def test_languages(product, browser):
    browser.get(product.url + "/")
    assert find(browser, "html").get_attribute("lang") == "id"
    find(browser, "header .lang").click()
    wait_for(browser, "html[lang=en]")
    fill_story = "Too short"
    put(browser, "story", fill_story)
    Select(browser.find_element(By.ID, "category")).select_by_value("jalan")
    put(browser, "location", "Jl. Contoh Raya No. 1")
    send(browser)
    assert wait_for(browser, "#problems h2").text == "Something needs to be mended"
    put(browser, "story", STORY)
    send(browser)
    receipt(browser)
    assert find(browser, "h1").text == "We have received your report"


# --- Tracking ---

def test_tracking_without_pin_shows_the_state_only(product, either):
    report_id, _ = make_report(product)
    track(either, product.url, report_id.lower().replace("-", " "))
    assert wait_for(either, ".badge").text.endswith("Menunggu")
    text = find(either, "main").text
    assert report_id in text and "Riwayat" in text
    assert STORY[:30] not in text and "Pondok Bambu" not in text
    assert not re.search(r"\d\d[:.]\d\d", text), "no hour and minute"
    assert report_id not in either.current_url


def test_tracking_with_pin_and_adding(product, either):
    report_id, pin = make_report(product)
    track(either, product.url, report_id, pin)
    assert STORY in wait_for(either, ".own").text
    put(either, "text", "Hari ini lubangnya bertambah satu lagi.")
    put(either, "add-pin", "000000" if pin != "000000" else "111111")
    find(either, "form[action^='/track/add'] button").click()
    assert "PIN tidak cocok" in wait_for(either, ".problems").text
    assert either.find_element(By.ID, "text").get_attribute("value").startswith("Hari ini")
    put(either, "add-pin", pin)
    find(either, "form[action^='/track/add'] button").click()
    until(either, lambda d: "Keterangan Anda kami terima" in find(d, "h1").text)


def test_link_with_fragment_fills_the_field(product, browser):
    report_id, _ = make_report(product)
    browser.get(product.url + "/track#" + report_id)
    assert browser.find_element(By.ID, "id").get_attribute("value") == report_id
    assert browser.current_url == product.url + "/track"
    assert focused(browser) == "pin"


def test_wrong_pin_says_so(product, either):
    report_id, pin = make_report(product)
    track(either, product.url, report_id, "000000" if pin != "000000" else "111111")
    assert "PIN tidak cocok" in wait_for(either, ".problems").text
    assert either.find_element(By.ID, "id").get_attribute("value") == report_id


def test_unknown_and_malformed_look_the_same(product):
    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    pages = {request(product.url + "/track", data=f"id={typed}".encode(), headers=form).body
             for typed in ("0000-0000-0000", "ABC", "", "%3Cb%3E", "7KQ3-MXP9-T2FC")}
    assert len(pages) == 1
    answer = request(product.url + "/track", data=b"id=ABC", headers=form)
    assert answer.status == 404 and "Laporan tidak ditemukan" in answer.body.decode()


def test_print(product, browser):
    fill_form(browser, product.url)
    send(browser)
    receipt(browser)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert browser.find_element(By.ID, "receipt-id").is_displayed()
        assert browser.find_element(By.ID, "receipt-pin").is_displayed()
        for selector in ("nav", ".emergency", "footer", "[data-print]", ".noprint"):
            assert not find(browser, selector).is_displayed(), selector
        assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 1000
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
