//! Every statement prepares against the newest schema, on a connection that sees all three files.

use crate::{OpenOptions, Storage};

#[test]
fn every_statement_prepares() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
    let queue = crate::queue::statements();
    let bounces = crate::bounces::statements();
    let warmup = crate::warmup::statements();
    let domain = crate::domain::statements();
    let message = crate::message::statements();
    let contact = crate::contact::statements();
    let webhook = crate::webhook::statements();
    let sent_to = crate::sent_to::statements();
    let sent_to: Vec<&str> = sent_to.iter().map(String::as_str).collect();
    let suppression = crate::suppression::statements();
    let dmarc_report = crate::dmarc_report::statements();
    let journey_run = crate::journey_run::statements();
    let modules: &[(&str, &[&str])] = &[
        ("api_key", crate::api_key::STATEMENTS),
        ("auth_failure", crate::auth_failure::STATEMENTS),
        ("automation", crate::automation::STATEMENTS),
        ("bounces", &bounces),
        ("standing", crate::standing::STATEMENTS),
        ("campaign_run", crate::campaign_run::STATEMENTS),
        ("conversation", crate::conversation::STATEMENTS),
        ("dmarc_report", &dmarc_report),
        ("event", crate::event::STATEMENTS),
        ("feedback", crate::feedback::STATEMENTS),
        ("idempotency", crate::idempotency::STATEMENTS),
        ("message", &message),
        ("notice", crate::notice::STATEMENTS),
        ("outbox", crate::outbox::STATEMENTS),
        ("source_check", crate::source_check::STATEMENTS),
        ("complaint", crate::complaint::STATEMENTS),
        ("job", crate::job::STATEMENTS),
        ("journey", crate::journey::STATEMENTS),
        ("journey_run", &journey_run),
        ("list", crate::list::STATEMENTS),
        ("stream_leave", crate::stream_leave::STATEMENTS),
        ("hygiene", crate::hygiene::STATEMENTS),
        ("preference", crate::preference::STATEMENTS),
        ("preference_centre", crate::preference_centre::STATEMENTS),
        ("listing", crate::listing::STATEMENTS),
        ("pause", crate::pause::STATEMENTS),
        ("mailbox", crate::mailbox::STATEMENTS),
        ("reply", crate::reply::STATEMENTS),
        ("reply_address", crate::reply_address::STATEMENTS),
        ("report_alarm", crate::report_alarm::STATEMENTS),
        ("report_day", crate::report_day::STATEMENTS),
        ("reputation", crate::reputation::STATEMENTS),
        ("response", crate::response::STATEMENTS),
        ("sent_to", &sent_to),
        ("soft_bounce", crate::soft_bounce::STATEMENTS),
        ("suppression", &suppression),
        ("tally", crate::tally::STATEMENTS),
        ("unknown_text", crate::unknown_text::STATEMENTS),
        ("unmatched_report", crate::unmatched_report::STATEMENTS),
        ("unsubscribe", crate::unsubscribe::STATEMENTS),
        ("queue", &queue),
        ("warmup", &warmup),
        ("credential", crate::credential::STATEMENTS),
        ("domain", &domain),
        ("meta", crate::meta::STATEMENTS),
        ("session", crate::session::STATEMENTS),
        ("user", crate::user::STATEMENTS),
        ("campaign", crate::campaign::STATEMENTS),
        ("contact", &contact),
        ("field", crate::field::STATEMENTS),
        ("import", crate::import::STATEMENTS),
        ("segment", crate::segment::STATEMENTS),
        ("tag", crate::tag::STATEMENTS),
        ("template", crate::template::STATEMENTS),
        ("tls", crate::tls::STATEMENTS),
        ("webhook", &webhook),
        ("tls_report", crate::tls_report::STATEMENTS),
        ("workspace", crate::workspace::STATEMENTS),
    ];
    storage
        .read_blocking(|connection| {
            for (module, statements) in modules {
                for sql in *statements {
                    connection.prepare(sql).unwrap_or_else(|e| panic!("{module}: {e}\n{sql}"));
                }
            }
            Ok(())
        })
        .unwrap();
}
