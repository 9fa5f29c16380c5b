"""Staff's pages through the real process: what they show and do, and what they never show."""

import csv
import io
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from desk import PASSWORD, Desk, add_teacher
from proxies import RunningProxy, running_proxy

from swsllm_nb.proxy import accounts
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page.staff_pages import staff_pages
from swsllm_nb.proxy.settings import read_secret
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.work import Work, ask

HOSTILE = "<script>alert(1)</script>"
KEY = re.compile(r"sws-[A-Za-z0-9]{40}")
PASSWORDS = re.compile(r"[a-z0-9]{4}(?:-[a-z0-9]{4}){3}")
PAGE_BYTES = 60_000


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    with running_proxy(tmp_path_factory.mktemp("staff")) as proxy:
        for name in ("Ms Frizzle", "Mr Ruhle"):
            add_teacher(proxy, name)
        yield proxy
        proxy.assert_adds_up()


@pytest.fixture(scope="module")
def frizzle(course: RunningProxy) -> Desk:
    return Desk(course).sign_in("Ms Frizzle")


@pytest.fixture(scope="module")
def ruhle(course: RunningProxy) -> Desk:
    return Desk(course, "de").sign_in("Mr Ruhle")


def account(course: RunningProxy, name: str) -> Account:
    return course.write(lambda: accounts.find(name))


def office(course: RunningProxy, act: Any) -> Any:
    """Whatever an office does, done beside the page."""
    secret = read_secret(course.folder, {})
    return course.ask(lambda store: act(Office(store, secret, "a test")))


def told(desk: Desk) -> str:
    """What the page says, without its markup."""
    main = desk.text.partition("<main")[2].partition("</main>")[0]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main)))


def choose(desk: Desk, act: str, *ids: int) -> str:
    """Ask for an act on accounts; gives the token of the question."""
    desk.get("/staff/accounts")
    answer = desk.post("/staff/act", act=act, account=[str(one) for one in ids])
    assert answer.status_code == 200, told(desk)
    return desk.hidden("token")


def do(desk: Desk, act: str, *ids: int, **fields: Any) -> int:
    token = choose(desk, act, *ids)
    return desk.post("/staff/act/answer", token=token, **fields).status_code


def upload(desk: Desk, text: str, budget: str = "") -> int:
    desk.get("/staff/roster")
    file = {"roster": ("roster.csv", text.encode("utf-8"), "text/csv")}
    return desk.post("/staff/roster", files=file, budget=budget).status_code


def unconfirmed_call(course: RunningProxy, account_id: int, request_id: str, pico: int) -> None:
    """As a process that died leaves one behind."""

    def work() -> Work[None]:
        yield ask(
            "INSERT INTO ledger (kind, account_id, at, request_id, state, model, upstream, stream, "
            "hold_pico, amount_pico, prices, cap_tokens, finished_at) VALUES ('call', $1, "
            "utc_now(), $2, 'unconfirmed', 'gpt-4o-2024-11-20', 'practice', 0, $3, $3, "
            '\'{"input":1,"output":1}\', 10, utc_now())',
            account_id, request_id, pico,
        )  # fmt: skip
        yield ask(
            "UPDATE accounts SET spend_pico = spend_pico + $2 WHERE id = $1", account_id, pico
        )

    course.write(work)


# Who may come here


def test_who_is_not_signed_in_as_staff_sees_and_does_nothing_here(course: RunningProxy) -> None:
    stranger = Desk(course)
    stranger.get("/staff/sign-in")
    csrf = stranger.hidden("csrf")
    for page in staff_pages():
        path = page.path.replace("{number:int}", "1")
        answers = [stranger.get(path)] if "GET" in page.methods else []
        if "POST" in page.methods:
            answers.append(stranger.post(path, csrf=csrf, account="1", act="delete", token="x"))
        for answer in answers:
            assert 'name="password"' in answer.text, path
            assert answer.status_code in (200, 403)


def test_a_student_who_is_signed_in_is_a_stranger_to_staffs_pages(course: RunningProxy) -> None:
    credentials = course.add_account("curious")
    student = Desk(course)
    student.get("/sign-in")
    student.post("/sign-in", name="curious", password=credentials.password)
    student.post(
        "/password",
        password=credentials.password, new_password=PASSWORD, new_password_again=PASSWORD,
    )  # fmt: skip
    assert "curious" in student.text
    for path in ("/staff", "/staff/accounts", "/staff/accounts.csv"):
        assert "/staff/sign-in" in student.get(path).url
        assert "curious" not in student.text


