"""A person at the screen: Debian's browser, a real Label Studio, and what comes back of it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from labelops.adapters.label_studio import LabelStudioQueue
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.digest import canonical_json
from labelops.schema import Schema
from labelops.testing.label_studio import LabelStudioHands
from labelops.testing.queues import Wish, items_for, plan_for

pytestmark = pytest.mark.server

MOODS = Schema(
    "moods",
    ("glad", "sad & <b>low</b>", 'so "so"', "costs $5"),
    question="How does the writer feel?",
)
SLOW = 300_000
"""Milliseconds to wait for a page: the server shares two cores with everything else."""


@pytest.fixture
def page() -> Iterator[Page]:
    """Open a page in the system's browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("needs a chromium on the path")
    with sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=browser, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = started.new_page(viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(SLOW)
        yield opened
        started.close()


def _log_in(page: Page, url: str, email: str, password: str) -> None:
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda there: "/user/login" not in there)


def test_three_clicked_answers_are_the_next_votes(
    page: Page, label_studio: LabelStudioServer
) -> None:
    """Log in, label three items with the mouse: the next receive has exactly those votes."""
    label_set = f"moods-{secrets.token_hex(4)}"
    url, key = label_studio.url, label_studio.api_key
    queue = LabelStudioQueue(url, key, label_set, key=b"secret")
    hands = LabelStudioHands(url, key, label_set, key=b"secret")
    texts = {
        "a": 'what a day!! <script>alert("x")</script>',
        "b": "line one\n\nline three: it hurts",
        "c": "$text is 5 dollars",
        "d": "nobody gets here",
    }
    wishes = [Wish(i, priority=-n) for n, i in enumerate(texts)]
    queue.send(plan_for(wishes, MOODS), items_for(wishes, texts), MOODS, payloads=None)
    start = queue.receive()
    assert len(start.votes) == 0
    email, password = hands.sign_in("human:mouse")
    hands.close()

    _log_in(page, url, email, password)
    page.goto(f"{url}/projects/")
    page.get_by_text(f"labelops {label_set} · blind").first.click()
    page.get_by_role("button", name="Label All Tasks").click()
    said = {"a": MOODS.classes[1], "b": MOODS.classes[2], "c": MOODS.classes[3]}
    for item_id, answer in said.items():
        first_line = texts[item_id].splitlines()[0]
        expect(page.get_by_text(first_line)).to_be_visible(timeout=SLOW)
        expect(page.get_by_text(MOODS.question)).to_be_visible()
        expect(
            page.locator("input[type=checkbox]:checked, input[type=radio]:checked")
        ).to_have_count(0)
        # Shown with another dollar sign, for Label Studio fills in `$name` from the task.
        page.get_by_text(answer.replace("$", "\uff04")).click()
        page.get_by_test_id("bottombar-submit-button").click()
    expect(page.get_by_text(texts["d"])).to_be_visible(timeout=SLOW)

    votes = queue.receive(start.cursor).votes
    given = zip(votes["item_id"], votes["annotator"], votes["value"], strict=True)
    assert sorted(given) == sorted(
        (item_id, "human:mouse", canonical_json(answer)) for item_id, answer in said.items()
    )
    assert votes["status"].eq("given").all()
    assert not votes["saw_proposal"].any()
    assert (votes["seconds"] > 0).all()


_EDGES = """text => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let node;
    while ((node = walk.nextNode()) && !node.data.includes(text));
    const edge = n => {
        const range = document.createRange();
        range.setStart(node, n);
        range.setEnd(node, n + 1);
        return range.getBoundingClientRect().right;
    };
    return [edge(node.data.indexOf(text)), edge(node.data.indexOf(text) + text.length - 1)];
}"""
"""Where the first and the last character of a text end on the page."""


def test_any_text_can_be_read_and_answered_without_scrolling(
    page: Page, label_studio: LabelStudioServer
) -> None:
    """The classes stay in view below a long text; long words break; each script runs its way."""
    label_set = f"moods-{secrets.token_hex(4)}"
    url, key = label_studio.url, label_studio.api_key
    queue = LabelStudioQueue(url, key, label_set, key=b"secret")
    hands = LabelStudioHands(url, key, label_set, key=b"secret")
    hebrew = "\u05e9\u05dc\u05d5\u05dd!"
    texts = {"a": "a page without end. " * 800, "b": "A" * 900, "c": f"{hebrew}"}
    wishes = [Wish(i, priority=-n) for n, i in enumerate(texts)]
    queue.send(plan_for(wishes, MOODS), items_for(wishes, texts), MOODS, payloads=None)
    email, password = hands.sign_in("human:mouse")
    hands.close()

    _log_in(page, url, email, password)
    page.goto(f"{url}/projects/")
    page.get_by_text(f"labelops {label_set} · blind").first.click()
    page.get_by_role("button", name="Label All Tasks").click()
    for text in texts.values():
        expect(page.get_by_text(text[:60])).to_be_visible(timeout=SLOW)
        answer = page.get_by_text("glad")
        expect(answer).to_be_in_viewport(ratio=1)
        first, last = page.evaluate(_EDGES, text.strip())
        if text == hebrew:
            assert last < first
        assert max(first, last) <= 960  # to the right of it are Label Studio's own panels
        answer.click()
        page.get_by_test_id("bottombar-submit-button").click()
