use super::*;
use api_types::{FieldKind, TemplateKind};
use expect_test::{Expect, expect};
use storage::field::Fields;
use storage::workspace::Workspace;

fn preview(kind: TemplateKind, subject: &str, preheader: &str, source: &str) -> Preview {
    let fields = Fields::from([("city".to_owned(), FieldKind::Text), ("vip".to_owned(), FieldKind::Boolean)]);
    let workspace = Workspace {
        id: WorkspaceId::MAIN,
        name: "Acme".into(),
        time_zone: "UTC".into(),
        postal_address: "1 Road, Porto".into(),
    };
    let place = Place { fields: &fields, workspace: &workspace };
    let person = Person {
        email: "ana@example.com".into(),
        first_name: "Ana & <Co>".into(),
        last_name: String::new(),
        attributes: r#"{"city": "Rio", "vip": false, "lines": ["one", "two"]}"#.into(),
    };
    let content = Content { kind, subject: subject.into(), preheader: preheader.into(), source: source.into() };
    preview_for(&content, &place, person)
}

fn check(preview: &Preview, expected: Expect) {
    let mut out = format!("subject: {}\npreheader: {}\n", preview.subject, preview.preheader);
    for problem in &preview.problems {
        let line = problem.line.map(|line| format!(" line {line}")).unwrap_or_default();
        let word = if problem.fatal { "fatal" } else { "doubtful" };
        out.push_str(&format!("{word} {}{line}: {}\n", problem.part, problem.message));
    }
    out.push_str(&format!("--- html\n{}\n--- text\n{}", preview.html, preview.text));
    expected.assert_eq(&out);
}