# The list of accounts


def test_accounts_are_found_sorted_and_paged_by_the_address_alone(
    course: RunningProxy, frizzle: Desk
) -> None:
    roster = "username;full name;budget\n" + "".join(
        f"page.{number:02d};{'Zoë' if number % 2 else 'Öde'} {number};{number}.00\n"
        for number in range(60)
    )
    office(course, lambda hand: hand.import_roster(roster.encode(), dry_run=False))
    frizzle.get("/staff/accounts", q="page.", sort="-budget")
    names = re.findall(r">(page\.\d\d)</a>", frizzle.text)
    assert names == [f"page.{number:02d}" for number in range(59, 9, -1)]
    assert "1 to 50 of 60" in told(frizzle)
    assert 'aria-sort="descending"' in frizzle.text
    frizzle.get("/staff/accounts", q="page.", sort="-budget", page="2")
    assert "51 to 60 of 60" in told(frizzle)
    frizzle.get("/staff/accounts", q="ode 7")
    assert re.findall(r">(page\.\d\d)</a>", frizzle.text) == []
    frizzle.get("/staff/accounts", q="ode 8 page")
    names = re.findall(r">(page\.\d\d)</a>", frizzle.text)
    assert names == [f"page.{number}8" for number in range(6)]


def test_an_act_for_all_that_were_found_reaches_those_on_other_pages_and_no_others(
    course: RunningProxy, frizzle: Desk
) -> None:
    roster = "username,budget\n" + "".join(f"many{number},1\n" for number in range(55))
    office(course, lambda hand: hand.import_roster(roster.encode(), dry_run=False))
    other = course.add_account("notthem", "1.00").account.id
    frizzle.get("/staff/accounts", q="many")
    frizzle.post("/staff/act", act="grant", everything="1", q="many", only="")
    assert "55 accounts" in told(frizzle)
    frizzle.post(
        "/staff/act/answer", token=frizzle.hidden("token"), amount="0.50", reason="for all"
    )
    assert "Done for 55 accounts." in told(frizzle)
    assert account(course, "many54").budget_pico == 15 * 10**11
    assert account(course, "notthem").budget_pico == 10**12
    assert account(course, "notthem").id == other


def test_the_list_as_csv_is_what_was_searched_and_no_formula(
    course: RunningProxy, frizzle: Desk, ruhle: Desk
) -> None:
    office(course, lambda hand: hand.add_account("csv.one", "1.25", full_name="=1+1"))
    answer = frizzle.get("/staff/accounts.csv", q="csv.")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), ""))
    assert (row["Full name"], row["Budget ($)"]) == ("'=1+1", "1.25")
    german = ruhle.get("/staff/accounts.csv", q="csv.").content.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(german, ""), delimiter=";")
    assert (row["Voller Name"], row["Budget ($)"]) == ("'=1+1", "1,25")


# Acts


