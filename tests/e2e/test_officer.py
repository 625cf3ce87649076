# SPDX-License-Identifier: Apache-2.0
"""The officers' pages in a real browser: signing in, the list, a ticket, its states, the password."""

import base64
import urllib.parse
import uuid

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from product import STORY, wait_until
from test_web import (CONTRAST, PAGE_WEIGHT_MAX, PHONE, console_errors, find, png, put,
                      requested_urls, set_width, start_browser, until, wait_for)

AGENCY = "Suku Dinas Bina Marga"
ANSWER = "Lubang ditambal hari ini.\nTerima kasih <b>atas</b> laporan Anda."
LABEL_PRIVATE = ("Laporan bersifat privasi. Jangan berikan informasi dalam laporan ini kepada "
                 "siapapun")
LABEL_PUBLIC = "Jangan berikan informasi dalam laporan ini kepada siapapun"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("officer"), True)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def reports(product, tmp_path_factory):
    """A private and a public report, each with a photo: {"private": (id, pin), "public": ...}."""
    photo = png(tmp_path_factory.mktemp("photo") / "a.png")
    with open(photo, "rb") as file:
        data = base64.b64encode(file.read()).decode()
    made = {}
    for visibility in ("private", "public"):
        answer = product.submit(
            client_key=uuid.uuid4().hex, visibility=visibility, name="Warga Contoh",
            contact="warga@example.org",
            attachments=[{"name": "a.png", "media_type": "image/png", "data": data}])
        assert answer.status == 201, answer.body
        made[visibility] = (answer.json()["id"], answer.json()["pin"])
    wait_until(lambda: not any(product.counts()[key] for key in ("core_waiting", "core_leased")),
               "both are forwarded")
    return made


@pytest.fixture
def officer(product, driver, reports):
    """The browser, signed in and at the list, its logs emptied."""
    set_width(driver, 1280)
    driver.get(product.staff_url + "/")
    if driver.find_elements(By.ID, "password"):
        sign_in(driver, product.officer())
    wait_for(driver, ".tickets li")
    driver.get_log("browser")
    driver.get_log("performance")
    return driver


def sign_in(driver, password, name="petugas"):
    put(driver, "name", name)
    put(driver, "password", password)
    find(driver, "main button").click()


def open_ticket(driver, product, visibility):
    """From the list; gives the ticket's path."""
    driver.get(product.staff_url + "/")
    word = {"private": "Privat/Rahasia", "public": "Publik/Terbuka"}[visibility]
    item = next(item for item in driver.find_elements(By.CSS_SELECTOR, ".tickets li")
                if word in item.text)
    item.find_element(By.TAG_NAME, "a").click()
    wait_for(driver, "#ticket-state")
    return urllib.parse.urlsplit(driver.current_url).path


def change(driver, state, agency="", answer=""):
    Select(find(driver, "#to")).select_by_value(state)
    put(driver, "agency", agency)
    put(driver, "answer", answer)
    find(driver, "form[action*='/state'] button").click()
    until(driver, lambda d: find(d, "#ticket-state").text == state)


def test_signing_in(product, driver, reports):
    driver.get(product.staff_url + "/")
    assert urllib.parse.urlsplit(driver.current_url).path == "/login"
    sign_in(driver, "not the password")
    assert wait_for(driver, ".problems").text == "Nama atau kata sandi salah."
    assert driver.find_element(By.ID, "password").get_attribute("value") == ""
    sign_in(driver, product.officer())
    assert len(wait_for(driver, ".tickets").find_elements(By.TAG_NAME, "li")) == 2
    find(driver, ".leave button").click()
    wait_for(driver, "#password")
    driver.get(product.staff_url + "/")
    assert driver.find_elements(By.ID, "password"), "signed out means signed out"


def test_list(product, officer):
    text = find(officer, ".tickets").text
    assert text.count("Jalan rusak") == 2 and text.count("Menunggu") == 2
    assert STORY[:40] in text and "Pondok Bambu" in text
    assert not officer.find_elements(By.CSS_SELECTOR, ".pager"), "one page needs no pager"
    Select(find(officer, "#state")).select_by_value("Ditolak")
    find(officer, ".filter button").click()
    until(officer, lambda d: "Tidak ada laporan." in find(d, "main").text)
    assert Select(find(officer, "#state")).first_selected_option.text == "Ditolak"


def test_private_ticket(product, officer, reports):
    open_ticket(officer, product, "private")
    page = officer.page_source
    assert find(officer, ".label").text == LABEL_PRIVATE
    assert STORY in find(officer, ".facts").text
    assert "Foto dirahasiakan" in page and not officer.find_elements(By.CSS_SELECTOR, ".evidence img")
    for secret in ("Warga Contoh", "warga@example.org", reports["private"][0],
                   reports["private"][0].replace("-", "")):
        assert secret not in page


