//! What recipients choose, over the wire: lists that are left, a pause, what it looks like, and the rules for the silent.

mod common;

use api_types::Role;
use common::{Boat, Session, bad, boat, boat_with, good};
use daemon::serve::Overrides;
use reqwest::{Method, Response, multipart};
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::time::Duration;

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.7.1" }]
[provider.manners]
tls = "offered"
"#;

const PEOPLE: usize = 4;
const LOOK: Duration = Duration::from_millis(100);

struct Harbour {
    boat: Boat,
    internet: sandbox::Running,
    ana: Session,
    list: i64,
    template: Value,
}

impl Harbour {
    /// A sending domain, some people on one list, a template with both links.
    async fn new() -> Harbour {
        let providers = Providers::parse(PROVIDERS).unwrap();
        let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
        let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
        let more = format!(
            "[smtp]\nremote_port = {}\nbulk_retry = [\"1s\"]\n[[stream]]\nname = \"hints\"\nkind = \"bulk\"",
            internet.smtp_port()
        );
        let dns = format!("servers = [\"{}\"]", internet.dns());
        let boat = boat_with(&more, Overrides::default(), &dns).await;
        let ana = boat.session(Role::Owner).await;
        internet.zone().publish_address("localhost.localdomain", std::net::Ipv4Addr::LOCALHOST.into());
        ana.sending_domain(internet.zone(), "sender.example").await;
        let list = json!({ "name": "News", "description": "Once a week", "default": true });
        let list = ana.post("/api/v1/lists", list).await["id"].as_i64().unwrap();
        ana.post("/api/v1/lists", json!({ "name": "Offers" })).await;
        for person in internet.providers().people(PEOPLE, 7) {
            ana.post("/api/v1/contacts", json!({ "email": person.address })).await;
        }
        let source =
            "<p>Hello. <a href=\"{{ preferences_url }}\">Choose</a> <a href=\"{{ unsubscribe_url }}\">No more</a></p>";
        let template = json!({ "name": "News", "kind": "html", "subject": "News", "source": source });
        let template = ana.post("/api/v1/templates", template).await["id"].clone();
        Harbour { boat, internet, ana, list, template }
    }

    async fn launch(&self, name: &str) -> String {
        self.launch_of(json!({ "name": name, "list_id": self.list })).await
    }

    async fn launch_of(&self, mut draft: Value) -> String {
        draft["template_id"] = self.template.clone();
        draft["from_email"] = json!("news@sender.example");
        let path = format!("/api/v1/campaigns/{}", self.ana.post("/api/v1/campaigns", draft).await["id"]);
        self.ana.post(&format!("{path}/launch"), json!({})).await;
        path
    }