def test_an_act_is_shown_first_and_done_once(course: RunningProxy, frizzle: Desk) -> None:
    ids = [course.add_account(f"once{number}", "1.00").account.id for number in range(2)]
    token = choose(frizzle, "grant", *ids)
    assert "This concerns 2 accounts." in told(frizzle)
    assert account(course, "once0").budget_pico == 10**12
    answers = [
        frizzle.post("/staff/act/answer", token=token, amount="2.50", reason="a project")
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert "Nothing was done just now" in told(frizzle)
    assert account(course, "once1").budget_pico == 35 * 10**11


def test_turning_an_act_down_does_nothing(course: RunningProxy, frizzle: Desk) -> None:
    one = course.add_account("kept").account
    token = choose(frizzle, "delete", one.id)
    frizzle.post("/staff/act/answer", token=token, no="1")
    assert "Nothing was done." in told(frizzle)
    assert frizzle.post("/staff/act/answer", token=token).status_code == 409
    assert account(course, "kept") == one


def test_nobody_confirms_what_another_teacher_was_asked(
    course: RunningProxy, frizzle: Desk, ruhle: Desk
) -> None:
    one = course.add_account("hers").account
    token = choose(frizzle, "delete", one.id)
    ruhle.get("/staff/accounts")
    assert ruhle.post("/staff/act/answer", token=token).status_code == 409
    assert account(course, "hers") == one


def test_an_act_confirmed_after_the_session_ended_is_kept_through_the_sign_in(
    course: RunningProxy,
) -> None:
    one = course.add_account("late", "1.00").account
    add_teacher(course, "Dr Late")
    desk = Desk(course).sign_in("Dr Late")
    typed = {"token": choose(desk, "grant", one.id), "amount": "1", "reason": "late at night"}

    def end_sessions() -> Work[None]:
        yield ask("DELETE FROM sessions WHERE staff_id = (SELECT id FROM staff WHERE name = $1)",
                  "Dr Late")  # fmt: skip

    course.write(end_sessions)
    desk.post("/staff/act/answer", **typed)
    desk.post("/staff/sign-in", name="Dr Late", password=PASSWORD, kept=desk.hidden("kept"))
    assert "Send it again?" in told(desk)
    assert account(course, "late").budget_pico == 10**12
    assert {name: desk.hidden(name) for name in typed} == typed
    desk.post("/staff/act/answer", **typed)
    assert "Done for late." in told(desk)
    assert account(course, "late").budget_pico == 2 * 10**12


def test_what_cannot_be_done_is_told_and_what_was_typed_stays(
    course: RunningProxy, ruhle: Desk
) -> None:
    one = course.add_account("vertippt", "1.00").account
    assert do(ruhle, "grant", one.id, amount="zwei", reason="Ein Grund") == 400
    assert "'zwei' ist kein Betrag in Dollar" in told(ruhle)
    assert 'value="Ein Grund"' in ruhle.text
    ruhle.post("/staff/act/answer", token=ruhle.hidden("token"), amount="2,50", reason="Ein Grund")
    assert account(course, "vertippt").budget_pico == 35 * 10**11


def test_one_account_that_cannot_does_not_stop_the_others(
    course: RunningProxy, frizzle: Desk
) -> None:
    poor = course.add_account("poor", "1.00").account
    rich = course.add_account("rich", "9.00").account
    assert do(frizzle, "grant", poor.id, rich.id, amount="-5", reason="too much") == 200
    assert "Only $1.00 of poor's budget is left" in told(frizzle)
    assert "Done for rich." in told(frizzle)
    assert account(course, "rich").budget_pico == 4 * 10**12


def test_limits_change_where_something_was_said(course: RunningProxy, frizzle: Desk) -> None:
    one = course.add_account("limited").account
    do(
        frizzle, "limit", one.id, per_minute="5", which_models="these",
        model=["gpt-4o-2024-11-20", "o3-mini-2025-01-31"], ends="2030-01-31",
    )  # fmt: skip
    changed = account(course, "limited")
    assert changed.allowed_models == ("gpt-4o-2024-11-20", "o3-mini-2025-01-31")
    assert (changed.per_minute_limit, changed.in_flight_limit) == (5, one.in_flight_limit)
    do(frizzle, "limit", one.id, which_models="all", no_end="1")
    lifted = account(course, "limited")
    assert (lifted.allowed_models, lifted.valid_until) == (None, None)
    assert lifted.per_minute_limit == 5


def test_limits_that_do_not_say_what_is_meant_change_nothing_and_leave_no_trail(
    course: RunningProxy, frizzle: Desk
) -> None:
    one = course.add_account("vague").account
    name = "gpt-4o-2024-11-20"
    do(frizzle, "limit", one.id, which_models="these", model=[name])
    for fields, sentence in (
        ({"which_models": "these"}, "tick one at least"),
        ({"which_models": "", "model": [name]}, "choose 'only these' as well"),
        ({"which_models": ""}, "Nothing to change was stated of the limits"),
    ):
        assert do(frizzle, "limit", one.id, **fields) == 400
        assert sentence in told(frizzle)
    assert account(course, "vague").allowed_models == (name,)
    trail = office(course, lambda hand: hand.audit(account="vague"))
    assert [entry.act for entry in trail] == ["limit", "add_account"]


def test_a_course_with_only_these_models_has_at_least_one(
    course: RunningProxy, frizzle: Desk
) -> None:
    name = "gpt-4o-2024-11-20"
    office(course, lambda hand: hand.set_course(default_models=name))
    frizzle.get("/staff/course")
    was = dict(re.findall(r'name="(was\.\w+)" value="([^"]*)"', frizzle.text))
    form = {**was, **{field.removeprefix("was."): text for field, text in was.items()}}
    assert frizzle.post("/staff/course", **form, which_models="these").status_code == 400
    assert "tick one at least" in told(frizzle)
    assert office(course, lambda hand: hand.course()).default_models == (name,)
    frizzle.post("/staff/course", **form, which_models="all", model=[name])
    assert office(course, lambda hand: hand.course()).default_models is None


def test_a_disabled_key_is_refused_and_an_enabled_one_works(
    course: RunningProxy, frizzle: Desk
) -> None:
    made = course.add_account("switched")
    for act, enabled in (("disable", False), ("enable", True)):
        do(frizzle, act, made.account.id)
        assert account(course, "switched").enabled is enabled


def test_a_deleted_account_names_nobody_any_more(course: RunningProxy, frizzle: Desk) -> None:
    one = office(
        course, lambda hand: hand.add_account("leaver", "1", full_name="Lea Ver", email="l@v.de")
    ).account
    do(frizzle, "delete", one.id)
    frizzle.get(f"/staff/accounts/{one.id}")
    assert not re.search("leaver|Lea|l@v.de", frizzle.text)
    frizzle.get("/staff/accounts", q="lea ver")
    assert "No account was found." in told(frizzle)


# Passwords, once, and keys, never


def test_first_passwords_are_on_one_page_once_and_they_work(
    course: RunningProxy, frizzle: Desk
) -> None:
    one = course.add_account("forgetful").account
    token = choose(frizzle, "reset_passwords", one.id)
    sheet = frizzle.post("/staff/act/answer", token=token)
    (password,) = PASSWORDS.findall(told(frizzle))
    assert sheet.headers["cache-control"] == "no-store"
    assert course.base_url in frizzle.text
    again = frizzle.post("/staff/act/answer", token=token)
    assert again.status_code == 409
    assert password not in again.text
    student = Desk(course)
    student.get("/sign-in")
    student.post("/sign-in", name="forgetful", password=password)
    assert student.session.cookies.get("swsllm-session")


def test_no_page_and_no_sheet_shows_staff_a_students_key(
    course: RunningProxy, frizzle: Desk
) -> None:
    frizzle.get("/staff/add")
    frizzle.post("/staff/add", name="private", budget="1.00")
    shown = [frizzle.text]
    one = account(course, "private")
    keys = [office(course, lambda hand: hand.key_of(one.id))[1]]
    do(frizzle, "renew_keys", one.id)
    shown.append(frizzle.text)
    keys.append(office(course, lambda hand: hand.key_of(one.id))[1])
    assert keys[0] != keys[1]
    assert all(KEY.fullmatch(key) for key in keys)
    paths = [page.path.replace("{number:int}", str(one.id)) for page in staff_pages()]
    shown += [frizzle.get(path).text for path in paths]
    assert [key for key in keys for page in shown if key in page] == []
    assert [page for page in shown if KEY.search(page)] == []


def test_an_account_is_added_with_the_courses_budget_and_refused_in_words(
    course: RunningProxy, frizzle: Desk
) -> None:
    office(course, lambda hand: hand.set_course(default_budget_usd="3.25"))
    frizzle.get("/staff/add")
    frizzle.post("/staff/add", name="newcomer", full_name="New Comer")
    assert PASSWORDS.search(told(frizzle))
    assert account(course, "newcomer").budget_pico == 325 * 10**10
    frizzle.get("/staff/add")
    again = frizzle.post("/staff/add", name="newcomer", full_name="Other")
    assert again.status_code == 400
    assert "There is an account" in told(frizzle)
    assert 'value="Other"' in frizzle.text
    office(course, lambda hand: hand.set_course(default_budget_usd=""))


# A roster


def test_a_roster_is_looked_at_first_then_imported_and_a_second_time_changes_nothing(
    course: RunningProxy, frizzle: Desk
) -> None:
    roster = "Benutzername;Vorname;Nachname\nroster.a;Ada;A\nroster.b;Bo;B\nroster.a;Ada;A\n"
    assert upload(frizzle, roster, budget="2") == 200
    assert "2 accounts would be added" in told(frizzle)
    assert "stands in line 2 already" in told(frizzle)
    token = frizzle.hidden("token")
    frizzle.get("/staff/accounts", q="roster.")
    assert "No account was found." in told(frizzle)
    report = frizzle.post("/staff/roster/answer", token=token, as_sheet="1")
    rows = list(csv.DictReader(io.StringIO(report.content.decode("utf-8-sig"), "")))
    assert [row["Outcome"] for row in rows] == ["added", "added", "refused"]
    frizzle.post("/staff/roster/answer", token=token)
    assert len(PASSWORDS.findall(told(frizzle))) == 2
    assert account(course, "roster.b").full_name == "Bo B"
    assert frizzle.post("/staff/roster/answer", token=token).status_code == 409
    upload(frizzle, roster, budget="2")
    assert "No account would be added." in told(frizzle)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "No file was chosen, or it is empty."),
        ("nothing,known\n1,2\n", "names no column of accounts"),
        ("username\nx\n\0", "The file is no text"),
        ("username\nnobudget\n", "There is no budget for"),
        ("username\n" + "x\n" * 10_001, "at most 10,000 are read at once"),
        (
            "username,budget\n" + "".join(f"crowd{n},1\n" for n in range(2001)),
            "here at most 2 000 are added at once",
        ),
    ],
)
def test_a_file_that_is_no_roster_is_refused_in_a_sentence(
    frizzle: Desk, document: str, sentence: str
) -> None:
    assert upload(frizzle, document) == 400
    assert sentence in told(frizzle)