#[test]
fn html() {
    let preview = preview(
        TemplateKind::Html,
        "Hi {{ contact.first_name }}",
        "News from {{ contact.city | default: \"town\" }}",
        "<html><body>\n<p>Dear {{ contact.first_name }},</p><p><a href=\"https://x.example/?c={{ contact.city }}\">Look</a></p>\n\
         {% if contact.vip %}<p>VIP</p>{% endif %}</body></html>",
    );
    check(
        &preview,
        expect![[r#"
        subject: Hi Ana & <Co>
        preheader: News from Rio
        doubtful source: there is no unsubscribe link: one is added at the end; write {{ unsubscribe_url }} where you want it
        --- html
        <html><body><div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all">News from Rio</div>
        <p>Dear Ana &amp; &lt;Co&gt;,</p><p><a href="https://x.example/?c=Rio">Look</a></p>
        <div style="padding:24px 16px;text-align:center;font-family:Arial,sans-serif;font-size:12px;line-height:18px;color:#64748b">Acme, 1 Road, Porto<br><a href="https://mail.example/u/preview" style="color:#64748b">Unsubscribe</a></div></body></html>
        --- text
        Dear Ana & <Co>,

        Look (https://x.example/?c=Rio)

        Acme, 1 Road, Porto
        Unsubscribe (https://mail.example/u/preview)
    "#]],
    );
}

#[test]
fn mjml_is_converted_once() {
    let preview = preview(
        TemplateKind::Mjml,
        "Hi",
        "",
        "<mjml><mj-body><mj-section><mj-column><mj-text>Dear {{ contact.first_name }}{% if contact.vip %} VIP{% endif %}</mj-text>\
         <mj-button href=\"{{ unsubscribe_url }}\">Bye</mj-button></mj-column></mj-section></mj-body></mjml>",
    );
    assert_eq!(preview.problems, []);
    assert!(preview.html.contains("Dear Ana &amp; &lt;Co&gt;</div>"), "{}", preview.html);
    assert!(preview.html.contains("1 Road, Porto") && !preview.html.contains("Unsubscribe"), "{}", preview.html);
    assert!(!preview.html.contains("fonts.googleapis"));
    expect![[r#"
        Dear Ana & <Co>
        Bye (https://mail.example/u/preview)
        Acme, 1 Road, Porto"#]]
    .assert_eq(&preview.text);
}

/// The same words whether MJML runs before or after merging, where it can run before at all.
#[test]
fn converting_once_is_converting_each() {
    let sources = [
        "<mjml><mj-head><mj-title>{{ contact.city }}</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>{{ contact.first_name }}</mj-text></mj-column></mj-section></mj-body></mjml>",
        "<mjml><mj-body><mj-section background-color=\"{{ contact.city }}\"><mj-column><mj-image src=\"{{ contact.city }}.png\" alt=\"{{ contact.city }}\"/>\
         <mj-table>{% for l in contact.lines %}<tr><td>{{ l }}</td></tr>{% endfor %}</mj-table></mj-column></mj-section></mj-body></mjml>",
        "<mjml><mj-body><mj-raw>{% if contact.city %}</mj-raw><mj-section><mj-column><mj-text>A</mj-text></mj-column></mj-section><mj-raw>{% endif %}</mj-raw></mj-body></mjml>",
    ];
    for source in sources {
        let once = preview(TemplateKind::Mjml, "s", "", source);
        // An MJML attribute that MJML computes with keeps the conversion behind the merge.
        let each =
            preview(TemplateKind::Mjml, "s", "", &source.replace("<mj-body>", "<mj-body width=\"{{ '600px' }}\">"));
        assert!(each.problems.iter().any(|p| p.message.contains("for each recipient")), "{:?}", each.problems);
        let words = |html: &str| html.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&once.html), words(&each.html), "{source}");
    }
}

#[test]
fn structure_is_converted_for_each() {
    let preview = preview(
        TemplateKind::Mjml,
        "Hi",
        "Pre {{ contact.city }}",
        "<mjml><mj-body>{% if contact.vip %}<mj-section><mj-column><mj-text>VIP</mj-text></mj-column></mj-section>{% else %}\
         <mj-section><mj-column><mj-text>Hello {{ contact.first_name }}</mj-text></mj-column></mj-section>{% endif %}</mj-body></mjml>",
    );
    assert!(preview.problems.iter().all(|p| !p.fatal), "{:?}", preview.problems);
    assert!(preview.html.contains("Hello Ana &amp; &lt;Co&gt;") && !preview.html.contains("VIP"), "{}", preview.html);
    expect![[r#"
        Hello Ana & <Co>

        Acme, 1 Road, Porto
        Unsubscribe (https://mail.example/u/preview)
    "#]]
    .assert_eq(&preview.text);
}

#[test]
fn table_rows_in_a_loop_keep_their_order_in_the_text() {
    let preview = preview(
        TemplateKind::Html,
        "Hi",
        "",
        "<table>{% for line in contact.lines %}<tr><td>{{ line }}</td></tr>{% endfor %}</table>{{ unsubscribe_url }}{{ workspace.postal_address }}",
    );
    check(
        &preview,
        expect![[r#"
        subject: Hi
        preheader: 
        doubtful source line 1: contact has no value “lines”, nothing will stand here; make a field of that name, or correct the spelling
        doubtful source: merge tags change the structure here, so the mail is converted for each recipient, which makes sending slower
        --- html
        <table><tr><td>one</td></tr><tr><td>two</td></tr></table>https://mail.example/u/preview1 Road, Porto
        --- text
        one
        two
        https://mail.example/u/preview1 Road, Porto
    "#]],
    );
}

#[test]
fn mistakes_have_their_place() {
    let table: &[(TemplateKind, &str, &str)] = &[
        (TemplateKind::Html, "Hi {{ contact.name", "x"),
        (TemplateKind::Html, "", " "),
        (TemplateKind::Html, "Hi", "a\n{% if x %}\nb"),
        (
            TemplateKind::Html,
            "Hi {{ contact.frist_name }}",
            "a\n\n{{ contact.attributes.shoe }} {{ person.x }} {{ unsubscribe_url }}",
        ),
        (TemplateKind::Html, "Hi", "a\n{{ contact.city | shout }}{{ unsubscribe_url }}"),
        (TemplateKind::Mjml, "Hi", "<mjml><mj-body>\n<mj-sektion></mj-sektion></mj-body></mjml>"),
        (TemplateKind::Mjml, "Hi", "<p>{{ unsubscribe_url }}</p>"),
    ];
    let mut out = String::new();
    for (kind, subject, source) in table {
        out.push_str(&format!("{subject:?} {source:?}\n"));
        for p in preview(*kind, subject, "", source).problems {
            let line = p.line.map(|line| format!(" line {line}")).unwrap_or_default();
            out.push_str(&format!(
                "  {} {}{line}: {}\n",
                if p.fatal { "fatal" } else { "doubtful" },
                p.part,
                p.message
            ));
        }
    }
    expect![[r#"
        "Hi {{ contact.name" "x"
          fatal subject line 1: syntax error: unexpected end of input, expected end of variable block
        "" " "
          fatal subject: write a subject
          fatal source: the template is empty; write its content
        "Hi" "a\n{% if x %}\nb"
          fatal source line 2: syntax error: unexpected end of input, expected end of block
        "Hi {{ contact.frist_name }}" "a\n\n{{ contact.attributes.shoe }} {{ person.x }} {{ unsubscribe_url }}"
          doubtful subject line 1: contact has no value “frist_name”, nothing will stand here; make a field of that name, or correct the spelling
          doubtful source line 3: contact has no value “shoe”, nothing will stand here; make a field of that name, or correct the spelling
          doubtful source line 3: there is no value “person”, nothing will stand here; values are contact, campaign, workspace, unsubscribe_url, preferences_url and their parts
        "Hi" "a\n{{ contact.city | shout }}{{ unsubscribe_url }}"
          fatal source line 2: unknown filter: filter shout is unknown
        "Hi" "<mjml><mj-body>\n<mj-sektion></mj-sektion></mj-body></mjml>"
          fatal source line 2: MJML has no element mj-sektion; look for a misspelling
        "Hi" "<p>{{ unsubscribe_url }}</p>"
          fatal source line 1: MJML expects something else here; look for an element that is not closed
    "#]].assert_eq(&out);
}

/// Whatever stands in a contact: one line of subject, no markup, no line end in a header.
#[test]
fn no_value_reaches_a_header_or_the_markup() {
    let content = Content {
        kind: TemplateKind::Html,
        subject: "{{ contact.first_name }}!".into(),
        preheader: "{{ contact.first_name }}".into(),
        source: "<p title=\"{{ contact.first_name }}\">{{ contact.first_name }}</p>".into(),
    };
    let compiled = compile::Compiled::new(&content).unwrap();
    let workspace =
        Workspace { id: WorkspaceId::MAIN, name: "A".into(), time_zone: "UTC".into(), postal_address: "B".into() };
    let place = Place { fields: &Fields::new(), workspace: &workspace };
    let plain = compiled.render(&place.root(place.sample())).unwrap();
    let to = mail::Address::parse("a@b.example").unwrap();
    proptest::proptest!(|(first_name in "\\PC*|(?s).*|[<>\"'&\r\n\t{}%| a]*")| {
        let person = Person { first_name, attributes: "{}".into(), ..place.sample() };
        let parts = compiled.render(&place.root(person)).unwrap();
        let tags = |text: &str| text.matches('<').count();
        proptest::prop_assert_eq!(tags(&parts.html), tags(&plain.html));
        let message = mail::compose(&mail::Draft {
            from: &to,
            from_name: "",
            to: &to,
            reply_to: None,
            subject: &parts.subject,
            date_ms: 0,
            message_id: "1@b.example",
            headers: &[],
            body: mail::Body { text: &parts.text, html: Some(&parts.html) },
            boundary: "=_pb_1",
        });
        let message = String::from_utf8(message.unwrap()).unwrap();
        proptest::prop_assert!(!message.replace("\r\n", "").contains(['\r', '\n']), "only CRLF line ends");
        let headers = message.split("\r\n\r\n").next().unwrap();
        let names: Vec<&str> = headers
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let expected = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];
        proptest::prop_assert_eq!(names, expected);
    });
}