    /// Waits until a campaign's figures are so.
    async fn until(&self, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut progress = Value::Null;
        for _ in 0..300 {
            progress = self.ana.get(&format!("{path}/progress")).await;
            if is(&progress) {
                return progress;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("never {what}: {progress}");
    }

    /// The link to the choices of somebody who got the last mail, with its address.
    fn link(&self) -> (String, String) {
        let received = self.internet.ledger().last_messages().pop().unwrap();
        let content = String::from_utf8_lossy(&received.content).replace("\r\n ", " ");
        let token = content.split("/u/").nth(1).unwrap().split('>').next().unwrap();
        assert!(content.replace("=\r\n", "").contains(&format!("/p/{token}")), "{content}");
        (self.boat.url(&format!("/p/{token}")), received.recipients[0].clone())
    }

    /// Waits until the contact's timeline says so.
    async fn told(&self, contact: &Value, what: &str) -> String {
        let mut told = String::new();
        for _ in 0..100 {
            told = self.ana.get(&format!("/api/v1/contacts/{contact}/timeline")).await["items"].to_string();
            if told.contains(what) {
                return told;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("never told {what}: {told}");
    }

    async fn choose(&self, link: &str, form: &'static str) -> Response {
        let request = self.boat.http.post(link).header("content-type", "application/x-www-form-urlencoded");
        request.body(form).send().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_list_is_skipped_by_the_campaign_on_its_way() {
    let harbour = Harbour::new().await;
    let ana = &harbour.ana;
    let lists = ana.get("/api/v1/lists").await;
    assert_eq!((&lists["items"][0]["subscribed"], &lists["items"][1]["subscribed"]), (&json!(PEOPLE), &json!(0)));
    good(ana.send(Method::PUT, "/api/v1/preference-centre", Some(json!({ "confirmation": true }))).await).await;
    let first = harbour.launch("First").await;
    harbour.until(&first, "finished", |p| p["state"] == "finished").await;

    // The link of a mail that was received: looking changes nothing, the form does.
    let (link, address) = harbour.link();
    let page = harbour.boat.http.get(&link).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert!(page.headers().get("set-cookie").is_none());
    let page = page.text().await.unwrap();
    assert!(page.contains("Once a week") && !page.contains(&address) && !page.contains("<script"), "{page}");
    assert!(page.contains("name=\"list\" value=\"1\" checked") && !page.contains("value=\"2\" checked"), "{page}");
    assert_eq!(ana.get("/api/v1/lists").await["items"][0]["left"], 0, "looking changes nothing");
    let contact = ana.get(&format!("/api/v1/contacts?q={address}")).await["items"][0].clone();

    // The next campaign waits; one of its recipients leaves the list.
    let pause = ana.post("/api/v1/pauses", json!({ "scope": "workspace", "reason": "a moment" })).await;
    let second = harbour.launch("Second").await;
    harbour.until(&second, "in the queue", |p| p["audience_complete"] == true).await;
    assert_eq!(harbour.choose(&link, "mail=maybe").await.status(), 400);
    let saved = harbour.choose(&link, "mail=yes&shown=1&shown=2&list=2").await.text().await.unwrap();
    assert!(saved.contains("Your choice is saved.") && saved.contains("value=\"2\" checked"), "{saved}");
    good(ana.send(Method::DELETE, &format!("/api/v1/pauses/{}", pause["id"].as_str().unwrap()), None).await).await;
    let ended = harbour.until(&second, "finished", |p| p["state"] == "finished").await;
    assert_eq!((&ended["delivered"], &ended["suppressed"]), (&json!(PEOPLE - 1), &json!(1)), "{ended}");
    let log = ana.get(&format!("{second}/recipients?state=suppressed")).await;
    assert_eq!(log["items"][0]["address"], address);

    let lists = ana.get(&format!("/api/v1/contacts/{}/lists", contact["id"])).await;
    assert_eq!((&lists["items"][0]["status"], &lists["items"][1]["status"]), (&json!("left"), &json!("subscribed")));
    let told = harbour.told(&contact["id"], "Not sent: the address has left the list").await;
    assert!(told.contains("Left a list: News.") && told.contains("Joined a list: Offers."), "{told}");

    // A third one does not even mean it; and the change was confirmed by mail, once.
    let third = harbour.launch("Third").await;
    let ended = harbour.until(&third, "finished", |p| p["state"] == "finished").await;
    assert_eq!(ended["accepted"], PEOPLE - 1, "{ended}");
    harbour.choose(&link, "mail=no&shown=1&shown=2").await;
    let suppressed = ana.get(&format!("/api/v1/suppressions?q={address}")).await;
    assert_eq!(suppressed["items"][0]["reason"], "unsubscribe", "{suppressed}");
    harbour.choose(&link, "mail=pause").await;
    let paused = ana.get(&format!("/api/v1/suppressions?q={address}")).await;
    assert_eq!(paused["items"][0]["reason"], "paused", "{paused}");
    assert!(paused["items"][0]["expires_at"].is_string());
    let confirmations = || {
        let all = harbour.internet.ledger().last_messages();
        let is =
            |m: &&sandbox::Received| String::from_utf8_lossy(&m.content).contains("Auto-Submitted: auto-generated");
        all.iter().filter(is).map(|m| m.recipients[0].clone()).collect::<Vec<_>>()
    };
    for _ in 0..100 {
        if !confirmations().is_empty() {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(confirmations(), [address]);
    let unknown = harbour.boat.http.get(harbour.boat.url("/p/AAAAAAAAAAAAAAAA")).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    harbour.boat.stop().await;
    harbour.internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_stream_gets_the_rest() {
    let harbour = Harbour::new().await;
    let ana = &harbour.ana;
    let centre = json!({ "streams": [{ "stream": "hints", "title": "Hints & tips", "description": "Now and then" }] });
    let kept = good(ana.send(Method::PUT, CENTRE, Some(centre.clone())).await).await;
    assert_eq!(kept["streams"], json!([{ "stream": "bulk", "left": 0 }, { "stream": "hints", "left": 0 }]));
    let shown = ana.post(&format!("{CENTRE}/preview"), centre).await["preferences"].to_string();
    assert!(shown.contains("Hints &amp; tips") && shown.contains("Now and then"), "{shown}");
    let first = harbour.launch_of(json!({ "name": "First", "stream": "hints" })).await;
    harbour.until(&first, "finished", |p| p["state"] == "finished").await;
    let (link, address) = harbour.link();
    let page = harbour.boat.http.get(&link).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("name=\"stream\" value=\"hints\" checked") && !page.contains("value=\"bulk\""), "{page}");
    let contact = ana.get(&format!("/api/v1/contacts?q={address}")).await["items"][0]["id"].clone();

    // Campaigns of both streams wait, and submitted mail of the one that is left.
    let pause = ana.post("/api/v1/pauses", json!({ "scope": "workspace", "reason": "a moment" })).await;
    let hints = harbour.launch_of(json!({ "name": "Hints", "stream": "hints" })).await;
    let other = harbour.launch_of(json!({ "name": "Other" })).await;
    for path in [&hints, &other] {
        harbour.until(path, "in the queue", |p| p["audience_complete"] == true).await;
    }
    let mail =
        json!({ "from": "news@sender.example", "to": [address], "subject": "One", "text": "One", "stream": "hints" });
    let message = ana.post("/api/v1/messages", mail).await["id"].clone();
    let saved = harbour.choose(&link, "mail=yes&shown-stream=hints&shown-stream=bulk").await.text().await.unwrap();
    assert!(saved.contains("Your choice is saved.") && saved.contains("value=\"hints\"><span>"), "{saved}");
    good(ana.send(Method::DELETE, &format!("/api/v1/pauses/{}", pause["id"].as_str().unwrap()), None).await).await;
    let ended = harbour.until(&hints, "finished", |p| p["state"] == "finished").await;
    assert_eq!((&ended["delivered"], &ended["suppressed"]), (&json!(PEOPLE - 1), &json!(1)), "{ended}");
    let ended = harbour.until(&other, "finished", |p| p["state"] == "finished").await;
    assert_eq!(
        (&ended["delivered"], &ended["suppressed"]),
        (&json!(PEOPLE), &json!(0)),
        "not offered, and so not left"
    );
    let told = harbour.told(&contact, "Not sent: the address wants no mail of the stream").await;
    assert!(told.contains("Wants no mail of a stream any more: Hints & tips."), "{told}");
    let recipients = ana.get(&format!("/api/v1/messages/{message}")).await["recipients"].to_string();
    assert!(recipients.contains("suppressed"), "{recipients}");
    let led = async || ana.get(&format!("{first}/progress")).await["responses"][1].clone();
    assert_eq!(led().await, json!({ "response": "left", "count": 1, "percent": 25.0 }), "the mail that led there");

    // The next one does not mean it, and its audience says so before.
    let count = json!({ "filter": { "type": "and", "filters": [] }, "stream": "hints" });
    assert_eq!(ana.post("/api/v1/segments/count", count).await["receiving"], PEOPLE - 1);
    let left = json!({ "filter": { "type": "left_stream", "stream": "hints" } });
    let found = ana.post("/api/v1/segments/count", left).await;
    assert_eq!((&found["matching"], &found["sentence"]), (&json!(1), &json!("Has left the stream “hints”.")));
    let next = harbour.launch_of(json!({ "name": "Next", "stream": "hints" })).await;
    assert_eq!(harbour.until(&next, "finished", |p| p["state"] == "finished").await["accepted"], PEOPLE - 1);

    // Staff see it, and put it back on its word; the page of the old mail then shows it.
    let path = format!("/api/v1/contacts/{contact}/streams");
    let standing = ana.get(&path).await["items"].clone();
    assert_eq!(
        (&standing[1]["title"], standing[1]["left_at"].is_string()),
        (&json!("Hints & tips"), true),
        "{standing}"
    );
    assert_eq!(ana.get(CENTRE).await["streams"][1]["left"], 1);
    let set = async |left: Value| ana.send(Method::PUT, &path, Some(json!({ "left": left }))).await;
    assert_eq!(bad(set(json!(["hints", "transactional"])).await).await.1.error.field.as_deref(), Some("left[1]"));
    let back = good(set(json!(["bulk"])).await).await["items"].clone();
    assert_eq!((back[0]["left_at"].is_string(), &back[1]["left_at"]), (true, &json!(null)), "{back}");
    let page = harbour.boat.http.get(&link).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("name=\"stream\" value=\"hints\" checked"), "{page}");
    assert_eq!(led().await["count"], 0, "it has come back");
    harbour.boat.stop().await;
    harbour.internet.shutdown().await;
}

#[tokio::test]
async fn lists_are_kept_while_a_draft_needs_them() {
    let boat = boat().await;
    let ana = boat.session(Role::Marketer).await;
    let list = ana.post("/api/v1/lists", json!({ "name": "News" })).await;
    assert_eq!((&list["public"], &list["default"]), (&json!(true), &json!(false)));
    let twice = ana.send(Method::POST, "/api/v1/lists", Some(json!({ "name": "news" }))).await;
    assert_eq!(bad(twice).await.0, 409);
    let id = &list["id"];
    let contact = ana.post("/api/v1/contacts", json!({ "email": "bo@gull.example" })).await["id"].clone();
    let path = format!("/api/v1/contacts/{contact}/lists");
    let set = async |lists: Value| ana.send(Method::PUT, &path, Some(json!({ "lists": lists }))).await;
    assert_eq!(bad(set(json!([id, 77])).await).await.1.error.field.as_deref(), Some("lists[1]"));
    for (lists, status) in [(json!([]), json!(null)), (json!([id]), json!("subscribed")), (json!([]), json!("left"))] {
        assert_eq!(good(set(lists).await).await["items"][0]["status"], status);
    }
    assert_eq!(good(set(json!([id])).await).await["items"][0]["status"], "subscribed", "on somebody's word");
    let count =
        async |filter: Value| ana.post("/api/v1/segments/count", json!({ "filter": filter })).await["matching"].clone();
    assert_eq!(count(json!({ "type": "list", "id": id, "status": "subscribed" })).await, 1);
    assert_eq!(count(json!({ "type": "list", "id": id, "status": "left" })).await, 0);
    let draft = json!({ "name": "A", "from_email": "", "list_id": id });
    let draft = ana.post("/api/v1/campaigns", draft).await;
    let path = format!("/api/v1/lists/{id}");
    assert_eq!(bad(ana.send(Method::DELETE, &path, None).await).await.0, 409);
    good(ana.send(Method::DELETE, &format!("/api/v1/campaigns/{}", draft["id"]), None).await).await;
    good(ana.send(Method::DELETE, &path, None).await).await;
    assert_eq!(ana.get("/api/v1/lists").await["items"], json!([]));
    boat.stop().await;
}

fn daemon_now(boat: &Boat) -> String {
    campaign::rfc3339(boat.running.app().now_ms())
}

const CENTRE: &str = "/api/v1/preference-centre";

#[tokio::test]
async fn it_looks_as_people_chose() {
    let boat = boat().await;
    let ana = boat.session(Role::Marketer).await;
    let put = async |settings: Value| ana.send(Method::PUT, CENTRE, Some(settings)).await;
    for (settings, field) in [
        (json!({ "accent": "red" }), "accent"),
        (json!({ "accent": "#7A7A7A" }), "accent"),
        (json!({ "card": "#7A7A7A" }), "card"),
        (json!({ "title": "two\nlines" }), "title"),
    ] {
        let (status, body) = bad(put(settings).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some(field)), "{}", body.error.message);
    }
    let mine = json!({ "language": "pt", "title": "Olá", "introduction": "a <b>", "accent": "#0f766e" });
    assert_eq!(good(put(mine.clone()).await).await["settings"]["accent"], "#0F766E");
    let shown = ana.post(&format!("{CENTRE}/preview"), mine).await;
    let html = shown["preferences"].as_str().unwrap();
    assert!(
        html.contains("<html lang=\"pt\">") && html.contains("<h1>Olá</h1>") && html.contains("a &lt;b&gt;"),
        "{html}"
    );
    assert!(html.contains("--accent:#0F766E;--on-accent:#FFFFFF;") && html.contains("Guardar"), "{html}");
    assert!(shown["unsubscribed"].as_str().unwrap().contains("Subscrição cancelada"));

    let upload = async |content: &'static [u8]| {
        let form = multipart::Form::new().part("file", multipart::Part::bytes(content).file_name("logo.png"));
        let request = ana.http.post(boat.url(&format!("{CENTRE}/logo"))).header("cookie", &ana.cookie);
        request.header("x-csrf-token", &ana.csrf).multipart(form).send().await.unwrap()
    };
    assert_eq!(bad(upload(b"<svg xmlns='http://www.w3.org/2000/svg'/>").await).await.0, 422);
    let state = good(upload(b"\x89PNG\r\n\x1a\nnot much").await).await;
    let path = state["logo"].as_str().unwrap();
    let logo = boat.http.get(boat.url(path)).send().await.unwrap();
    let header = |name: &str| logo.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("x-content-type-options")), ("image/png".into(), "nosniff".into()));
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    let html = ana.post(&format!("{CENTRE}/preview"), json!({})).await["preferences"].to_string();
    assert!(html.contains(path), "{html}");
    assert_eq!(boat.http.get(boat.url("/logo/0000")).send().await.unwrap().status(), 404);
    good(ana.send(Method::DELETE, CENTRE, None).await).await;
    let state = ana.get(CENTRE).await;
    assert_eq!((&state["logo"], &state["settings"]["title"]), (&json!(null), &json!("")));
    boat.stop().await;
}

#[tokio::test]
async fn rules_are_off_until_they_are_turned_on() {
    let boat = boat().await;
    let ana = boat.session(Role::Admin).await;
    let path = "/api/v1/hygiene";
    let found = ana.get(path).await;
    let settings = &found["settings"];
    assert_eq!((&settings["sunset"], &settings["reengage"]), (&json!(false), &json!(false)));
    assert_eq!((&settings["sunset_months"], &settings["reengage_months"]), (&json!(12), &json!(6)));
    assert_eq!((&found["sunset_would"], &found["runs"]), (&json!(0), &json!([])));
    let put = async |settings: Value| ana.send(Method::PUT, path, Some(settings)).await;
    for (settings, field) in [
        (json!({ "sunset_months": 0 }), "sunset_months"),
        (json!({ "reengage_months": 121 }), "reengage_months"),
        (json!({ "sunset": true, "reengage": true, "reengage_months": 12 }), "reengage_months"),
        (json!({ "reengage_tag": " " }), "reengage_tag"),
    ] {
        assert_eq!(bad(put(settings).await).await.1.error.field.as_deref(), Some(field));
    }
    assert_eq!(ana.post("/api/v1/hygiene/run", json!({})).await, json!({ "sunset": 0, "reengage": 0 }));
    assert_eq!(ana.get(path).await["runs"], json!([]), "nothing is on");
    let refused = bad(put(json!({ "sunset": true })).await).await;
    assert_eq!((refused.0, refused.1.error.field.as_deref()), (422, Some("sunset")), "nothing measures engagement");
    let lately = json!({ "email": "bo@gull.example", "engaged_at": daemon_now(&boat) });
    ana.post("/api/v1/contacts", lately).await;
    good(put(json!({ "sunset": true, "reengage": true })).await).await;
    ana.post("/api/v1/hygiene/run", json!({})).await;
    let runs = ana.get(path).await["runs"].clone();
    let rules: Vec<&str> = runs.as_array().unwrap().iter().map(|run| run["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["sunset", "reengage"], "{runs}");
    assert!(runs[0]["finished_at"].is_string() && runs[0]["started_by"] == "admin@example.com", "{runs}");
    assert_eq!(bad(ana.send(Method::GET, &format!("{path}?sunset_months=0"), None).await).await.0, 422);
    boat.stop().await;
}