def test_names_from_a_hostile_roster_are_text_on_every_page_and_in_every_sheet(
    course: RunningProxy, frizzle: Desk
) -> None:
    roster = f'username,full name,email\n{HOSTILE},"=HYPERLINK(""http://x""){HOSTILE}",a@c.de\n'
    roster += "'><img src=x onerror=alert(1)>,{{ 7*7 }}%(x)s,\n"
    upload(frizzle, roster, budget="1")
    shown = [frizzle.text]
    frizzle.post("/staff/roster/answer", token=frizzle.hidden("token"))
    shown.append(frizzle.text)
    one = account(course, HOSTILE)
    shown.append(frizzle.get("/staff/accounts", q="script").text)
    shown.append(frizzle.get(f"/staff/accounts/{one.id}").text)
    choose(frizzle, "grant", one.id, account(course, "'><img src=x onerror=alert(1)>").id)
    shown += [frizzle.text, frizzle.get("/staff/trail").text, frizzle.get("/staff").text]
    assert sum("alert(1)" in page for page in shown) >= 5
    for page in shown:
        assert HOSTILE not in page
        assert "<img" not in page
        assert "49" not in re.findall(r"\{\{|49%", page)
    for path in ("/staff/accounts.csv", "/staff/trail.csv"):
        sheet = frizzle.get(path).content.decode("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(sheet, "")) for cell in row]
        assert [cell for cell in cells if cell.startswith(tuple("=+-@"))] == []


def test_pages_stay_small_whatever_names_are(course: RunningProxy, frizzle: Desk) -> None:
    long = "&<\"'>" * 20
    roster = io.StringIO()
    csv.writer(roster).writerows(
        [
            ["username", "full name"],
            *([f"{number:03d}{long}"[:100], long * 2] for number in range(60)),
        ]
    )
    upload(frizzle, roster.getvalue(), budget="1")
    sizes = {"preview": len(frizzle.text.encode())}
    frizzle.post("/staff/roster/answer", token=frizzle.hidden("token"))
    for page in staff_pages():
        path = page.path.replace("{number:int}", "1")
        sizes[path] = len(frizzle.get(path, q="&<").content)
    frizzle.get("/staff/accounts", q="&<")
    frizzle.post("/staff/act", act="limit", everything="1", q="", only="")
    sizes["ask"] = len(frizzle.text.encode())
    assert {path: size for path, size in sizes.items() if size > PAGE_BYTES} == {}


# One account


def test_an_account_is_renamed_and_two_open_forms_do_not_undo_each_other(
    course: RunningProxy, frizzle: Desk, ruhle: Desk
) -> None:
    one = office(
        course, lambda hand: hand.add_account("formed", "1", full_name="Old", email="o@l.de")
    ).account
    path = f"/staff/accounts/{one.id}"
    frizzle.get(path)
    ruhle.get(path)
    was = {"was.name": "formed", "was.full_name": "Old", "was.email": "o@l.de"}
    frizzle.post(f"{path}/edit", **was, name="formed.2", full_name="Old", email="o@l.de")
    ruhle.post(f"{path}/edit", **was, name="formed", full_name="New", email="")
    changed = account(course, "formed.2")
    assert (changed.full_name, changed.email) == ("New", "")
    refused = frizzle.post(
        f"{path}/edit", **was, name="formed", full_name="Old", email="no address"
    )
    assert refused.status_code == 400
    assert "is no e-mail address" in told(frizzle)


def test_an_unconfirmed_charge_is_listed_with_its_reason_and_given_back_once(
    course: RunningProxy, frizzle: Desk
) -> None:
    one = course.add_account("unlucky", "1.00").account
    unconfirmed_call(course, one.id, "req_unlucky", 25 * 10**10)
    path = f"/staff/accounts/{one.id}"
    frizzle.get(path, status="unconfirmed")
    assert "req_unlucky" in told(frizzle)
    assert "Give back $0.25" in told(frizzle)
    for times in (1, 2):
        answer = frizzle.post(f"{path}/credit", request_id="req_unlucky", reason="the cable broke")
        assert answer.status_code == (200 if times == 1 else 400)
    assert "was adjusted already" in told(frizzle)
    assert account(course, "unlucky").spend_pico == 0
    frizzle.get(path)
    assert "the cable broke" in told(frizzle)
    sheet = frizzle.get(f"{path}/ledger.csv").content.decode("utf-8-sig")
    amounts = [row["Amount ($)"] for row in csv.DictReader(io.StringIO(sheet, ""))]
    assert amounts == ["-0.25", "0.25", "1.00"]


def test_all_that_is_kept_of_a_student_can_be_handed_over(
    course: RunningProxy, frizzle: Desk
) -> None:
    one = office(course, lambda hand: hand.add_account("asks", "1", email="asks@uni.example"))
    record = frizzle.get(f"/staff/accounts/{one.account.id}/record.json")
    assert record.json()["account"]["email"] == "asks@uni.example"
    assert one.key not in record.text


def test_an_account_that_there_is_not_is_a_page_and_a_404(frizzle: Desk) -> None:
    for number in ("999999", "9223372036854775808"):
        assert frizzle.get(f"/staff/accounts/{number}").status_code == 404


# Models, course, trail, invoice, colleagues


def test_a_price_from_a_later_day_is_in_the_history_and_today_is_as_before(
    course: RunningProxy, frizzle: Desk
) -> None:
    name = "gpt-4o-2024-11-20"
    frizzle.get("/staff/models/row", model="gpt-4o")
    was = dict(re.findall(r'name="(was\.\w+)" value="([^"]*)"', frizzle.text))
    now = {field.removeprefix("was."): text for field, text in was.items()}
    frizzle.post(
        "/staff/models/row", model=name, **was, **{**now, "input_usd": "2.00"},
        valid_from="2040-01-01",
    )  # fmt: skip
    assert "The model was changed." in told(frizzle)
    assert re.search(r"2040-01-01\s+to come\s+2\.00", told(frizzle))
    assert frizzle.hidden("was.input_usd") == "2.50"
    was["was.prices"] = frizzle.hidden("was.prices")
    past = frizzle.post(
        "/staff/models/row", model=name, **was, **{**now, "input_usd": "3"}, valid_from="2020-01-01"
    )
    assert past.status_code == 400
    assert "calls before today keep what they cost" in told(frizzle)
    assert 'name="input_usd" value="3"' in frizzle.text


def test_a_model_is_added_offered_and_retired(course: RunningProxy, frizzle: Desk) -> None:
    name = "tiny-2026-01-01"
    frizzle.get("/staff/models/add")
    form = {"model": name, "like": "gpt-4o-mini-2024-07-18", "enabled": "1"}
    refused = frizzle.post("/staff/models/add", **form, input_usd="cheap", output_usd="1")
    assert refused.status_code == 400
    frizzle.post("/staff/models/add", **form, input_usd="0.50", output_usd="1.00")
    assert "The model was added." in told(frizzle)
    frizzle.post("/staff/models/retire", model=name, successor="gpt-4o-mini-2024-07-18")
    row = frizzle.get("/staff/models").text.partition(name)[2].partition("</tr>")[0]
    assert "shut down" in row
    assert "gpt-4o-mini-2024-07-18" in row


def test_a_german_teacher_writes_a_price_with_a_comma(course: RunningProxy, ruhle: Desk) -> None:
    ruhle.get("/staff/models/row", model="gpt-4o-mini")
    was = dict(re.findall(r'name="(was\.\w+)" value="([^"]*)"', ruhle.text))
    now = {field.removeprefix("was."): text for field, text in was.items()}
    name = "gpt-4o-mini-2024-07-18"
    ruhle.post("/staff/models/row", model=name, **was, **{**now, "input_usd": "0,25"})
    assert "Das Modell wurde geändert." in told(ruhle)
    (row,) = [one for one in office(course, lambda hand: hand.models()) if one["model"] == name]
    assert row["input_usd"] == "0.25"


def test_long_prompts_and_a_region_are_priced_and_a_colleagues_change_is_not_lost(
    course: RunningProxy, frizzle: Desk, ruhle: Desk
) -> None:
    name = "gpt-4o-2024-11-20"
    forms = {}
    for desk in (frizzle, ruhle):
        desk.get("/staff/models/row", model=name)
        was = dict(re.findall(r'name="(was\.\w+)" value="([^"]*)"', desk.text))
        forms[desk.language] = was | {key.removeprefix("was."): text for key, text in was.items()}
    long = {"long_above_tokens": "50000", "long_input_usd": "5,00", "long_output_usd": "20,00"}
    day = {"model": name, "valid_from": "2041-01-01"}
    ruhle.post("/staff/models/row", **forms["de"] | long | day | {"multiplier": "1,1"})
    assert "über 50 000 Tokens: 5.00 hinein, 20.00 heraus × 1.1" in told(ruhle)
    late = {"input_usd": "2.60", "floor_cap_tokens": "300"}
    refused = frizzle.post("/staff/models/row", **forms["en"] | day | late)
    assert refused.status_code == 400
    assert "A colleague changed the same while you did: prices." in told(frizzle)
    assert 'name="input_usd" value="2.60"' in frizzle.text
    assert 'name="valid_from" value="2041-01-01"' in frizzle.text
    again = {**late, "was.prices": frizzle.hidden("was.prices")}
    frizzle.post("/staff/models/row", **forms["en"] | day | again)
    assert re.search(r"2041-01-01 to come 2\.60 .* above 50 000 tokens: 5\.00 in", told(frizzle))


def test_the_course_is_described_and_students_read_it(course: RunningProxy, ruhle: Desk) -> None:
    ruhle.get("/staff/course")
    was = dict(re.findall(r'name="(was\.\w+)" value="([^"]*)"', ruhle.text))
    form = {field.removeprefix("was."): text for field, text in was.items()}
    form |= {"name": "Sprachmodelle <2027>", "contact": "Raum 2", "cap_usd": "1000,50"}
    form["keys_shown_once"] = "yes"
    ruhle.post("/staff/course", **was, **form, which_models="all")
    assert "Der Kurs wurde geändert." in told(ruhle)
    described = office(course, lambda hand: hand.course())
    assert (described.name, described.contact) == ("Sprachmodelle <2027>", "Raum 2")
    assert described.cap_pico == 100_050 * 10**10
    assert "Raum 2" in Desk(course).get("/sign-in").text
    form |= {"begins": "2027-02-01", "ends": "2027-01-01"}
    refused = ruhle.post("/staff/course", **was, **form)
    assert refused.status_code == 400
    assert "Zwischen 2027-02-01 und 2027-01-01 liegt kein Tag" in told(ruhle)
    stale = ruhle.post("/staff/course", **{**was, "was.contact": "Raum 1"}, contact="Raum 3")
    assert stale.status_code == 400
    assert "dasselbe geändert: contact (Raum 2)" in told(ruhle)
    ruhle.get("/staff/course")
    was = dict(re.findall(r'name="(was\.\w+)" value="([^"]*)"', ruhle.text))
    now = {field.removeprefix("was."): unescape(text) for field, text in was.items()}
    del now["keys_shown_once"]  # as a browser says that a tick was taken out
    ruhle.post("/staff/course", **{key: unescape(text) for key, text in was.items()}, **now)
    assert not office(course, lambda hand: hand.course()).keys_shown_once
    office(course, lambda hand: hand.set_course(cap_usd="", name="", contact=""))


def test_every_act_stands_in_the_trail_with_who_did_it(course: RunningProxy, frizzle: Desk) -> None:
    one = course.add_account("traced", "1.00").account
    do(frizzle, "grant", one.id, amount="1.00", reason="traced reason")
    frizzle.get("/staff/trail")
    entry = told(frizzle).partition("traced reason")[0][-200:]
    assert "Ms Frizzle" in entry
    assert "budget granted" in entry
    frizzle.get(f"/staff/accounts/{one.id}")
    assert "traced reason" in told(frizzle)


def test_whatever_is_taken_away_as_a_file_stands_in_the_trail(
    course: RunningProxy, frizzle: Desk
) -> None:
    one = course.add_account("taken", "1.00").account
    acts = {
        "/staff/accounts.csv": "export_accounts",
        f"/staff/accounts/{one.id}/ledger.csv": "export_ledger",
        f"/staff/accounts/{one.id}/record.json": "export_record",
        "/staff/trail.csv": "export_trail",
        "/staff/spend.csv": None,  # names nobody
    }
    files = {page.path for page in staff_pages() if "." in page.path}
    assert {path.replace(f"/{one.id}/", "/{number}/") for path in acts} == files
    for path, act in acts.items():
        (before,) = office(course, lambda hand: hand.audit(limit=1))
        assert frizzle.get(path).status_code == 200
        entries = office(course, lambda hand: hand.audit(limit=5))
        new = [(entry.act, entry.author) for entry in entries if entry.id > before.id]
        assert new == ([(act, "Ms Frizzle")] if act else [])


@pytest.mark.parametrize(
    ("billed", "verdict"),
    [
        ("0.60", "agrees with the ledger"),
        ("0.00", "agrees with the ledger"),
        ("50", "above all that the ledger knows"),
    ],
)
def test_an_invoice_is_held_against_what_was_charged(
    course: RunningProxy, frizzle: Desk, billed: str, verdict: str
) -> None:
    one = course.add_account(f"invoiced {billed}", "1.00").account
    unconfirmed_call(course, one.id, f"req_{billed}", 7 * 10**11)
    today = frizzle.get("/staff/invoice", since="2000-01-01", until="2090-12-31", billed=billed)
    assert today.status_code == 200
    assert verdict in told(frizzle)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"since": "2027-02-01", "until": "2027-01-31"}, "liegt kein Tag"),
        ({"billed": "-1,50"}, "$-1.50 kann nicht berechnet worden sein"),
        ({"billed": "viel"}, "'viel' ist"),
    ],
)
def test_an_invoice_that_cannot_be_is_refused_in_a_sentence(
    course: RunningProxy, ruhle: Desk, typed: dict[str, str], sentence: str
) -> None:
    assert ruhle.get("/staff/invoice", **typed).status_code == 400
    assert sentence in told(ruhle)