def test_states_are_followed_by_tracking(product, officer, reports):
    report_id, pin = reports["public"]
    path = open_ticket(officer, product, "public")
    assert find(officer, ".label").text == LABEL_PUBLIC
    image = find(officer, ".evidence img")
    until(officer, lambda d: d.execute_script("return arguments[0].naturalWidth", image) == 40)
    assert Select(find(officer, "#to")).first_selected_option.get_attribute("value") == ""
    change(officer, "Proses", AGENCY)
    assert "Perubahan tersimpan" in find(officer, "[role=status]").text
    change(officer, "Menunggu Validasi")
    change(officer, "Selesai", AGENCY, ANSWER)
    assert not officer.find_elements(By.ID, "to"), "done is done"
    history = [item.text for item in officer.find_elements(By.CSS_SELECTOR, ".timeline li")]
    assert [item.splitlines()[1] for item in history] == ["Selesai", "Menunggu Validasi", "Proses"]
    assert all("Petugas: petugas" in item for item in history)
    assert path == urllib.parse.urlsplit(officer.current_url).path

    wait_until(lambda: product.track(report_id).json()["state"] == "Selesai", "tracking follows")
    officer.get(product.url + "/track")
    put(officer, "id", report_id)
    find(officer, "#track button").click()
    assert wait_for(officer, ".badge").text.endswith("Selesai")
    shown = find(officer, "main").text
    assert ANSWER in shown and AGENCY in shown and "Petugas: petugas" not in shown
    assert STORY[:40] not in shown
    put(officer, "pin", pin)
    find(officer, "main form button").click()
    assert STORY in wait_for(officer, ".own").text


def test_a_change_made_meanwhile_is_not_overwritten(product, officer):
    path = open_ticket(officer, product, "private")
    first = officer.current_window_handle
    officer.switch_to.new_window("tab")
    officer.get(product.staff_url + path)
    change(officer, "Koordinasi", AGENCY)
    officer.close()
    officer.switch_to.window(first)
    Select(find(officer, "#to")).select_by_value("Proses")
    find(officer, "form[action*='/state'] button").click()
    assert "Petugas lain sudah mengubah" in wait_for(officer, ".problems").text
    assert find(officer, "#ticket-state").text == "Koordinasi"


def test_language_stays(product, officer):
    find(officer, "header .lang").click()
    wait_for(officer, "html[lang=en]")
    find(officer, ".filter button").click()
    until(officer, lambda d: "state=" in d.current_url)
    assert find(officer, "html").get_attribute("lang") == "en"
    officer.find_elements(By.CSS_SELECTOR, ".tickets a")[0].click()
    wait_for(officer, "#ticket-state")
    assert find(officer, "h1").text == "Damaged roads"
    assert find(officer, ".label strong").get_attribute("lang") == "id"


def test_password(product, officer):
    officer.get(product.staff_url + "/password")
    put(officer, "old", "not the password")
    put(officer, "new", "sebuah kalimat yang panjang")
    find(officer, "main button").click()
    assert wait_for(officer, ".problems").text == "Kata sandi sekarang salah."


def pages_of(driver, product):
    """Opens each page in turn, signed in."""
    for visibility in ("private", "public"):
        open_ticket(driver, product, visibility)
        yield visibility
    for path in ("/", "/?state=Ditolak", "/password", "/nowhere"):
        driver.get(product.staff_url + path)
        yield path


def test_phone_width_and_labels(product, officer):
    set_width(officer, PHONE)
    for page in pages_of(officer, product):
        width = officer.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE, page
        nameless = officer.execute_script("""
            return Array.from(document.querySelectorAll('input, select, textarea'))
              .filter(f => f.type !== 'hidden' && !f.closest('[aria-hidden]'))
              .filter(f => !(f.labels.length && f.labels[0].textContent.trim()))
              .map(f => f.name)""")
        assert nameless == [], page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(product, officer, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    officer.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        for page in pages_of(officer, product):
            assert officer.execute_script(CONTRAST) == [], page
    finally:
        officer.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_own_host_no_errors_light(product, officer):
    officer.get(product.staff_url + "/")
    open_ticket(officer, product, "public")
    assert console_errors(officer) == []
    hosts = {urllib.parse.urlsplit(url).netloc for url in requested_urls(officer)
             if url.startswith("http")}
    assert hosts == {urllib.parse.urlsplit(product.staff_url).netloc}
    weight = officer.execute_script("""
        return performance.getEntriesByType('resource').concat(
            performance.getEntriesByType('navigation'))
          .filter(e => !e.name.includes('/photo/'))
          .reduce((sum, e) => sum + e.decodedBodySize, 0)""")
    assert 0 < weight <= PAGE_WEIGHT_MAX