def test_an_invoice_as_a_file_is_compared_day_by_day(course: RunningProxy, ruhle: Desk) -> None:
    ruhle.get("/staff/invoice")
    file = {"invoice": ("costs.csv", b"day,usd\n2001-02-03,1.25\n2001-02-04,0\n", "text/csv")}
    ruhle.post("/staff/invoice", files=file)
    assert re.search(r"insgesamt \$1\.25 \$0\.00 \$0\.00 \$1\.25 zu viel", told(ruhle))
    assert re.search(r"04\.02\.2001 \$0\.00 \$0\.00 \$0\.00 stimmt", told(ruhle))
    file = {"invoice": ("costs.csv", f"day,usd\n2001-02-03,{HOSTILE}\n".encode(), "text/csv")}
    assert ruhle.post("/staff/invoice", files=file).status_code == 400
    assert "Zeile 2 der Rechnung" in told(ruhle)
    assert HOSTILE not in ruhle.text


def test_a_colleague_is_added_with_a_password_shown_once_and_nobody_locks_themselves_out(
    course: RunningProxy, frizzle: Desk
) -> None:
    frizzle.get("/staff/team")
    frizzle.post("/staff/team", act="add", name="Dr Sub")
    token = frizzle.hidden("token")
    frizzle.post("/staff/team/answer", token=token)
    (password,) = PASSWORDS.findall(told(frizzle))
    assert frizzle.post("/staff/team/answer", token=token).status_code == 409
    assert password not in frizzle.get("/staff/team").text
    frizzle.post("/staff/team", act="disable", name="Ms Frizzle")
    refused = frizzle.post("/staff/team/answer", token=frizzle.hidden("token"))
    assert refused.status_code == 400
    assert "You cannot switch yourself off" in told(frizzle)
    frizzle.post("/staff/team", act="key", name="Dr Sub")
    frizzle.post("/staff/team/answer", token=frizzle.hidden("token"))
    assert KEY.search(told(frizzle))


def test_a_form_without_its_token_does_nothing(course: RunningProxy, frizzle: Desk) -> None:
    one = course.add_account("forged").account
    token = choose(frizzle, "delete", one.id)
    frizzle.post("/staff/act/answer", csrf="0" * 64, token=token)
    assert account(course, "forged") == one
